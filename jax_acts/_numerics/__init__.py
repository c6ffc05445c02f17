"""Building blocks with stated error bounds, in float32 and float64."""
