"""The server: the dial behind the APIs that programs already speak."""
