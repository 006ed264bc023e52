"""Extra formats, pure functions from the envelope."""
