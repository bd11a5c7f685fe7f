"""Pure decision mathematics: vote, stop, select. No I/O, no clock, no model."""
