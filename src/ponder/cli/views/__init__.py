"""Views of a run: while it goes on, its result, its records."""
