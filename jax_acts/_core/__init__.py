"""Types of functions, their arguments and their derivative rules."""
