"""Helpers that do not depend on Ponder: threads, processes, bounded concurrency."""
