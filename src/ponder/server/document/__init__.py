"""The published document: its operations, and the forms and examples of bodies."""
