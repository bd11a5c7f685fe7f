"""The first problems of GSM8K as a task of Inspect's."""

from __future__ import annotations

import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import match
from inspect_ai.solver import generate

COUNT = 2


@task  # type: ignore[untyped-decorator]
def gsm8k(path: str) -> Task:
    """Ask the problems of a file, and compare the last number."""
    rows = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()[:COUNT]]
    samples = [
        Sample(input=row["question"], target=row["answer"].rpartition("#### ")[2]) for row in rows
    ]
    return Task(dataset=MemoryDataset(samples), solver=[generate()], scorer=match(numeric=True))
