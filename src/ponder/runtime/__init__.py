"""The runtime: the runner, and the handlers between a strategy and the world."""
