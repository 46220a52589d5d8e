"""The session worker: owns sessions and holds their Live API connections."""
