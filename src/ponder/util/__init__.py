"""Helpers that know nothing of Ponder: threads, processes, bounded concurrency."""
