"""Verifiers that run a program: on public tests, or on tests that the model wrote."""
