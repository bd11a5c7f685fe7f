"""A suite with its rewards as an environment for reinforcement learning.

An environment is a folder that is a Python package: the problems, and three small modules that call
Ponder. Its entries and its ``score_answer`` are those of a reasoning-gym task (0.1.25); its reward
function is one that TRL's ``GRPOTrainer`` takes; its taskset is one of ``verifiers`` (0.4).

The reward is the score of a verifier, as at inference time. Where a suite has nothing that a
verifier could check, it is the suite's own reference (``REFERENCE``), but never that of a suite on
which models are measured: such a reference is no reward, whatever the model.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ponder._version import __version__
from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.experiments.suites.base import Item, Suite
from ponder.experiments.suites.grading import gold as golds
from ponder.experiments.suites.grading.grade import grade
from ponder.experiments.suites.registry import measures
from ponder.learning.rewards import Completion, Rewards, text_of
from ponder.learning.rows import questions
from ponder.learning.rows.exporting import write
from ponder.util.decoding import Malformed, decode, parse
from ponder.util.files import open_regular, raw_rows, read_regular
from ponder.verifiers import registry

REFERENCE = "reference"
"""Stands for the suite's own reference as the reward, in the place of a verifier."""
PROBLEMS = "problems.jsonl"
ABOUT = "environment.json"
LIMIT = 16 << 20
"""Maximum bytes of a problem."""
Entry = dict[str, Any]
"""A question, an answer and metadata, as reasoning-gym has them."""

# A suite's name may be anybody's: nothing of it becomes code, and the verifier's only as a literal.
_INIT = '''\
"""Problems and their reward, made by 'ponder learn environment'; see environment.json."""

from .environment import environment, reward, score_answer

__all__ = ["PonderTaskset", "environment", "reward", "score_answer"]


def __getattr__(name):
    if name == "PonderTaskset":  # needs verifiers
        from .taskset import PonderTaskset

        return PonderTaskset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
'''
_ENVIRONMENT = '''\
"""The problems and their reward. The verifier runs in Ponder's sandbox: pip install ponder."""

from pathlib import Path

from ponder.learning.environments import Environment

environment = Environment.load(Path(__file__).parent, {verifier!r})
score_answer = environment.score_answer  # (answer, entry) -> float, as a task of reasoning-gym
reward = environment.reward  # (prompts, completions, **columns) -> list, for TRL's GRPOTrainer
'''
_TASKSET = '''\
"""The problems as a taskset of verifiers: --taskset.id {module}"""

import asyncio

import verifiers.v1 as vf

from .environment import environment


class PonderData(vf.TaskData):
    entry: dict


class PonderTask(vf.Task[PonderData, vf.State, vf.TaskConfig]):
    @vf.reward
    async def verified(self, trace) -> float:
        return await asyncio.to_thread(
            environment.score_answer, trace.last_reply, self.data.entry
        )


class PonderTaskset(vf.Taskset[PonderTask, vf.TasksetConfig]):
    def load(self):
        for entry in environment:
            data = PonderData(
                id=entry["metadata"]["problem_id"],
                prompt=entry["metadata"]["prompt"],
                entry=entry,
            )
            yield PonderTask(data, self.config.task)
'''


@dataclass(frozen=True, slots=True)
class Environment:
    """The problems of an environment, and their reward.

    It behaves as a data set of reasoning-gym: it has a length, ``[i]`` is an entry, and
    ``score_answer`` scores an answer to one.
    """

    name: str
    verifier: str
    entries: tuple[Entry, ...] = field(repr=False)
    rewards: Rewards = field(repr=False)
    """Its engine is opened when the first score is asked for."""

    @classmethod
    def load(cls, folder: Path, verifier: str) -> Environment:
        """Read the environment in a folder. The verifier is the caller's, never the file's.

        Raises:
            UsageError: a file of it is absent or damaged.
        """
        about = _object(read_regular(folder / ABOUT, "the environment"), folder / ABOUT)
        path = folder / PROBLEMS
        with open_regular(path, "the environment") as file:
            entries = [
                _checked(_object(line, f"{path}, line {number}"), f"{path}, line {number}")
                for number, line in raw_rows(file, path, LIMIT)
            ]
        rewards = Rewards("mean_logprob" if verifier == REFERENCE else verifier)
        return cls(str(about.get("name", folder.name)), verifier, tuple(entries), rewards)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Entry:
        return self.entries[index]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The prompts, and what ``reward`` needs, as rows for TRL's ``GRPOTrainer``."""
        kept = [entry["metadata"] for entry in self.entries]
        return [{"prompt": metadata["prompt"], "metadata": metadata} for metadata in kept]

    def score_answer(self, answer: str | None, entry: Mapping[str, Any]) -> float:
        """Return the reward of an answer, alone or in a whole reply; 0 if there is none.

        Raises:
            UsageError: the verifier cannot be asked here.
        """
        if not isinstance(answer, str) or not answer.strip():
            return 0.0
        text = entry["metadata"]["problem"]
        problem = questions.problem_from_text(text)
        reply = self._reply(answer, problem)
        if self.verifier == REFERENCE:
            return self._graded(reply, problem, entry["metadata"]["gold"])
        [value] = self.rewards.scores([text], [reply])
        return value or 0.0

    def reward(
        self, prompts: Sequence[Any], completions: Sequence[Completion], **columns: Any
    ) -> list[float]:
        """Return one reward per completion; ``metadata`` is the column with the entries' own.

        Raises:
            UsageError: the verifier cannot be asked here.
        """
        return [
            self.score_answer(text_of(completion), {"metadata": metadata})
            for completion, metadata in zip(completions, columns["metadata"], strict=True)
        ]

    def close(self) -> None:
        """End what was started for the scores."""
        self.rewards.close()

    def _reply(self, answer: str, problem: Problem) -> str:
        """Return the answer as a reply from which it can be read."""
        engine = self.rewards.engine
        reader = engine.tools.reader
        if engine.wait(lambda: reader.read(answer, problem, False)) is not None:
            return answer
        return f"\\boxed{{{answer}}}"

    def _graded(self, reply: str, problem: Problem, written: Any) -> float:
        engine = self.rewards.engine
        tools = engine.tools
        gold = golds.from_json(written, problem.answer_type)

        async def graded() -> bool:
            found = await tools.reader.read(reply, problem, False)
            return await grade(gold, found.text if found else None, tools=tools)

        return float(engine.wait(graded))


def _checked(entry: Entry, place: str) -> Entry:
    """Return an entry of which a score can be asked."""
    try:
        metadata = decode(Mapping[str, Any], entry.get("metadata"), "its metadata")
        decode(str, entry.get("question"), "its question")
        questions.problem_from_text(decode(str, metadata.get("problem"), "its problem"))
    except (Malformed, UsageError) as error:
        raise UsageError(f"{place}: {str(error).rstrip('.')}.") from None
    return entry


def _object(text: bytes, place: object) -> dict[str, Any]:
    try:
        value = parse(text)
    except Malformed as error:
        raise UsageError(f"{place}: {error}; export the environment again.") from None
    if not isinstance(value, dict):
        raise UsageError(f"{place}: it is not a JSON object; export the environment again.")
    return value


# Writing ------------------------------------------------------------------------------------------


def check(suite: Suite, verifier: str, folder: Path) -> None:
    """Refuse what cannot be an environment, before anything is read.

    Raises:
        UsageError: the folder's name is none of a module, there is no such verifier, or the
            references are those of a suite on which models are measured.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", folder.name) or keyword.iskeyword(folder.name):
        raise UsageError(
            f"{folder.name!r} cannot be imported: name the folder as a Python module, in small "
            "letters, digits and underscores."
        )
    if verifier != REFERENCE:
        registry.find(verifier)
    elif measures(suite.name):
        raise UsageError(
            f"models are measured on {suite.name}, so its references are no rewards: name a "
            "verifier, or another suite."
        )


def export(suite: Suite, items: Sequence[Item], verifier: str, folder: Path) -> int:
    """Write the environment; returns its number of problems.

    Raises:
        UsageError: as ``check``, or a problem has images or tools.
        PonderError: the disk refuses.
    """
    check(suite, verifier, folder)
    entries = [_entry(suite, i, item, verifier) for i, item in enumerate(items)]
    about = {
        "name": folder.name,
        "suite": suite.name,
        "source": suite.source,
        "licence": suite.licence,
        "verifier": verifier,
        "problems": len(entries),
        "ponder": __version__,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write(
        {
            folder / PROBLEMS: (json.dumps(entry).encode() + b"\n" for entry in entries),
            folder / ABOUT: [json.dumps(about, indent=2).encode() + b"\n"],
            folder / "environment.py": [_ENVIRONMENT.format(verifier=verifier).encode()],
            folder / "taskset.py": [_TASKSET.format(module=folder.name).encode()],
            folder / "__init__.py": [_INIT.encode()],
        }
    )
    return len(entries)


def _entry(suite: Suite, index: int, item: Item, verifier: str) -> Entry:
    if not questions.plain(item.problem):
        raise UsageError(f"{item.problem_id} has images or tools, which an entry cannot hold.")
    metadata: dict[str, Any] = {
        "source_dataset": suite.name,
        "source_index": index,
        "problem_id": item.problem_id,
        "problem_hash": questions.identity(item.problem),
        "prompt": questions.turns(item.problem.shown),
        "problem": questions.problem_to_text(item.problem),
        "verifier": verifier,
    }
    answer = ""
    if verifier == REFERENCE:
        metadata["gold"] = item.gold.to_json()
        if isinstance(item.gold, golds.Reference):
            answer = item.gold.text
        elif isinstance(item.gold, golds.Scored):
            answer = item.gold.answer
    return {"question": questions.flat(item.problem), "answer": answer, "metadata": metadata}
