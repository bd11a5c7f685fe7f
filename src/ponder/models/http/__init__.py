"""HTTP: one client for every vendor's API, and what it needs of each, a wire."""
