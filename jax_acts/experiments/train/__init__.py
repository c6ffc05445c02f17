"""Jitted training loops."""
