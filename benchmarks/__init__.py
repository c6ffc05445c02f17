"""Measurements: each module is one question, run as `python -m benchmarks.NAME`."""
