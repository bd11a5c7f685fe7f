"""Many chains, of which a vote, a verifier or the model itself makes one answer."""
