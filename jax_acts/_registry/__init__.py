"""Lookup of functions by name, spec and dialect."""
