"""Models without a network: scripted, simulated, and absent."""
