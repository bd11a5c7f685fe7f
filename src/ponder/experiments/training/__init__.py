"""Learned verifiers: features of graded samples, fits, and their evaluation."""
