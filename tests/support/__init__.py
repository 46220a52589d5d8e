"""What several test packages use: real processes, a real Redis, a Live API that records."""
