"""Discovery: what a server tells of itself and of a model, before the first request."""
