"""Every suite by name, and the grammar of names for other rows.

==============================================  ====================================================
``gsm8k``, ``bbh``                              a suite
``gsm8k/train``, ``bbh/navigate``               a part of it
``path/to/FILE.jsonl:question=Q,answer=A``      a file (``files``)
``gym:TASK:seed=7,size=200``                    a task of reasoning-gym (``reasoning_gym``)
``hf:OWNER/NAME:split=test,question=Q``         a data set of the Hugging Face hub (``hub``)
==============================================  ====================================================
"""

from __future__ import annotations

from pathlib import Path

from ponder.core.errors import UnknownName, UsageError
from ponder.experiments.suites import (
    aime,
    amc,
    bbh,
    countdown,
    files,
    game24,
    gsm8k,
    hub,
    humaneval,
    math500,
    mbpp,
    multiarith,
    reasoning_gym,
    svamp,
)
from ponder.experiments.suites.base import FileSuite, Suite
from ponder.experiments.suites.rows import SUFFIXES

SUITES: dict[str, FileSuite] = {
    suite.name: suite
    for suite in (
        gsm8k.SUITE,
        gsm8k.TRAIN,
        math500.SUITE,
        aime.SUITE,
        *aime.PARTS,
        amc.SUITE,
        humaneval.SUITE,
        mbpp.SUITE,
        svamp.SUITE,
        multiarith.SUITE,
        game24.SUITE,
        game24.PAPER,
        countdown.SUITE,
        bbh.SUITE,
        *bbh.PARTS,
    )
}


def find(name: str) -> Suite:
    """Return the suite that a caller names.

    Raises:
        UnknownName: it does not exist; names the nearest.
        UsageError: an option is invalid.
    """
    if name in SUITES:
        return SUITES[name]
    kind, _, rest = name.partition(":")
    if kind in ("gym", "hf"):
        said, _, options = rest.partition(":")
        make = reasoning_gym.suite if kind == "gym" else hub.suite
        return make(said, _options(options))
    path, colon, options = name.rpartition(":")
    if not colon or "=" not in options:
        path, options = name, ""
    if path.endswith(SUFFIXES):
        return files.MappedFile(Path(path), files.columns(_options(options)))
    suite, slash, part = name.partition("/")
    if slash and suite in SUITES:
        parts = [n.partition("/")[2] for n in SUITES if n.startswith(f"{suite}/")]
        if not parts:
            raise UsageError(f"the suite {suite!r} has no parts: leave out '/{part}'.")
        raise UnknownName(f"part of {suite!r}", part, parts)
    raise UnknownName(
        "suite", name, (*(n for n in SUITES if "/" not in n), "FILE.jsonl", "gym:TASK")
    )


def _options(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"expected options as NAME=VALUE,NAME=VALUE, not {part!r}.")
        found[name.strip()] = value.strip()
    return found
