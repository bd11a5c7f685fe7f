"""Models that ask nobody: scripted, simulated, and absent."""
