"""Expert iteration: sample, keep what a verifier passes, train, and sample again with that model.

STaR (Zelikman 2022, 'Bootstrapping Reasoning With Reasoning') and RFT (Yuan 2023) train each round
from the base model, on the rows of all rounds so far, so that errors of one round are not built
upon; ``last`` goes on from the round before. A training on rows that are there is one round without
a search.

The working folder has a folder for each round. What a round has finished is a file that was
written at once, and is not done again; its search has journals and its training checkpoints.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ponder._version import __version__
from ponder.core.errors import PonderError
from ponder.experiments.pools.recording import versions
from ponder.experiments.suites.base import Item
from ponder.learning import extra
from ponder.learning.claims import claimed
from ponder.learning.rows import exporting
from ponder.learning.rows.sources import Reader
from ponder.learning.sft import process
from ponder.learning.sft.data import read
from ponder.learning.sft.searching import Search, searched, tally
from ponder.learning.sft.settings import Settings
from ponder.learning.sft.worker import Job
from ponder.models.fetch import sha256_of
from ponder.models.taught import declaration
from ponder.runtime.engine import Engine
from ponder.util.files import replaced_json
from ponder.util.lock import exclusive

Start = Literal["base", "last"]
STARTS: tuple[Start, ...] = get_args(Start)
FORMULA = "(4 x parameters + 6 x adapters) x tokens + 12 x layers x width x pairs of tokens"
"""FLOPs of training, as the card states them; ``outcome`` has the reasons."""


@dataclass(frozen=True, slots=True)
class Told:
    """Progress of one stage of a round."""

    round: int
    stage: str
    done: int
    of: int
    before: int
    """Part of ``done`` that an earlier attempt did."""
    note: str


@dataclass(frozen=True, slots=True)
class Learning:
    """A request to teach a model, from rows or from a search of its own."""

    name: str
    """Name of the model to make."""
    model: str
    """Name of the model to start from."""
    base: Path
    """Its GGUF file."""
    folder: Path
    """The working folder."""
    settings: Settings = Settings()
    holdout: float = 0.0
    """Share of problems whose rows are not learned."""
    data: tuple[Path, ...] = ()
    """Files of rows."""
    search: Search | None = None
    """The search, where there are no files."""
    rounds: int = 1
    start: Start = "base"
    """The weights from which each round trains."""

    def identity(self) -> dict[str, Any]:
        """Return the properties by which a working folder is known; rounds can be added to it."""
        return {
            "name": self.name,
            "model": self.model,
            "file_sha256": sha256_of(self.base),
            "settings": self.settings.to_json(),
            "holdout": self.holdout,
            "data": [read(path)[1].sha256 for path in self.data],
            "search": self.search and self.search.to_json(),
            "from": self.start,
        }


@dataclass(frozen=True, slots=True)
class Learned:
    """The outcome: the last round's model, and the card."""

    model: Path
    card: Mapping[str, Any]


def learn(
    asked: Learning,
    engine: Callable[[], Engine] = Engine,
    tell: Callable[[Told], None] = lambda told: None,
    waiting: Callable[[], None] = lambda: None,
) -> Learned:
    """Do all rounds that the working folder does not have yet.

    ``waiting`` is called if another process works in the folder.

    Raises:
        MissingExtra: the extra ``train`` is not installed.
        UsageError: the request cannot be met, or the folder holds another one.
        PonderError: sampling, training or the disk failed. The same request goes on from there.
    """
    extra.require()
    identity = asked.identity()
    items = asked.search.items() if asked.search else {}
    try:
        asked.folder.mkdir(parents=True, exist_ok=True)
        with exclusive(asked.folder / "lock", waiting):
            claimed(asked.folder / "request.json", identity)
            done: list[dict[str, Any]] = []
            for number in range(1, asked.rounds + 1):
                done.append(_Round(asked, number, items, engine, tell).run())
            card = _card(identity, done)
            replaced_json(asked.folder / "card.json", card)
    except OSError as error:
        raise PonderError(
            f"cannot write in {asked.folder}: {error.strerror or error}; the same command goes on "
            "from there."
        ) from None
    return Learned(_model(asked, asked.rounds), card)


def _folder(folder: Path, number: int) -> Path:
    return folder / f"round-{number}"


def _model(asked: Learning, number: int) -> Path:
    """Return the path of a round's model; its file's name is what its metadata call it."""
    return (_folder(asked.folder, number) / f"{asked.name}.gguf").absolute()


@dataclass(frozen=True, slots=True)
class _Round:
    asked: Learning
    number: int
    items: Mapping[int, Item]
    engine: Callable[[], Engine]
    tell: Callable[[Told], None]

    @property
    def folder(self) -> Path:
        return _folder(self.asked.folder, self.number)

    @property
    def before(self) -> Path:
        """The model of the round before; the base in the first."""
        return _model(self.asked, self.number - 1) if self.number > 1 else self.asked.base

    def run(self) -> dict[str, Any]:
        """Return the round's part of the card; does what is not done yet."""
        result = self.folder / "result.json"
        if result.exists():
            found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
            return found
        self.folder.mkdir(exist_ok=True)
        found = {"round": self.number}
        data = self.asked.data
        if self.asked.search is not None:
            found |= self._searched(self.asked.search)
            data = (self.folder / "data.jsonl",)
        job = Job(
            str(self.before if self.asked.start == "last" else self.asked.base),
            str(self.asked.base),
            tuple(map(str, data)),
            str(self.folder),
            str(_model(self.asked, self.number)),
            self.asked.settings,
            self.asked.holdout,
        )
        found["training"] = process.train(job, self._step)
        replaced_json(result, found)
        return found

    def _searched(self, search: Search) -> dict[str, Any]:
        """Search, and write the rows of this round and all before it."""
        first = self.number == 1
        model = self.asked.model if first else str(self.before)
        name = self.asked.model if first else f"{self.asked.name} of round {self.number - 1}"
        done = searched(
            search, self.items, (model, name), self.folder, self.number, self.engine, self._told
        )
        pools = [
            str(_folder(self.asked.folder, k) / f"verified-{k}.jsonl")
            for k in range(1, self.number + 1)
        ]
        reader = Reader(
            done.pool, search.suite, search.folder, without_examples=search.without_examples
        )
        wanted = exporting.Export(pools, search.choice)
        summary = exporting.export(wanted, self.folder / "data.jsonl", reader)
        return {
            "search": {
                **done.cost,
                "lost": done.lost,
                **tally(search, done.pool, self.asked.holdout),
            },
            "rows": summary.to_json(),
        }

    def _told(self, stage: str, done: int, of: int, before: int, note: str) -> None:
        self.tell(Told(self.number, stage, done, of, before, note))

    def _step(self, made: dict[str, Any]) -> None:
        note = f"loss {made['loss']:.3f}" if made["loss"] else ""
        self._told("training", made["step"], made["of"], made["resumed"], note)


# The card -----------------------------------------------------------------------------------------


def _card(identity: Mapping[str, Any], rounds: list[dict[str, Any]]) -> dict[str, Any]:
    found = {"ponder": __version__, "python": platform.python_version(), **extra.versions()}
    searches = [one["search"] for one in rounds if "search" in one]
    trainings = [one["training"] for one in rounds]
    return {
        **identity,
        "rounds": rounds,
        "flops": {
            "search": sum(one["flops"] for one in searches),
            "training": sum(one["flops"] for one in trainings),
            "formula": FORMULA,
        },
        "seconds": {
            "search": round(sum(one["seconds"] for one in searches), 1),
            "training": round(sum(one["seconds"] for one in trainings), 1),
        },
        "versions": found | versions(embedded=bool(searches)),
        **declaration(level for one in trainings for level in one["thinking"]),
    }
