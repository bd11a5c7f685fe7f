"""Estimators over pools: any N, any aggregator, with intervals, fits and costs."""
