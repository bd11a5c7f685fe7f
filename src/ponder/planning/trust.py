"""Names in a recorded run that the caller must confirm before it is resumed.

A journal is a file that may come from anybody. Its plan may name a script to run, a file to read,
or a model to load or to send prompts and a key to. So:

1. The default journal is the caller's own. Its runs are resumed unchanged, except for names whose
   meaning depends on the folder (a relative path, an endpoint off this machine that a project's
   ``ponder.toml`` defines).
2. For any other journal, the caller must repeat all names in the plan that lie outside Ponder.

Models of Ponder's catalogue, those that learned from them on this machine, and the simulated one
need no confirmation. Nor do samples, scores and
prices, which are data.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from pathlib import Path

from ponder.core.errors import UsageError
from ponder.core.text.refs import parse
from ponder.models import catalog
from ponder.models.config import Config
from ponder.models.presets import providers
from ponder.models.reward import hf as reward_hf
from ponder.planning.spec import Spec
from ponder.strategies import registry as strategies
from ponder.verifiers import naming
from ponder.verifiers import registry as verifiers


def check(
    asked: Spec, config: Config, trusted: Collection[str], *, own: bool, model: bool, how: str
) -> None:
    """Refuse to resume a plan with names that the caller did not confirm.

    ``trusted`` are the names that the caller gives. ``own`` is True for a run of the default
    journal, and ``model`` is True if the caller gives the run's model as an object. ``how`` is the
    command that resumes the run.

    Raises:
        UsageError: there are such names; the message lists them, and how to give them.
    """
    names = dict.fromkeys(_names(asked, config, own=own, model=model))
    known = {*trusted, *map(naming.canonical, trusted)}
    missing = [name for name in names if name not in known]
    if missing:
        given = " ".join(f"--trust {shlex.quote(name)}" for name in names)
        raise UsageError(
            f"this run uses {' and '.join(map(repr, missing))}, and a journal's word is not enough "
            f"to run a script, open a file or ask a model: if you trust "
            f"{'it' if len(missing) == 1 else 'them'}, say '{how} {given}'."
        )


def _names(asked: Spec, config: Config, *, own: bool, model: bool) -> Iterator[str]:
    models = [] if model else [asked.model]
    models += strategies.choose(asked.strategy, asked.knobs).models
    for named in verifiers.named(asked.verifier) if asked.verifier else ():
        if named.kind == "model":
            models.append(named.text)
        elif not own or (named.kind == "script" and not _absolute(named.text)):
            yield named.text  # the plan holds the digests of other files
    for name in models:
        if not _of_ponder(name) and (not own or _of_folder(name, config)):
            yield name


def _absolute(script: str) -> bool:
    return Path(parse(script).args[0].text).is_absolute()


def _of_ponder(name: str) -> bool:
    simulated = name == "simulated" or name.startswith("simulated(")
    return simulated or catalog.own(name)


def _of_folder(name: str, config: Config) -> bool:
    """True if the meaning of a name depends on the current folder."""
    endpoint = config.endpoints.get(name)
    if endpoint is not None:
        return not endpoint.trusted
    if providers.split(name):
        return False
    parts = reward_hf.named(name)
    path = parts.path if parts else name
    return not name.startswith("hf:") and not Path(path).expanduser().is_absolute()
