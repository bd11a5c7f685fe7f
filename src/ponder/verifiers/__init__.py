"""Verifiers: they read answers and score traces, and never see the gold."""
