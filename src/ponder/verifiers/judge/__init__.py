"""Verifiers that ask a model for an opinion: judge, pairwise, self-verification."""
