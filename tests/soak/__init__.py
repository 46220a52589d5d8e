"""A day in the life: speech sessions that come and go, and rolling restarts."""
