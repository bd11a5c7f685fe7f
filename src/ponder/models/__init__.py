"""Models: one Protocol and its implementations."""
