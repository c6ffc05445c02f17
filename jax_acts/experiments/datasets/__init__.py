"""Datasets by name, and readers of the user's own."""
