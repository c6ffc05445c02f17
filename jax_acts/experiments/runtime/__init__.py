"""Run directories, records, executors and progress."""
