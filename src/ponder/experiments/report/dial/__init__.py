"""The dial's part of a report: stopping rules and plans, their regret, and stated confidence."""
