"""Reward models: at an endpoint, or in this process."""
