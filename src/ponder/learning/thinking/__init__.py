"""Lessons in thinking: chains with what failed and the way back, from searches."""
