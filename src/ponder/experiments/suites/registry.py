"""Every suite by name; other rows by a reference (``core.refs``).

==============================================  ====================================================
``gsm8k``, ``bbh``                              a suite
``gsm8k/train``, ``bbh/navigate``               a part of it
``path/to/FILE.jsonl``                          a file (``files``)
``path/to/FILE.jsonl(question=Q, answer=A)``    the same, with other columns
``countdown/train(seed=7, n=500)``              puzzles made afresh (``countdown_made``)
``gym(TASK, seed=7, size=200)``                 a task of reasoning-gym (``reasoning_gym``)
``hf(OWNER/NAME, split=test, question=Q)``      a data set of the Hugging Face hub (``hub``)
==============================================  ====================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ponder.core.errors import UnknownName, UsageError
from ponder.core.text.refs import Ref, parse
from ponder.experiments.suites import (
    aime,
    amc,
    bbh,
    countdown,
    countdown_made,
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


_MADE: dict[str, tuple[Callable[[str, Mapping[str, str]], Suite], str]] = {
    "gym": (reasoning_gym.suite, "TASK"),
    "hf": (hub.suite, "OWNER/NAME"),
}
"""Makers of suites that are no files, each with the name of its argument."""
_WITH_COLON = re.compile(rf"(?:{'|'.join(_MADE)}|.*(?:{'|'.join(map(re.escape, SUFFIXES))})):.*")


def find(name: str) -> Suite:
    """Return the suite that a caller names. A text that ends like a file's name is a path as it
    stands.

    Raises:
        UnknownName: it does not exist; names the nearest.
        UsageError: the name is malformed, or an option is invalid.
    """
    if name in SUITES:
        return SUITES[name]
    if name.endswith(SUFFIXES):
        return files.MappedFile(Path(name), files.columns({}))
    if _WITH_COLON.fullmatch(name):
        raise UsageError(
            f"{name!r}: a suite's arguments stand in brackets, as in 'rows.jsonl(question=q)', "
            "'gym(chain_sum, seed=7)' or 'hf(openai/gsm8k, config=main)'."
        )
    ref = parse(name)
    if ref.model:
        raise UsageError(f"the suite {name!r} takes no model: leave out '@{ref.model}'.")
    options = {key: value.text for key, value in ref.options.items()}
    if ref.name == countdown_made.NAME:
        if ref.args:
            raise UsageError(f"{name!r}: expected {countdown_made.NAME}(seed=7, n=500).")
        return countdown_made.suite(options)
    if ref.name in _MADE:
        make, argument = _MADE[ref.name]
        if len(ref.args) != 1:
            raise UsageError(f"{name!r}: expected {ref.name}({argument}, NAME=VALUE, ...).")
        return make(ref.args[0].text, options)
    if ref.args or (options and not ref.name.endswith(SUFFIXES)):
        raise UsageError(f"the suite {ref.name!r} takes no {_unwanted(ref)}: leave it out.")
    if ref.name.endswith(SUFFIXES):
        return files.MappedFile(Path(ref.name), files.columns(options))
    suite, slash, part = name.partition("/")
    if slash and suite in SUITES:
        names = (*SUITES, countdown_made.NAME)
        parts = [n.partition("/")[2] for n in names if n.startswith(f"{suite}/")]
        if not parts:
            raise UsageError(f"the suite {suite!r} has no parts: leave out '/{part}'.")
        raise UnknownName(f"part of {suite!r}", part, parts)
    raise UnknownName(
        "suite", name, (*(n for n in SUITES if "/" not in n), "FILE.jsonl", "gym(TASK)")
    )


def measures(name: str) -> bool:
    """Return True if models are measured on a suite of Ponder's: it is none for training."""
    return name in SUITES and not name.endswith("/train")


def own(name: str) -> bool:
    """Return True if a name that a foreign file gives may be loaded: a suite of Ponder's, which
    names neither a file nor the hub.
    """
    return name in SUITES or name.startswith(f"{countdown_made.NAME}(")


def _unwanted(ref: Ref) -> str:
    return repr(str(ref.args[0])) if ref.args else repr(f"{next(iter(ref.options))}=")
