"""Operation: limits of API keys, and what is counted, logged and traced of each run."""
