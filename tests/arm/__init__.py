"""The package on 64-bit Arm, under emulation."""
