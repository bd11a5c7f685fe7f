"""Models by the names of their vendors and servers: addresses, keys, and what a server can do."""
