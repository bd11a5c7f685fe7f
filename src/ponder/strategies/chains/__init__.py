"""One chain, longer, shorter, or revised."""
