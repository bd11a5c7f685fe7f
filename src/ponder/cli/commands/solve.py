"""``ponder solve``."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from textwrap import wrap
from typing import Any

import click

from ponder import api
from ponder.cli.options.numbers import TOKENS
from ponder.cli.options.once import Command
from ponder.cli.options.together import apart
from ponder.cli.options.unsafe import UNSAFE
from ponder.cli.output.terminal import say, say_json, short
from ponder.cli.output.voice import Voice, tell_of_person
from ponder.cli.views import live
from ponder.cli.views import result as shown
from ponder.core.budget import Budget
from ponder.core.errors import PonderError, UsageError
from ponder.core.problem import ANSWER_TYPES
from ponder.core.record.events import Subscriber
from ponder.core.text.refs import Ref, spelled
from ponder.core.text.visible import visible_line
from ponder.core.thinking import LEVELS
from ponder.planning.plans import given
from ponder.planning.presets import DEFAULT, PRESETS, SHARED
from ponder.planning.problems import labels
from ponder.planning.wishes import spec
from ponder.runtime.engine import Engine
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.strategies.registry import STRATEGIES
from ponder.util.files import read_text, text_of, with_line_feeds
from ponder.verifiers.naming import Arguments, canonical
from ponder.verifiers.registry import KINDS

Prepare = Callable[[Subscriber], AbstractAsyncContextManager[Runner]]


def _efforts() -> str:
    lines = []
    for name, plan in PRESETS.items():
        knobs = "".join(f" {k}={v}" for k, v in plan.knobs.items())
        lines.append(
            f"{name:<8} {plan.strategy}{knobs}, {plan.sampling.length} tokens a sample, "
            f"{plan.budget.tokens:,} in all"
        )
    return "\n".join(lines)


def _strategies() -> str:
    lines = []
    for name, strategy in STRATEGIES.items():
        lines.append(f"{name:<20} {strategy.summary}")
        knobs = " ".join(f"{k.name}={k.default}" for k in strategy.knobs.values())
        lines += wrap(knobs, 76, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([*lines, f"{'all':<20} {' '.join(SHARED)}"])


@click.command(
    cls=Command,
    context_settings={"max_content_width": 100},
    epilog=f"\b\nEfforts:\n{_efforts()}\n\n\b\nStrategies and their knobs:\n{_strategies()}",
)
@click.argument("question", required=False)
@click.option("-f", "--file", "file", metavar="PATH", help="Read the question from a file.")
@click.option("-m", "--model", metavar="MODEL", help="Catalog name, .gguf, hub file, endpoint.")
@click.option(
    "-e", "--effort", metavar="EFFORT", help=f"{', '.join(PRESETS)} (default: {DEFAULT})."
)
@click.option(
    "--thinking",
    metavar="LEVEL|TOKENS",
    help=f"The model's own thinking: {', '.join(LEVELS)}, or a number of tokens.",
)
@click.option(
    "--escalate-to",
    "escalate",
    multiple=True,
    metavar="MODEL",
    help="A larger model that --effort auto may ask; repeatable, from cheap to dear.",
)
@click.option("-s", "--strategy", metavar="NAME", help="Instead of the effort's.")
@click.option("--set", "knobs", multiple=True, metavar="KNOB=VALUE", help="Set a knob; repeatable.")
@click.option(
    "--verifier",
    metavar="NAME(...)",
    help=f"{', '.join(KINDS)}; with arguments as in judge(MODEL, k=5).",
)
@click.option(
    "--rubric", metavar="PATH", help="What a good answer is, for --verifier judge or pairwise."
)
@click.option(
    "--verifier-script", metavar="PATH.py:FUNCTION", help="A Python function of yours as verifier."
)
@click.option("--max-tokens", type=TOKENS, help="Budget: prompt and completion tokens.")
@click.option("--max-usd", type=float, metavar="USD", help="Budget: dollars.")
@click.option("--max-seconds", type=float, metavar="S", help="Budget: wall time in seconds.")
@click.option("--max-flops", type=float, metavar="FLOPS", help="Budget: floating-point operations.")
@click.option(
    "--worth",
    metavar="AMOUNT",
    help="What a right answer is worth: 0.05 (dollars), '5000 tokens', '20 seconds', '1e13 flops'.",
)
@click.option(
    "--plans", metavar="PATH", help="Efforts of your own: a file that 'ponder tune' wrote."
)
@click.option(
    "--type",
    "answer_type",
    default="auto",
    metavar="TYPE",
    help=f"How to read the answer: auto, {', '.join(ANSWER_TYPES)}.",
)
@click.option("--choices", metavar="A,B,...", help="Labels to choose from.")
@click.option("--schema", metavar="PATH", help="JSON Schema that the answer must satisfy.")
@click.option("--system", default="", metavar="TEXT", help="A system message.")
@click.option("--seed", default=0, show_default=True, help="Same seed, same samples.")
@click.option("--journal", metavar="PATH", help="Record the run in this file.")
@click.option("--no-journal", is_flag=True, help="Do not record the run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--show-trace", is_flag=True, help="Print the reasoning behind the answer.")
@click.option("-q", "--quiet", is_flag=True, help="Print the answer alone.")
@UNSAFE
def solve(
    question: str | None,
    file: str | None,
    model: str | None,
    effort: str | None,
    thinking: str | None,
    escalate: tuple[str, ...],
    knobs: tuple[str, ...],
    verifier: str | None,
    rubric: str | None,
    verifier_script: str | None,
    max_tokens: int | None,
    max_usd: float | None,
    max_seconds: float | None,
    max_flops: float | None,
    plans: str | None,
    choices: str | None,
    answer_type: str,
    schema: str | None,
    journal: str | None,
    no_journal: bool,
    as_json: bool,
    show_trace: bool,
    quiet: bool,
    unsafe: bool,
    **options: Any,
) -> int:
    """Answer QUESTION (or --file, or standard input) within a budget.

    Ctrl-C once stops and prints the best answer so far with its receipt.
    """
    apart("--journal", journal, "--no-journal", no_journal)
    apart("--json", as_json, "--quiet", quiet)
    apart("--json", as_json, "--show-trace", show_trace)
    engine = Engine(teller=Voice(quiet), unsafe=unsafe)
    effort = effort or engine.config.effort or DEFAULT
    if escalate and (options["strategy"] or effort) != "auto":
        raise UsageError("--escalate-to goes with --effort auto: add that, or leave it out.")
    read = given(plans, engine.config)
    config = read.over(engine.config, effort, named=bool(model)) if read else engine.config
    asked = spec(
        _question(question, file),
        model=api.model_name(model, config),
        effort=effort,
        knobs=knobs_of(knobs, thinking, escalate),
        verifier=verifier_name(verifier, rubric, verifier_script),
        budget=Budget(max_tokens, max_usd, max_flops, max_seconds),
        answer_type=answer_type,
        choices=_choices(choices, "json" if schema else answer_type),
        schema=read_text(schema) if schema else "",
        plans=read,
        **options,
    )
    recorded: str | bool = journal or not no_journal
    if not (quiet or as_json):
        tell_of_person(asked.verifier)
        if read and read.basis and effort in read.efforts and options["strategy"] is None:
            say(visible_line(f"effort {effort}: a plan fitted to {read.basis}"), err=True)

    def prepare(publish: Subscriber) -> AbstractAsyncContextManager[Runner]:
        return api.prepare(asked, engine, journal=recorded, publish=publish)

    return present(engine, prepare, as_json=as_json, show_trace=show_trace, quiet=quiet)


def knobs_of(
    given: tuple[str, ...], thinking: str | None, escalate: tuple[str, ...]
) -> dict[str, Any]:
    """Return the values of ``--set``, ``--thinking`` and ``--escalate-to``, by knob.

    Raises:
        UsageError: one of them is given twice, or malformed.
    """
    values: dict[str, Any] = knob_values(given)
    models = ", ".join(str(Ref(model)) for model in escalate) or None
    for option, name, value in (
        ("--thinking", "thinking", thinking), ("--escalate-to", "escalate", models),
    ):  # fmt: skip
        if value is None:
            continue
        if name in values:
            raise UsageError(f"{option} and --set {name}=... are the same: give one of them.")
        values[name] = value
    return values


def verifier_name(name: str | None, rubric: str | None, script: str | None) -> str | None:
    """Return the verifier's full name from ``--verifier`` and its helper options.

    Raises:
        UsageError: the options do not go together.
    """
    if script is not None:
        if name is not None or rubric is not None:
            raise UsageError("--verifier-script is a verifier of its own: give it alone.")
        if ":" not in script:
            raise UsageError(f"--verifier-script takes PATH.py:FUNCTION, not {script!r}.")
        return canonical(f"script:{script}")
    if rubric is None:
        return name
    asked = spelled(name or "judge")
    if asked.name not in ("judge", "pairwise"):
        raise UsageError(f"--rubric is for the verifiers judge and pairwise, not for {name!r}.")
    if "rubric" in asked.options:
        raise UsageError(f"{name!r} has a rubric already: leave one of the two out.")
    return Arguments(asked).replaced("rubric", Ref(rubric)).name


def present(
    engine: Engine, prepare: Prepare, *, as_json: bool, show_trace: bool, quiet: bool
) -> int:
    """Run, with a live view on a terminal; print the result and return the exit code."""
    try:
        result = asyncio.run(_watched(engine, prepare, quiet=quiet or as_json))
    except PonderError as failed:
        if failed.receipt and not quiet:
            shown.receipt(failed.receipt, err=True)
        if failed.run and not quiet:
            say(f"what has come is kept: ponder runs resume {failed.run}", err=True)
        raise
    if as_json:
        say_json(result.to_json())
    else:
        shown.result(result, show_trace=show_trace, quiet=quiet)
    if result.lost:
        say(f"ponder: {short(result.lost, 400)}", err=True)
    if result.answer is not None:
        return 1 if result.receipt.overcharged else 0
    return 130 if result.stopped_by == "interrupt" else 1


async def _watched(engine: Engine, prepare: Prepare, *, quiet: bool) -> Result:
    watcher = live.watcher(quiet)
    async with engine, prepare(watcher.update) as runner, interruptible(runner.interrupt):
        with watcher:
            return await runner.go()


@asynccontextmanager
async def interruptible(interrupt: Callable[[], None]) -> AsyncIterator[None]:
    """Call ``interrupt`` at the first Ctrl-C; the second ends the process as usual."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        interrupt()

    with suppress(NotImplementedError):  # Windows has no signal handlers on loops
        loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)


def _question(argument: str | None, file: str | None) -> str:
    if argument is not None and file is not None:
        raise UsageError("the question is given twice: as an argument and with --file.")
    if file is not None:
        return read_text(file)
    if argument is not None and argument != "-":
        return argument
    if sys.stdin is None or (argument is None and sys.stdin.isatty()):
        raise UsageError("there is no question: give it as an argument, with --file, or on stdin.")
    return with_line_feeds(text_of(sys.stdin.buffer.read(), "standard input"))


def _choices(told: str | None, answer_type: str) -> tuple[str, ...]:
    if told is None:
        return ()
    if answer_type not in ("auto", "choice"):
        raise UsageError(
            f"--choices is for answers of the type choice, not {answer_type!r}: leave one of them "
            "out."
        )
    return labels(told)


def knob_values(pairs: Sequence[str]) -> dict[str, str]:
    """Return the values of ``--set``, by knob."""
    knobs = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or not value:
            raise UsageError(f"--set takes KNOB=VALUE, such as n=16, not {pair!r}.")
        if name.strip() in knobs:
            raise UsageError(f"--set {name.strip()} is given twice: give it once.")
        knobs[name.strip()] = value.lstrip()  # trailing blanks may be part of a mark
    return knobs
