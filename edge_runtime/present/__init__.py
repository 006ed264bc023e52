"""Events -> the bytes on the wire."""
