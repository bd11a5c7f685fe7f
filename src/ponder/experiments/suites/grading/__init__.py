"""Grading with the gold answer, which lives here and never reaches inference."""
