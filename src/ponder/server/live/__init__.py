"""Runs as they happen: what they publish, whose they are, and the requests that began them."""
