"""A run's search tree, drawn: in the terminal, as Mermaid, as a page."""
