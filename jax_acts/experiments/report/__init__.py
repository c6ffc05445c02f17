"""Reports as pure functions of records."""
