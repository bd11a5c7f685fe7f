"""One look, and then whatever is worth its price."""
