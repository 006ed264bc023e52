"""The wiring: lanes, scheduler, publisher, supervisor."""
