"""``ponder learn grpo``: a model taught by the rewards of a verifier: policy gradients."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ponder import api
from ponder.cli.learning.environment import MEASURED
from ponder.cli.learning.teaching import names, outcome, tell_made, tell_waiting
from ponder.cli.options.data import DATA
from ponder.cli.options.numbers import ABOVE_ZERO, Finite
from ponder.cli.options.once import Command
from ponder.cli.options.unsafe import UNSAFE
from ponder.cli.output.bar import Bar
from ponder.cli.output.terminal import say, say_json
from ponder.cli.output.voice import Voice
from ponder.core.errors import UsageError
from ponder.experiments.suites.registry import find, measures
from ponder.learning import extra
from ponder.learning.grpo import learning
from ponder.learning.grpo.objective import BASELINES, LOSSES, Bounds
from ponder.learning.grpo.settings import SAMPLERS, Settings
from ponder.learning.rewards import Rewards
from ponder.learning.rows.questions import plain, problem_to_text
from ponder.models import catalog, learned
from ponder.models import config as configuration
from ponder.models.catalog import Entry
from ponder.models.config import Config
from ponder.models.names import resolve
from ponder.models.opening import pulled
from ponder.util.files import placed
from ponder.verifiers import registry

if TYPE_CHECKING:
    from ponder.learning.grpo.training import Step

_COUNT = click.IntRange(1)
_USUAL = Settings()
FULL_RATE = 1e-6
"""Learning rate if all weights are trained."""


@click.command(cls=Command)
@names
@click.option("--suite", required=True, metavar="SUITE", help="The problems.")
@click.option("--limit", type=_COUNT, help="Only so many of them.")
@click.option("--every", default=1, type=_COUNT, metavar="K", help="Every k-th of them.")
@click.option("--verifier", required=True, metavar="NAME", help="Its score is the reward.")
@DATA
@click.option("--steps", default=_USUAL.steps, show_default=True, type=_COUNT)
@click.option(
    "--prompts", default=_USUAL.prompts, show_default=True, type=_COUNT, help="Problems of a step."
)
@click.option(
    "--group",
    default=_USUAL.group,
    show_default=True,
    type=click.IntRange(2),
    help="Completions of each.",
)
@click.option("--max-tokens", default=_USUAL.max_tokens, show_default=True, type=_COUNT)
@click.option("--loss", type=click.Choice(LOSSES), default=_USUAL.loss, show_default=True)
@click.option(
    "--baseline",
    type=click.Choice(BASELINES),
    default=_USUAL.baseline,
    show_default=True,
    help="Mean reward of the group, or of its other completions.",
)
@click.option(
    "--clip-low",
    type=Finite(0, 1, min_open=True, max_open=True),
    default=_USUAL.bounds.low,
    show_default=True,
    help="The policy's ratio counts down to 1 - this.",
)
@click.option(
    "--clip-high",
    type=ABOVE_ZERO,
    default=_USUAL.bounds.high,
    show_default=True,
    help="The policy's ratio counts up to 1 + this.",
)
@click.option(
    "--weight",
    type=Finite(1),
    default=_USUAL.bounds.weight,
    show_default=True,
    help="Most weight of a token that other weights sampled.",
)
@click.option(
    "--updates",
    default=_USUAL.updates,
    show_default=True,
    type=_COUNT,
    help="Updates on the samples of a step.",
)
@click.option(
    "--rate",
    type=ABOVE_ZERO,
    help=f"Of learning.  [default: {_USUAL.rate:g}; {FULL_RATE:g} with --full]",
)
@click.option(
    "--norm", type=ABOVE_ZERO, default=_USUAL.norm, show_default=True, help="Most of a gradient."
)
@click.option("--rank", default=_USUAL.rank, show_default=True, type=_COUNT, help="Of adapters.")
@click.option("--alpha", default=_USUAL.alpha, show_default=True, type=_COUNT, help="Their scale.")
@click.option("--full", is_flag=True, help="Train all weights instead of adapters.")
@click.option(
    "--sampler",
    type=click.Choice(SAMPLERS),
    default=_USUAL.sampler,
    show_default=True,
    help="The embedded engine, or the trained model itself.",
)
@click.option(
    "--refresh",
    default=_USUAL.refresh,
    show_default=True,
    type=_COUNT,
    metavar="STEPS",
    help="The engine gets the new weights after so many.",
)
@click.option(
    "--save",
    default=_USUAL.save,
    show_default=True,
    type=_COUNT,
    metavar="STEPS",
    help="Weights are written after so many.",
)
@click.option(
    "--batch", default=_USUAL.batch, show_default=True, type=_COUNT, help="Completions at once."
)
@outcome
@UNSAFE
def grpo(
    model: str | None,
    name: str,
    suite: str,
    limit: int | None,
    every: int,
    verifier: str,
    folder: Path | None,
    output: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    unsafe: bool,
    **rest: Any,
) -> None:
    """Teach a model by the rewards of a verifier: policy gradients (GRPO).

    Each step samples a group of completions for some problems of the suite, and makes those
    likelier whose reward is above the group's mean. The same command goes on from where it ended.
    """
    extra.require()
    learned.check_name(name)
    settings = _settings(rest)
    registry.find(verifier)
    found = find(suite)
    problems = [item.problem for item in found.load(folder)][::every][:limit]
    if not all(map(plain, problems)):
        raise UsageError(f"{suite} has images or tools, which cannot be trained on: name another.")
    quiet = quiet or as_json
    config = configuration.load()
    base = _base(api.model_name(model, config), config, Voice(quiet))
    full = f"{base.name}+{name}"
    folder_of_run = output or learned.working_folder(base.path.with_name(f"{full}.gguf"))
    if any(one.full_name == full for one in learned.known()) and not force:
        raise UsageError(f"the model {full} exists: choose another name, or say --force.")
    from ponder.learning.grpo.crew import crew

    together = crew()
    quiet = quiet or together.rank > 0
    run = learning.Run(
        full, base.name, base.path, folder_of_run, found.name, problems, verifier, settings
    )
    with ExitStack() as owned:
        owned.callback(together.close)
        rewards = owned.enter_context(Rewards(verifier, unsafe=unsafe))
        if problems and not together.rank:  # a verifier that cannot be asked is refused at once
            rewards.scores([problem_to_text(problems[0])], [""])
        bar = owned.enter_context(Bar("steps", quiet))

        def report(step: Step, before: int) -> None:
            bar.advance(step.step, settings.steps, before, _note(step))

        bar.advance(0, settings.steps)
        done = learning.learn(
            run,
            rewards.scores,
            crew=together,
            config=config,
            teller=Voice(True),
            report=report,
            waiting=partial(tell_waiting, run.folder),
        )
    if done is None:
        return
    learned.add(base.name, name, partial(placed, done.model), done.card)
    if as_json:
        say_json(done.card)
    elif not quiet:
        _tell(run, done.card)


def _settings(rest: dict[str, Any]) -> Settings:
    full, rate = rest.pop("full"), rest.pop("rate")
    bounds = Bounds(rest.pop("clip_low"), rest.pop("clip_high"), rest.pop("weight"))
    if full:
        rest["rank"] = 0
    usual = FULL_RATE if full else _USUAL.rate
    return Settings(bounds=bounds, rate=usual if rate is None else rate, **rest)


def _base(name: str, config: Config, voice: Voice) -> Entry:
    """Return the model to start from; pulls it if need be.

    Raises:
        UsageError: it is none of the catalogue.
    """
    found = resolve(name, config)
    if not isinstance(found, Entry) or found not in catalog.entries():
        raise UsageError(
            f"{name} cannot be trained: name one of the catalogue, such as {catalog.DEFAULT}; see "
            "'ponder models list'."
        )
    pulled(found, voice)
    return found


def _note(step: Step) -> str:
    return "reward -" if step.reward is None else f"reward {step.reward:.2f}"


def _tell(run: learning.Run, card: dict[str, Any]) -> None:
    rewards = [reward for reward in card["rewards"] if reward is not None]
    tenth = max(1, len(rewards) // 10)
    first, last = (sum(part) / len(part) for part in (rewards[:tenth], rewards[-tenth:]))
    groups = card["steps"] * run.settings.prompts
    say(
        f"reward {first:.3f} to {last:.3f} (first and last {tenth:,} of {card['steps']:,} steps); "
        f"{card['equal']:,} of {groups:,} groups taught nothing, {card['abstained']:,} of "
        f"{card['samples']:,} samples had no reward",
        err=True,
    )
    tell_made(run.name, run.folder, card)
    if measures(run.suite):
        say(MEASURED.format(suites=run.suite), err=True)
