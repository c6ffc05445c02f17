"""Measurements: one question a module, run as `python -m benchmarks NAME`.

libraries   the same functions in other libraries
harness     interleaved timing
results     row types and stored files
pages       docs pages, written from the stored results only
"""
