"""Runs the programs that models write."""
