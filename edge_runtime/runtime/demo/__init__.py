"""The whole product on one machine, with nothing else installed: a simulated street, a broker in this process, and the daemon's own node."""
