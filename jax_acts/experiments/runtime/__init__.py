"""Execution of a study: run directory, fingerprint, locks, executors, progress."""
