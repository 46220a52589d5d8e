"""Every fault over many live conversations at once: `python -m tests.chaos`, `make chaos`."""
