"""``ponder eval``: the command and its output."""
