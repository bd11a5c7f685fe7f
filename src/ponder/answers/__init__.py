"""Answers: read out of a text, normalised to keys, and compared by them."""
