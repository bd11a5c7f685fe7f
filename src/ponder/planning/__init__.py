"""Planning: from a caller's request to a plan."""
