"""GGUF files: metadata, and tensors rewritten for the embedded engine."""
