"""Comparisons of activations on any model and data."""
