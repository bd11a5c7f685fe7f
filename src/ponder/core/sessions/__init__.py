"""The session that a strategy is given, its state and its branches."""
