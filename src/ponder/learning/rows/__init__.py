"""Training data from recorded chains: sources, what decides, which are picked, and the rows."""
