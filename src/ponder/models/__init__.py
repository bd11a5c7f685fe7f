"""Models: one Protocol and what speaks it."""
