"""What at least two services need: frames, channels, the bus, ownership, settings, logs."""
