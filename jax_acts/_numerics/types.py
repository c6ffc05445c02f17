"""Types of arguments."""

from jax import Array

Real = Array | float
"""An argument of an elementwise rule; arrays are float32 or float64."""
Axes = tuple[int, ...]
"""Nonnegative axis indices of an array."""
