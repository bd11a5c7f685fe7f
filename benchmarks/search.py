"""How often a search evaluates the same prefix: prompt tokens per generated token, on the embedded
engine, against the ideal in which each prefix is evaluated exactly once.

    python benchmarks/search.py --data ../shared/data [--limit 10] [--model NAME]

Beam search (width 4, fan 4) and MCTS (32 expansions, fan 4) on the first problems of GSM8K's test
set, guided by the chains' own confidence, so that nothing but steps is asked of the model.

*Evaluated* are the prompt tokens that a request reports less those that it reports as cached: what
a receipt books. *Ideal*: all requests of one problem make a tree of tokens, their prompts and what
was generated behind them. A generated token is evaluated as it is generated, and every other place
of the tree once. What was evaluated above that, place by place:

- *last token*: where a request's first token is drawn; no request can do without
- *last block*: the rest of a prompt's last block, for the cache holds whole blocks (32 tokens)
- *elsewhere*: whatever else was evaluated again

Places of the tree beyond the question that nobody generated are *respelt*: a step's text, encoded
again, became other tokens than those generated. They are part of the ideal.

Intervals are 95 %: a bootstrap over problems (10,000 draws, seed 0) of the ratio of sums.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import ponder
from ponder.models import config
from ponder.models.opening import Teller, open_model
from ponder.models.openvino.cache import tail
from ponder.models.openvino.messages import Done, Job
from ponder.models.openvino.model import OpenVINO
from ponder.util.bounded import bounded

LENGTH = 512
SEARCHES: dict[str, dict[str, Any]] = {
    "beam_search": {"width": 4, "fan": 4},
    "mcts": {"expansions": 32, "fan": 4},
}
Asked = list[tuple[Job, Done]]
Counts = Counter[str]

_asked: ContextVar[Asked] = ContextVar("asked")


def watch(model: OpenVINO) -> None:
    """Note every sample with its tokens: completions do not hold them."""
    process = model._loaded.process
    run = process.run

    async def noting(job: Callable[[int], Job], grown: Callable[[int, str], None]) -> Done:
        made: list[Job] = []

        def kept(id: int) -> Job:
            made.append(job(id))
            return made[0]

        done = await run(kept, grown)
        _asked.get().append((made[0], done))
        return done

    process.run = noting  # type: ignore[method-assign]


def count(asked: Asked) -> Counts:
    """What the requests of one problem evaluated, and what they had to."""
    counts: Counts = Counter()
    trees = [(job, done, prefixes((*job.prompt, *done.tokens))) for job, done in asked]
    generated = {place for job, _, places in trees for place in places[len(job.prompt) :]}
    prompted = {place for job, _, places in trees for place in places[: len(job.prompt)]}
    fresh = prompted - generated
    counts["ideal"] = sum(len(done.tokens) for _, done, _ in trees) + len(fresh)
    counts["respelt"] = len(fresh) - min(len(job.prompt) for job, _, _ in trees)
    for job, done, places in trees:
        last = len(job.prompt) - 1
        counts["requests"] += 1
        counts["prompt"] += len(job.prompt)
        counts["generated"] += len(done.tokens)
        counts["evaluated"] += len(job.prompt) - done.cached
        for at in range(done.cached, len(job.prompt)):
            if places[at] in fresh:
                fresh.remove(places[at])
            elif at == last:
                counts["last token"] += 1
            else:
                counts["last block" if at >= tail(len(job.prompt)) else "elsewhere"] += 1
    return counts


def prefixes(tokens: Sequence[int]) -> list[int]:
    """A name for every place in the tree."""
    names, past = [], 0
    for token in tokens:
        past = hash((past, token))
        names.append(past)
    return names


async def run(
    model: OpenVINO, strategy: str, questions: Sequence[str], at_once: int
) -> list[Counts]:
    async def one(question: str) -> Counts:
        asked: Asked = []
        _asked.set(asked)
        await ponder.asolve(
            question,
            model=model,
            strategy=strategy,
            knobs={**SEARCHES[strategy], "length": LENGTH},
            verifier="mean_logprob",
            budget=ponder.Budget(tokens=10_000_000),
            answer_type="number",
            journal=False,
        )
        return count(asked)

    return await bounded(one, questions, at_once)


def ratio(rows: Sequence[Counts], over: Sequence[str], under: str) -> str:
    """The ratio of sums, with its interval."""

    def of(chosen: Sequence[Counts]) -> float:
        return sum(row[name] for row in chosen for name in over) / sum(row[under] for row in chosen)

    rng = random.Random(0)
    draws = sorted(of(rng.choices(rows, k=len(rows))) for _ in range(10_000))
    return f"{of(rows):.2f} ({draws[249]:.2f} to {draws[9749]:.2f})"


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds gsm8k/")
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--at-once", type=int, default=4, help="problems in flight")
    chosen = parser.parse_args()
    lines = (chosen.data / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines[: chosen.limit]]
    model = (await open_model(chosen.model, config.load(), Teller())).model
    if not isinstance(model, OpenVINO):
        raise SystemExit("this measures the embedded engine: name a model that it runs.")
    watch(model)
    print(f"ponder {ponder.__version__}, Python {platform.python_version()}, {platform.machine()}")
    print(f"{chosen.model}, the first {len(questions)} problems of GSM8K's test set, seed 0,")
    print(f"at most {LENGTH} tokens a chain\n")
    print(
        "| | requests | prompt tokens | evaluated | generated | evaluated / generated | "
        "(evaluated + generated) / ideal |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    found = {}
    for strategy, knobs in SEARCHES.items():
        rows = found[strategy] = await run(model, strategy, questions, chosen.at_once)
        total: Counts = sum(rows, Counter())
        words = ", ".join(f"{name} {value}" for name, value in knobs.items())
        print(
            f"| {strategy}, {words} | {total['requests']:,} | {total['prompt']:,} | "
            f"{total['evaluated']:,} | {total['generated']:,} | "
            f"{ratio(rows, ['evaluated'], 'generated')} | "
            f"{ratio(rows, ['evaluated', 'generated'], 'ideal')} |",
            flush=True,
        )
    parts = ["last token", "last block", "elsewhere", "respelt"]
    print("\nAs shares of the ideal:\n")
    print(f"| | {' | '.join(parts)} |\n|" + " --- |" * (len(parts) + 1))
    for strategy, rows in found.items():
        cells = [ratio(rows, [part], "ideal") for part in parts]
        print(f"| {strategy} | {' | '.join(cells)} |")
    await model.close()


if __name__ == "__main__":
    asyncio.run(main())
