"""Measuring: recorded pools, estimators, intervals. The only room that knows gold answers."""
