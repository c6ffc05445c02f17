"""What networks are asked to do: data that are made, or read, and how to draw them."""
