"""The only livegate service with Google credentials: it mints short-lived access tokens."""
