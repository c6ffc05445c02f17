"""Names, specs and dialects."""
