"""The handlers that answer effects, one file each, ordered from the model outwards."""
