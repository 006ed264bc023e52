"""device.toml, good and bad."""
