"""The version of this Ponder."""

__version__ = "0.1.0"
