"""``ponder pool``: recorded samples."""
