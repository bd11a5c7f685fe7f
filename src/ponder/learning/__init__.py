"""Training data, environments and weights: nothing here reads a reference answer."""
