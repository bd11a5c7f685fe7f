"""The verifier that scores a chain step by step."""
