"""Rejection sampling: a model trained on chains of its own that a verifier passed.

The parent process samples, verifies and chooses (``rounds``); a child trains (``worker``), so that
PyTorch and the embedded engine are never in one process.
"""
