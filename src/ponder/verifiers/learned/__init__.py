"""The verifier that was learned from graded samples."""
