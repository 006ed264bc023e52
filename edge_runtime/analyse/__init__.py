"""From tracks to events: lines, zones."""
