"""Setting up what tests need, on a bare machine too."""
