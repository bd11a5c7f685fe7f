"""The handlers that answer effects, one file each, from the model outwards."""
