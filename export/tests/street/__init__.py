"""Training of street-nano under test."""
