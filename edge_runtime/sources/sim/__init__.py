"""The shipped street: a simulated scene with traffic, drawn through a camera, whose truth is known exactly."""
