"""Who may ask how much, and what is counted, logged and traced of it."""
