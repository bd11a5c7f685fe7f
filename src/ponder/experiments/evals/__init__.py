"""Evaluations: configurations on whole suites, and their results, compared in pairs."""
