"""The verifier that asks a person, and the queue in which its questions wait."""
