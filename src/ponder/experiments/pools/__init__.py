"""Pools: recorded samples per problem; recording, importing, merging and grading them."""
