"""Samples to learn from, whose gold is a secret."""

from __future__ import annotations

import random

from ponder.experiments.pools.samples import Entry, Sample

SECRET = "31415926"


def entries(problems: int = 24, n: int = 8, seed: int = 0, **scores: bool) -> list[Entry]:
    """Problems of all difficulties; the score 'sure' is higher for right samples, 'rare' is there
    half the time.
    """
    rng = random.Random(seed)
    found = []
    for i in range(problems):
        easy, samples = (i + 0.5) / problems, []
        for _ in range(n):
            right = rng.random() < easy
            answer = SECRET if right else str(rng.randrange(3))
            known = {"sure": round(rng.gauss(0.7 if right else 0.5, 0.15), 6)}
            if rng.random() < 0.5:
                known["rare"] = rng.random()
            silent = rng.random() < 0.1
            samples.append(
                Sample(
                    None if silent else answer,
                    None if silent else right,
                    known,
                    rng.randrange(20, 200),
                    cut=silent,
                    text=f"the text of {answer}",
                )
            )
        found.append(Entry(f"secret/{seed}/{i}", SECRET, "number", tuple(samples)))
    return found
