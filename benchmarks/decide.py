"""Decisions of one look: how right, and how well calibrated, with and without each correction.

    python benchmarks/decide.py --model qwen2.5-coder-0.5b --data FOLDER [--n 60] [--looks FILE]

Five questions with known answers, ``n`` texts each, drawn with a fixed seed: three yes-or-no tasks
of BIG-Bench Hard, the operation that solves a word problem (SVAMP, four choices), and if a proposed
solution of a GSM8K problem is right (those of OpenAI's four systems). Every look that any variant
needs is made once; with ``--looks`` they are kept in a file, and read from it the next time. Then
the cost: decisions one at a time, and one greedy chain of at most 512 tokens for the same texts.

Brier score and calibration error are of the probability that the decision is right. The temperature
is fitted on every second text and used on the others, both ways.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import ponder
from ponder.core.problem import Message, Problem
from ponder.experiments.stats.intervals import percentile, resampled_means, wilson
from ponder.experiments.stats.paired import difference
from ponder.experiments.training.metrics import expected_calibration_error, reliability
from ponder.models.base import Model, Request
from ponder.policies.decisions import (
    Reading,
    averaged,
    calibrated,
    chances,
    orders,
    pooled,
    read_place,
    softened,
    unordered,
)
from ponder.policies.labels import ALTERNATIVES, LEAST_MASS
from ponder.strategies.deciding.looking import BLANKS, Form, Labels

SEED = 7
TEMPERATURES = [2 ** (i / 8) for i in range(-8, 41)]
SYSTEMS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
OPERATIONS = {
    "Addition": "addition", "Subtraction": "subtraction",
    "Multiplication": "multiplication", "Common-Division": "division",
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """A text to decide on, and the right choice."""

    task: str
    question: str
    text: str
    choices: tuple[str, ...]
    right: int


def items(data: Path, n: int) -> list[Item]:
    """Return ``n`` texts of each task."""
    rng, found = random.Random(SEED), list[Item]()
    for task, asked in (
        ("navigate", "Do you return to the starting point?"),
        ("web_of_lies", "What is the answer to the question in the text?"),
        ("boolean_expressions", "What is the value of the expression?"),
    ):
        rows = json.loads((data / "bbh" / f"{task}.json").read_text("utf-8"))["examples"]
        choices = ("True", "False") if task == "boolean_expressions" else ("Yes", "No")
        for row in rng.sample(rows, n):
            text = row["input"].partition("\nOptions:")[0]
            found.append(Item(task, asked, text, choices, choices.index(row["target"])))
    rows = json.loads((data / "svamp" / "SVAMP.json").read_text("utf-8"))
    for row in rng.sample(rows, n):
        text, names = f"{row['Body'].strip()} {row['Question']}", tuple(OPERATIONS.values())
        asked = "Which operation solves this problem?"
        right = names.index(OPERATIONS[row["Type"].replace("Divison", "Division")])
        found.append(Item("svamp operation", asked, text, names, right))
    file = data / "samples" / "gsm8k_openai_solutions" / "example_model_solutions.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for row in rng.sample(rows, n):
        made = row[rng.choice(SYSTEMS)]
        text = f"Problem: {row['question']}\n\nProposed solution: {made['solution']}"
        asked = "Is the proposed solution right?"
        found.append(Item("gsm8k solution", asked, text, ("yes", "no"), 1 - made["is_correct"]))
    return found


LABELS: tuple[Labels, ...] = ("letters", "words")
AT_ONCE = 8
"""Texts that are looked at in one batch."""
Look = dict[str, dict[str, list[Reading]]]
"""By labels and kind (text or blank): a reading for each order of the choices."""
Looks = list[Look]


async def looked(model: Model, found: Sequence[Item]) -> Looks:
    """Make every look: both labels, all orders, and content-free texts once per task."""
    blanks: dict[tuple[str, str], list[Reading]] = {}

    async def look(form: Form, text: str, order: tuple[int, ...]) -> Reading:
        message = Message("user", form.message(text, order))
        said = await model.generate(
            Request((message,), 1, temperature=0.0, top_logprobs=ALTERNATIVES)
        )
        assert said.top, "this model reports no alternatives"
        return unordered(read_place(said.top[0], form.replies(order)), order)

    for task in dict.fromkeys(item.task for item in found):
        item = next(item for item in found if item.task == task)
        for labels in LABELS:
            form = Form(item.question, item.choices, labels)
            blanks[task, labels] = [
                averaged(await asyncio.gather(*(look(form, blank, order) for blank in BLANKS)))
                for order in orders(len(item.choices), len(item.choices))
            ]

    async def one(item: Item) -> Look:
        shown = orders(len(item.choices), len(item.choices))
        forms = {labels: Form(item.question, item.choices, labels) for labels in LABELS}
        return {
            labels: {
                "text": await asyncio.gather(*(look(form, item.text, order) for order in shown)),
                "blank": blanks[item.task, labels],
            }
            for labels, form in forms.items()
        }

    looks: Looks = []
    for at in range(0, len(found), AT_ONCE):
        looks += await asyncio.gather(*map(one, found[at : at + AT_ONCE]))
    return looks


Probabilities = Callable[[Look], tuple[float, ...]]


def variant(labels: str, *, permuted: bool, context: bool) -> Probabilities:
    """Return a function from an item's looks to the log-probabilities of its choices."""

    def found(look: Look) -> tuple[float, ...]:
        most = None if permuted else 1
        own, blank = (look[labels][kind][:most] for kind in ("text", "blank"))
        return calibrated(pooled(own), pooled(blank)) if context else pooled(own)

    return found


def fitted(logprobs: Sequence[tuple[float, ...]], right: Sequence[int]) -> float:
    """Return the temperature with the least log loss."""

    def loss(temperature: float) -> float:
        pairs = zip(logprobs, right, strict=True)
        return -math.fsum(softened(one, temperature)[at] for one, at in pairs)

    return min(TEMPERATURES, key=loss)


def tempered(
    logprobs: Sequence[tuple[float, ...]], right: Sequence[int]
) -> list[tuple[float, ...]]:
    """Return each half at the temperature that was fitted on the other."""
    heat = [fitted(logprobs[1 - half :: 2], right[1 - half :: 2]) for half in (0, 1)]
    return [softened(one, heat[i % 2]) for i, one in enumerate(logprobs)]


def table(found: Sequence[Item], looks: Looks) -> None:
    """Print a row for each task and variant."""
    print("| task | labels | orders | context | temperature | right | difference | Brier | ECE |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    tasks = dict.fromkeys(item.task for item in found)
    for task in (*tasks, "all"):
        mine = [i for i, item in enumerate(found) if task in (item.task, "all")]
        right = [found[i].right for i in mine]
        rows: dict[tuple[str, ...], list[tuple[float, ...]]] = {}
        for labels in LABELS:
            for permuted in (False, True):
                for context in (False, True):
                    how = variant(labels, permuted=permuted, context=context)
                    which = (labels, "all" if permuted else "one", "yes" if context else "no")
                    rows[(*which, "1")] = [how(looks[i]) for i in mine]
            plain = rows[(labels, "all", "no", "1")]
            rows[(labels, "all", "no", "fitted")] = tempered(plain, right)
        hits = [[one.index(max(one)) == at for one, at in zip(logprobs, right, strict=True)]
                for logprobs in rows.values()]  # fmt: skip
        values = np.array(hits, float).T
        means = resampled_means(values, SEED)
        share = max(map(right.count, set(right))) / len(right)
        print(f"| {task}, n = {len(right)} | always the commonest | | | | {share:.2f} | | | |")
        for at, (names, logprobs) in enumerate(rows.items()):
            likely = np.array([max(chances(one)) for one in logprobs])
            errors = (likely - values[:, at]) ** 2
            below, above = percentile(resampled_means(errors[:, None], SEED)[:, 0])
            gap = expected_calibration_error(reliability(likely, values[:, at].astype(bool)))
            low, high = wilson(float(values[:, at].sum()), len(right))
            less = difference(values, means, at, 0)
            print(
                f"| {task} | {' | '.join(names)} | {values[:, at].mean():.2f} ({low:.2f} to "
                f"{high:.2f}) | {less.difference:+.2f} ({less.low:+.2f} to {less.high:+.2f}) | "
                f"{errors.mean():.3f} ({below:.3f} to {above:.3f}) | {gap:.2f} |"
            )
    for labels in LABELS:
        masses = [statistics.fmean(r.mass for r in look[labels]["text"]) for look in looks]
        least = sum(mass < LEAST_MASS for mass in masses)
        print(f"\n{labels}: mean mass {statistics.fmean(masses):.3f}, {least} abstentions")


async def costs(engine: ponder.Engine, model: str, found: Sequence[Item]) -> None:
    """Print tokens and milliseconds of decisions, and of one greedy chain for the same texts."""
    print("\n| way | n | prompt tokens | cached | completion tokens | ms (median) | right |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    few = [item for task in dict.fromkeys(i.task for i in found)
           for item in [i for i in found if i.task == task][:3]]  # fmt: skip
    for name, strategy, knobs in (
        ("decide, one order", "decide", {"permutations": 1}),
        ("decide, all orders", "decide", {}),
        ("decide, all orders, context", "decide", {"calibrate": True}),
        ("decide, words, all orders", "decide", {"labels": "words"}),
        ("direct, one chain", "direct", {"length": 512, "temperature": 0}),
    ):
        rows = []
        for item in few:
            asked = Problem((Message("user", item.text),), "choice", item.choices)
            own: Any = {**knobs, "question": item.question}
            if strategy == "direct":
                asked = None  # type: ignore[assignment]
                own = knobs
            start = time.perf_counter()
            result = await ponder.asolve(
                asked or f"{item.text}\n\n{item.question}",
                model=model, strategy=strategy, knobs=own, choices=item.choices,
                answer_type="choice", journal=False, engine=engine,
            )  # fmt: skip
            seconds, total = time.perf_counter() - start, result.receipt.total
            hit = result.answer == item.choices[item.right]
            counts = (total.prompt_tokens, total.cached_tokens, total.completion_tokens)
            rows.append((*counts, seconds * 1000, hit))
        columns = list(zip(*rows, strict=True))
        shown = " | ".join(f"{statistics.fmean(column):.0f}" for column in columns[:3])
        middle = statistics.median(columns[3])
        print(f"| {name} | {len(few)} | {shown} | {middle:.0f} | {sum(columns[4])} |")


def kept(file: Path, looks: Looks) -> None:
    """Write the looks."""
    plain = [
        {labels: {kind: [asdict(r) for r in rs] for kind, rs in kinds.items()}
         for labels, kinds in look.items()}
        for look in looks
    ]  # fmt: skip
    file.write_text(json.dumps(plain), "utf-8")


def read(file: Path) -> Looks:
    """Read them again."""
    plain = json.loads(file.read_text("utf-8"))
    return [
        {labels: {kind: [Reading(tuple(r["logprobs"]), r["mass"]) for r in rs]
                  for kind, rs in kinds.items()} for labels, kinds in look.items()}
        for look in plain
    ]  # fmt: skip


async def main() -> None:
    """Make the looks, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, default=60)
    parser.add_argument("--looks", type=Path)
    given = parser.parse_args()
    found = items(given.data, given.n)
    async with ponder.Engine() as engine, engine.model(given.model) as opened:
        if given.looks and given.looks.exists():
            looks = read(given.looks)
        else:
            start = time.perf_counter()
            looks = await looked(opened.model, found)
            print(f"{len(looks)} texts in {time.perf_counter() - start:.0f} s\n")
            if given.looks:
                kept(given.looks, looks)
        table(found, looks)
        await costs(engine, given.model, found)


if __name__ == "__main__":
    asyncio.run(main())
