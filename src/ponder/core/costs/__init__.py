"""Costs in whole numbers, and the ledger that books them."""
