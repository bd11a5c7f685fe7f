"""Models behind Gemini's API."""
