"""``ponder score``: scores texts of any origin with a verifier."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from ponder import verification
from ponder.cli.commands.solve import verifier_name
from ponder.cli.options.numbers import TOKENS
from ponder.cli.options.once import Command
from ponder.cli.options.unsafe import UNSAFE
from ponder.cli.output.tables import table
from ponder.cli.output.terminal import say_json, short, show
from ponder.cli.output.voice import Voice, tell_of_person
from ponder.cli.views.result import receipt
from ponder.core.budget import Budget
from ponder.core.errors import LimitReached, Overcharged, RunFailed, UsageError
from ponder.core.problem import Problem
from ponder.runtime.engine import Engine
from ponder.util.files import read_text, rows

_FILE = click.Path(path_type=Path)
_FIELDS = {"question", "answer_type", "choices", "schema", "tests"}


@click.command(cls=Command)
@click.argument("problem", metavar="PROBLEM.json", type=_FILE)
@click.argument("candidates", metavar="CANDIDATES.jsonl", type=_FILE)
@click.option("--verifier", metavar="NAME", help="As in 'ponder solve'.")
@click.option("--rubric", metavar="PATH", help="For the verifiers judge and pairwise.")
@click.option("--verifier-script", metavar="PATH.py:FUNCTION", help="A Python function of yours.")
@click.option("-m", "--model", default="", metavar="MODEL", help="For verifiers that ask a model.")
@click.option("--max-tokens", type=TOKENS, help="Budget: prompt and completion tokens.")
@click.option("--max-usd", type=float, metavar="USD", help="Budget: dollars.")
@click.option("--max-seconds", type=float, metavar="S", help="Budget: wall time in seconds.")
@click.option("--max-flops", type=float, metavar="FLOPS", help="Budget: floating-point operations.")
@click.option("--seed", default=0, show_default=True, help="Same seed, same samples.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@UNSAFE
def score(
    problem: Path,
    candidates: Path,
    verifier: str | None,
    rubric: str | None,
    verifier_script: str | None,
    model: str,
    max_tokens: int | None,
    max_usd: float | None,
    max_seconds: float | None,
    max_flops: float | None,
    seed: int,
    as_json: bool,
    unsafe: bool,
) -> int:
    """Score each of CANDIDATES as a reply to PROBLEM, in their order.

    PROBLEM is {"question": ..., "answer_type"?, "choices"?, "schema"?, "tests"?}; each line of
    CANDIDATES is {"text": ...}.
    """
    name = verifier_name(verifier, rubric, verifier_script)
    if name is None:
        raise UsageError("which verifier? Name one with --verifier; see docs/verifiers.md.")
    asked, texts = read_problem(problem), read_candidates(candidates)
    budget = Budget(max_tokens, max_usd, max_flops, max_seconds)
    if not as_json:
        tell_of_person(name)

    async def carry_out() -> verification.Scored:
        async with Engine(teller=Voice(as_json), unsafe=unsafe) as engine:
            return await verification.ascore(
                asked,
                texts,
                verifier=name,
                model=model,
                budget=budget,
                seed=seed,
                engine=engine,
            )

    try:
        scored = asyncio.run(carry_out())
    except Overcharged as reached:
        raise RunFailed(str(reached)) from None
    except LimitReached as reached:
        raise RunFailed(
            f"{reached} before all candidates were scored: give a larger one."
        ) from None
    if as_json:
        say_json(scored.to_json())
    else:
        _print(scored)
    return 1 if scored.receipt.overcharged else 0


def read_problem(path: Path) -> Problem:
    """Return the problem in a file.

    Raises:
        UsageError: the file cannot be read, or is malformed.
    """
    data = _json(path, read_text(path), "")
    if "question" not in data:
        raise UsageError(f"{path} has no 'question'.")
    if isinstance(data["question"], str) and not data["question"].strip():
        raise UsageError(f"{path}: 'question' is empty: write there what the candidates reply to.")
    if unknown := sorted(data.keys() - _FIELDS):
        raise UsageError(
            f"{path}: unknown field {unknown[0]!r}: expected {', '.join(sorted(_FIELDS))}."
        )
    try:
        return verification.problem_from(data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def read_candidates(path: Path) -> list[str]:
    """Return the texts in a file of candidates.

    Raises:
        UsageError: the file cannot be read, is empty, or has a malformed line.
    """
    texts = []
    for number, line in rows(read_text(path)):
        data = _json(path, line, f", line {number}")
        if not isinstance(data.get("text"), str):
            raise UsageError(f'{path}, line {number}: expected {{"text": ...}}.')
        texts.append(data["text"])
    if not texts:
        raise UsageError(f"{path} is empty: it has one candidate per line.")
    return texts


def _json(path: Path, text: str, where: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}{where}: not JSON ({error}).") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path}{where}: expected a JSON object.")
    return data


def _print(scored: verification.Scored) -> None:
    rows = [
        {
            "candidate": str(i),
            "score": "" if found.value is None else f"{found.value:.3f}",
            "verdict": str(found.verdict),
            "detail": short(found.detail, 240),
        }
        for i, found in enumerate(scored.scores, 1)
    ]
    show(table(rows, right=("score",)))
    if scored.receipt.items:
        receipt(scored.receipt)
