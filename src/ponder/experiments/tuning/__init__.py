"""Plans fitted to recorded samples."""
