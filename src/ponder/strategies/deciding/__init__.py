"""Choices about a text, read off the probabilities of one token."""
