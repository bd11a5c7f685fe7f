"""``ponder verifier``: verifiers trained on recorded pools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ponder.cli.options.once import Group
from ponder.cli.output.files import free
from ponder.cli.output.terminal import say, say_json
from ponder.core.errors import MissingExtra, UsageError
from ponder.core.text.refs import Ref, spelled, texts
from ponder.experiments.pools import file as pools
from ponder.verifiers import naming, registry
from ponder.verifiers.learned import scorer as learned_scorer

if TYPE_CHECKING:
    from ponder.experiments.training.evaluation import Evaluation
    from ponder.experiments.training.metrics import Figure

_FILE = click.Path(path_type=Path)
_WIDTH = 40  # width of a bar from 0 to 1
_SKIP = click.option("--skip-broken", is_flag=True, help="Leave out broken lines, and count them.")
_FORCE = click.option("--force", is_flag=True, help="Overwrite what is there.")
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")


@click.group(cls=Group)
def verifier() -> None:
    """Train a verifier on recorded samples, and evaluate it."""


@contextmanager
def _numpy() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise MissingExtra("learn", "training a verifier") from None


@verifier.command()
@click.argument("paths", metavar="POOL...", type=_FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=_FILE, required=True, metavar="FILE", help="Where to write.")
@click.option(
    "--scores",
    metavar="NAME,...",
    help="Look at these.  [default: all]",
)
@click.option(
    "--calibration",
    type=click.Choice(["sigmoid", "isotonic"]),
    default="sigmoid",
    show_default=True,
    help="A smooth curve, or steps, which need thousands of problems.",
)
@click.option("--mixed", is_flag=True, help="Learn from samples of different models all the same.")
@_SKIP
@_FORCE
@_QUIET
def train(
    paths: tuple[Path, ...],
    output: Path,
    scores: str | None,
    calibration: str,
    mixed: bool,
    skip_broken: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Train a verifier on the graded samples of POOL... to predict whether a sample is right.

    Its features are the samples' scores, their agreement and their length. Ask it with 'ponder
    solve --verifier learned:FILE'.
    """
    free(output, force, inputs=paths)
    names = [] if scores is None else texts(scores)
    if scores is not None and not names:
        raise UsageError(f"--scores: expected names of scores, not {scores!r}.")
    with _numpy():
        from ponder.experiments.training import train as training
    sources = [pools.Pool(path, skip_broken=skip_broken) for path in paths]
    source = training.read(sources, mixed=mixed)
    _tell_skipped(sources)
    method: training.Method = "isotonic" if calibration == "isotonic" else "sigmoid"
    recipe = source.recipe(names, method)
    scorer = training.fit(source, recipe)
    _written(output, scorer.to_json())
    if quiet:
        return
    about = scorer.about or {}
    say(
        f"wrote {output}: learned from {about['samples']:,} answered samples of "
        f"{about['problems']:,} problems",
        err=True,
    )
    for name, coefficient in zip(scorer.features, scorer.coefficients, strict=True):
        say(f"{coefficient:+8.3f}  {name}", err=True)
    for name in scorer.scores:
        if registry.named(name):  # a foreign pool may have a score of this name: ignore it
            score = naming.expanded(spelled(name))
            whole = Ref("learned", (Ref(str(output)), score))
            say(f"a run has to name {name!r} itself: {whole}", err=True)
            continue
        try:
            registry.find(name)
        except UsageError as error:
            say(f"no run can ask for the score {name!r}, only pools: {error}", err=True)
    say(
        f"what it is worth on problems that it has not seen: ponder verifier eval {output} POOL",
        err=True,
    )


@verifier.command("eval")
@click.argument("path", metavar="FILE", type=_FILE)
@click.argument("pool", metavar="POOL", type=_FILE)
@click.option("--n", default=8, show_default=True, type=click.IntRange(1), help="Samples at once.")
@click.option(
    "--cross-validate",
    is_flag=True,
    help="Learn anew from four fifths of POOL, as FILE was made, to score the fifth, five times.",
)
@click.option("--write", type=_FILE, metavar="POOL2", help="Write POOL with the score 'learned'.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of resampling.")
@_SKIP
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@_FORCE
@_QUIET
def evaluate(
    path: Path,
    pool: Path,
    n: int,
    cross_validate: bool,
    write: Path | None,
    seed: int,
    skip_broken: bool,
    as_json: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Evaluate the learned verifier in FILE on POOL.

    Prints AUROC, Brier score, reliability, and best-of-N beside the majority. Problems that it was
    trained on are left out.
    """
    if write is not None:
        free(write, force, inputs=[path, pool])
    scorer = learned_scorer.load(path)
    with _numpy():
        from ponder.experiments.stats import costs
        from ponder.experiments.training import data as training_data
        from ponder.experiments.training import evaluation as training_eval
        from ponder.experiments.training import train as training
    source = pools.Pool(pool, skip_broken=skip_broken)
    entries = training_data.slim(source)
    _tell_skipped([source])
    data = training_data.examples(entries)
    training_eval.check_scores(data, scorer)
    total = len(entries)
    if cross_validate:
        scorers = training.cross_fitted(data, training.recipe_of(scorer))
    else:
        entries, data = training_eval.untrained(entries, data, scorer)
        scorers = dict.fromkeys((entry.problem_id for entry in entries), scorer)
    found = training_eval.evaluate(
        entries,
        data,
        scorers,
        n=n,
        left_out=total - len(entries),
        shape=costs.shape_of(source.header),
        seed=seed,
    )
    if not quiet:
        _tell_models(scorer, source)
    if write is not None:
        samples = training_eval.scored(entries, data, scorers)
        _write(source, write, samples, quiet)
    if as_json:
        say_json({**found.to_json(), "cross_validated": cross_validate})
    else:
        _print(found, cross_validate)


def _written(path: Path, value: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}.") from None


def _tell_skipped(sources: list[pools.Pool]) -> None:
    count = sum(len(source.skipped) for source in sources)
    if count:
        say(f"skipped {count} broken line{'s' * (count > 1)}", err=True)


def _tell_models(scorer: learned_scorer.Scorer, source: pools.Pool) -> None:
    known = list((scorer.about or {}).get("models", []))
    if source.header.models and known and set(source.header.models) != set(known):
        say(
            f"note: trained on samples of {', '.join(map(str, known))}, and these are of "
            f"{', '.join(source.header.models)}",
            err=True,
        )


def _write(source: pools.Pool, path: Path, samples: Any, quiet: bool) -> None:
    """Write the same pool, texts included, with one more score; without the problems left out."""
    entries = (
        replace(
            entry,
            samples=tuple(
                replace(old, scores=new.scores, verified=new.verified)
                for old, new in zip(entry.samples, samples[entry.problem_id], strict=True)
            ),
        )
        for entry in source
        if entry.problem_id in samples
    )
    problems, count = pools.write(path, source.header, entries)
    if not quiet:
        say(
            f"wrote {path}: {problems} problems, {count} samples with the score 'learned', each "
            "scored beside all samples of its problem: score it with --n at all of them",
            err=True,
        )


def _print(found: Evaluation, cross_validated: bool) -> None:
    measured = found.metrics
    left = f"; {found.left_out} that it was trained on left out" if found.left_out else ""
    anew = ", learned anew for each fifth" if cross_validated else ""
    say(
        f"{found.problems} problems, {measured.samples:,} answered samples, scored among "
        f"{found.n}{left}{anew}"
    )
    say(f"AUROC                  {_figure(measured.auroc)}")
    if measured.within is not None:
        say(f"AUROC within problems  {_figure(measured.within)}")
    say(
        f"Brier score            {_figure(measured.brier)}; the base rate of "
        f"{measured.base_rate:.4f} alone has {measured.reference:.4f}"
    )
    say(f"calibration error      {measured.ece:.4f}")
    say()
    say("predicted  observed  samples")
    for part in measured.reliability:
        bar = "█" * round(_WIDTH * part.observed)
        mark = round(_WIDTH * part.predicted)
        drawn = f"{bar:<{_WIDTH + 1}}"
        drawn = drawn[:mark] + "|" + drawn[mark + 1 :]
        say(f"{part.predicted:9.3f} {part.observed:9.3f} {part.count:8,}  {drawn.rstrip()}")
    say()
    say(f"{'by':<17} accuracy  95 % interval")
    for row in found.rows:
        say(f"{row.by:<17} {row.accuracy:8.4f}  {row.low:.4f} to {row.high:.4f}")
    for (a, b), d in found.differences.items():
        verdict = "" if d.decided else "; the data do not decide"
        say(f"{a} - {b}: {d.difference:+.4f} ({d.low:+.4f} to {d.high:+.4f}){verdict}")


def _figure(figure: Figure) -> str:
    return f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})"
