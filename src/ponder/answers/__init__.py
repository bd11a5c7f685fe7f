"""Answers: extracted from a text, normalised to keys, and compared by them."""
