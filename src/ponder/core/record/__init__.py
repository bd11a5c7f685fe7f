"""What a run asks for, what happened, what a person did, and the tree of all that."""
