"""From a run to what its reader sees, on the way and at the end."""
