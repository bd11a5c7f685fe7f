"""Allocation: from the effort dial to a plan."""
