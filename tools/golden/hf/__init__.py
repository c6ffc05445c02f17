"""Golden outputs of the MLPs of transformers."""
