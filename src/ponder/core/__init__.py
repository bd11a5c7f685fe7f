"""The core types: problem, trace, answer, budget, ledger, effects, session, events, errors.
Standard library only.
"""
