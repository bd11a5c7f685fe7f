"""The version of Ponder."""

__version__ = "0.1.0"
