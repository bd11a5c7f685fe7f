"""The Runs API: what was asked, how it goes on, and the acts of people on it."""
