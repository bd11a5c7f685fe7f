"""The verifier that reads a solution and says Yes or No."""
