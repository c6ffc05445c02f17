"""The activation type and what it is made of."""
