"""The Gemini Live API on a laptop: strict, spoken, on both of Google's paths."""
