"""Numba kernels; each has a plain NumPy twin in tests/naive.py."""
