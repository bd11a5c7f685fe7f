"""The verifier trained on graded samples."""
