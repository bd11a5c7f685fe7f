"""Options that several commands have, and the reading of options."""
