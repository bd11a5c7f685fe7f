"""Planning: from a caller's wishes to a plan."""
