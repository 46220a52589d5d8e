"""The `livegate` command: all of livegate on one machine."""
