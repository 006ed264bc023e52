"""The spool on disk and the sink to the broker."""
