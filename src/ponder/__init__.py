"""A thinking dial for any language model."""
