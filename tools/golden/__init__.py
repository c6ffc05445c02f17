"""Golden values of other libraries."""
