"""``ponder strategies``: the ways to spend compute."""

from __future__ import annotations

import click

from ponder.cli.options.once import Command
from ponder.cli.output.terminal import say, say_json
from ponder.planning import climbing, thinkers
from ponder.planning.presets import SHARED
from ponder.strategies.declaring import RUN, Strategy
from ponder.strategies.knobs import Knob
from ponder.strategies.registry import STRATEGIES
from ponder.strategies.schema import schema


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def strategies(as_json: bool) -> None:
    """List the strategies: their knobs with defaults, what they need, and their papers."""
    if as_json:
        shown = [
            {
                "name": name,
                "summary": strategy.summary,
                "knobs": {
                    k.name: {"default": k.default, "values": _values(k)}
                    for k in strategy.knobs.values()
                },
                "schema": schema(strategy),
                "needs": list(strategy.needs),
                "executes": strategy.executes,
                "answers": list(strategy.answers),
                "verifier": _asks(strategy),
                "paper": strategy.paper,
            }
            for name, strategy in STRATEGIES.items()
        ]
        say_json(shown, indent=2)
        return
    for name, strategy in STRATEGIES.items():
        paper = f" ({strategy.paper})" if strategy.paper else ""
        say(name, bold=True, end=f"  {strategy.summary}{paper}\n")
        knobs = " ".join(f"{k.name}={k.default}" for k in strategy.knobs.values())
        needs = [*strategy.needs, *(["a verifier"] if _asks(strategy) == "always" else [])]
        needs += ["a sandbox"] if strategy.executes else []
        for line in filter(None, (knobs, needs and f"needs {', '.join(needs)}")):
            say(f"    {line}")
    say(f"all: {', '.join(SHARED)}")
    say(f"effort auto: expected gains fitted to {climbing.shipped().basis}")
    fitted = thinkers.shipped()
    for effort, vote in fitted.votes.items():
        told = " ".join(f"{knob}={value}" for knob, value in vote.items())
        say(
            f"effort {effort} of a model that thinks by itself: self_consistency {told}, "
            f"fitted to {fitted.basis}"
        )


def _asks(strategy: Strategy) -> str:
    """Return whether it asks the run's verifier: always, never, or by its knobs."""
    defaults = {k.name: k.default for k in strategy.knobs.values()}
    found = {
        strategy.verifier({**defaults, k.name: choice}) == RUN
        for k in strategy.knobs.values()
        for choice in (k.choices or (k.default,))
    } or {strategy.verifier(defaults) == RUN}
    return "by its knobs" if len(found) > 1 else "always" if found == {True} else "never"


def _values(knob: Knob) -> str:
    if knob.values:
        return ", ".join(knob.values)
    if knob.range:
        return f"{knob.range.low:,.10g} to {knob.range.high:,.10g}"
    return knob.kind.__name__
