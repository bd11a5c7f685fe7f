"""The record of a run: what it asks for, what happened, what a person did, and the tree of that."""
