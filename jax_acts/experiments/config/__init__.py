"""Configs: schema, loading and errors."""
