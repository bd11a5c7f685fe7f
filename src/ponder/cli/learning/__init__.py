"""``ponder learn``: training data, environments."""
