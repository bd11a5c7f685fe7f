"""Training data and environments from what was recorded: nothing here reads a reference answer."""
