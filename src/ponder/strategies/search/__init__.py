"""Searches over steps of reasoning, or over attempts, in a tree."""
