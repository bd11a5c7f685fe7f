"""Imports foreign files of samples. A format is a function from one row to one problem.

``map`` reads any JSON Lines file, or JSON array, by paths to its fields (``Columns``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ponder.core.errors import UnknownName, UsageError
from ponder.core.problem import ANSWER_TYPES
from ponder.core.text.refs import parse_options
from ponder.experiments.pools.file import LINE_LIMIT, BrokenLine, entry_from, loads, shown
from ponder.experiments.pools.samples import Entry
from ponder.util.decoding import Malformed, parse
from ponder.util.files import first_character, open_regular, raw_rows

ARRAY_LIMIT = 256 << 20
"""Most bytes of a JSON array, which is held in memory."""
Format = Literal["qwen-rm", "tot-game24", "openai-gsm8k", "map"]
SYSTEMS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
_ENTRY = ("problem_id", "gold", "answer_type", "level", "samples")
_SAMPLE = ("answer", "correct", "score", "tokens", "prompt_tokens", "seconds", "text")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of some formats."""

    paths: Mapping[str, str] = field(default_factory=dict)
    """Paths to the fields, for ``map``."""
    answer_type: str = "text"
    """Type of the answers, for ``map``."""
    system: str = ""
    """One of the systems of ``openai-gsm8k``; '' takes all."""


@dataclass(slots=True)
class Foreign:
    """A foreign file. Iterating reads it as the problems of a pool.

    Raises:
        UsageError: the format does not exist, the options are wrong, or (while iterating) the
            file is unreadable, a row does not fit the format, or there is none.
    """

    path: Path
    format: Format
    options: Options = Options()
    skip_broken: bool = False
    skipped: list[int] = field(default_factory=list)
    """Numbers of the rows that the last iteration left out."""

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise UnknownName("format", self.format, FORMATS)
        if self.options.system and self.options.system not in SYSTEMS:
            raise UnknownName("system", self.options.system, SYSTEMS)
        if self.options.system and self.format != "openai-gsm8k":
            raise UsageError(f"the format {self.format!r} takes no --system.")
        if self.options.answer_type not in ANSWER_TYPES:
            raise UnknownName("answer type", self.options.answer_type, ANSWER_TYPES)
        paths = self.options.paths
        if bool(paths) != (self.format == "map"):
            needs = "needs" if self.format == "map" else "takes no"
            raise UsageError(f"the format {self.format!r} {needs} --map field=path,...")
        for name in paths:
            if name not in (*_ENTRY, *_SAMPLE) and not name.startswith("score."):
                raise UnknownName("field of a pool", name, (*_ENTRY, *_SAMPLE, "score.NAME"))
        if paths and not {"answer", "correct"} & paths.keys():
            raise UsageError("--map must say at least where 'answer' or 'correct' is.")

    def __iter__(self) -> Iterator[Entry]:
        self.skipped = []
        entries: dict[str, Entry] = {}  # rows with one sample each are joined
        read = FORMATS[self.format]
        for number, row in _rows(self.path):
            try:
                if isinstance(row, bytes):
                    row = loads(row)
                entry = read(row, number, self.options)
                old = entries.get(entry.problem_id)
                if old is not None and self.format != "map":
                    raise BrokenLine(f"problem {entry.problem_id!r} has a row already")
            except BrokenLine as error:
                if self.skip_broken:
                    self.skipped.append(number)
                    continue
                raise UsageError(
                    f"{self.path}, row {number}: {error}; choose another --format, or leave out "
                    "broken rows with --skip-broken."
                ) from None
            if old is not None:
                entry = replace(old, samples=old.samples + entry.samples)
            entries[entry.problem_id] = entry
        if not entries:
            raise UsageError(f"{self.path} is empty: no row of it could be read.")
        yield from entries.values()


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (number, row): parsed items of a JSON array, raw lines of JSON Lines."""
    with open_regular(path, "the file") as file:
        try:
            if first_character(file) == b"[":
                content = file.read(ARRAY_LIMIT + 1)
                if len(content) > ARRAY_LIMIT:
                    raise UsageError(
                        f"{path} is an array of more than {ARRAY_LIMIT >> 20} MiB: write it as "
                        "JSON Lines, which are read one by one."
                    )
                yield from enumerate(parse(content), 1)
                return
            yield from raw_rows(file, path, LINE_LIMIT)
        except Malformed as error:
            raise UsageError(f"{path} is not JSON: {error}.") from None
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror or error}.") from None


_POSITION = re.compile("[0-9]{1,9}")


def look(value: Any, path: str) -> Any:
    """Return the value at ``path``: names and list positions between dots, ``*`` for every item.

    Raises:
        BrokenLine: there is nothing.
    """
    for i, part in enumerate(parts := path.split(".")):
        if part == "*" and isinstance(value, list):
            return [look(item, ".".join(parts[i + 1 :])) if parts[i + 1 :] else item
                    for item in value]  # fmt: skip
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and _POSITION.fullmatch(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            raise BrokenLine(f"it has no {path!r}")
    return value


# The formats --------------------------------------------------------------------------------------


def _qwen_rm(row: Any, number: int, options: Options) -> Entry:
    """Import QwenLM/Qwen2.5-Math, ``evaluation/rm_maj_eval``: samples with reward model scores.

    In the file ``score`` is correctness, and ``pred_score`` the reward, in a list of one.
    """
    paths = {
        "problem_id": "idx",
        "gold": "gt",
        "level": "level",
        "answer": "pred",
        "correct": "score",
        "score.pred_score": "pred_score.*.0",
        "text": "code",
    }
    return _mapped(row, number, Options(paths, "math"))


def _tot_game24(row: Any, number: int, options: Options) -> Entry:
    """Import princeton-nlp/tree-of-thought-llm, logs of Game of 24: texts, each with its reward.

    The reward is 0 or 1. The answer follows the last 'Answer:' of a text. Tokens are recorded per
    problem only.
    """
    samples = []
    texts, rights = look(row, "ys"), look(row, "infos.*.r")
    if not isinstance(texts, list) or not isinstance(rights, list):
        raise BrokenLine("'ys' and 'infos' must be lists")
    for text, right in zip(texts, rights, strict=False):
        _, said, answer = str(text).rpartition("Answer:")
        samples.append({"answer": answer.strip() or None if said else None,
                        "correct": right, "text": text})  # fmt: skip
    return entry_from(
        {"problem_id": look(row, "idx"), "gold": "24", "answer_type": "text", "samples": samples}
    )


def _openai_gsm8k(row: Any, number: int, options: Options) -> Entry:
    """Import openai/grade-school-math, ``example_model_solutions``: solutions by four systems.

    Cobbe 2021. Each solution is a sample with its ``system``, in that order; or only those of one
    system.
    """
    samples = []
    for system in (options.system,) if options.system else SYSTEMS:
        text = str(look(row, f"{system}.solution"))
        answer, right = _after_a(text), look(row, f"{system}.is_correct")
        samples.append({"answer": answer, "correct": right, "text": text, "system": system})
    return entry_from(
        {
            "problem_id": str(number),
            "gold": _after_a(str(look(row, "ground_truth"))),
            "answer_type": "number",
            "samples": samples,
        }
    )


def _after_a(solution: str) -> str | None:
    _, said, answer = solution.rpartition("A: ")
    return (answer.strip() or None) if said else None


def _mapped(row: Any, number: int, options: Options) -> Entry:
    """Import any row, by paths.

    Samples are a list of objects (``samples`` is its path, and the other paths of samples start
    there), or parallel lists in the row, or the row itself is one sample.
    """
    paths = options.paths
    entry: dict[str, Any] = {"problem_id": str(number), "answer_type": options.answer_type}
    for name in ("problem_id", "gold", "answer_type", "level"):
        if name in paths:
            entry[name] = look(row, paths[name])
    where = {n: p for n, p in paths.items() if n in _SAMPLE or n.startswith("score.")}
    if "samples" in paths:
        samples = look(row, paths["samples"])
        if not isinstance(samples, list):
            raise BrokenLine(f"{paths['samples']!r} must be a list, not {shown(samples)}")
        columns = {name: [look(sample, path) for sample in samples] for name, path in where.items()}
    else:
        columns = {name: look(row, path) for name, path in where.items()}
        if not any(isinstance(column, list) for column in columns.values()):
            columns = {name: [value] for name, value in columns.items()}
    lengths = {name: len(c) if isinstance(c, list) else 1 for name, c in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise BrokenLine(f"its lists differ in length ({told})")
    [length] = set(lengths.values())
    entry["samples"] = [
        _sample({name: column[i] for name, column in columns.items()}) for i in range(length)
    ]
    return entry_from(entry)


def _sample(values: dict[str, Any]) -> dict[str, Any]:
    """Gather ``score.NAME`` under ``score``; an answer is text."""
    sample = {name: value for name, value in values.items() if not name.startswith("score.")}
    named = {name[6:]: value for name, value in values.items() if name.startswith("score.")}
    if named:
        sample["score"] = {**({"score": sample["score"]} if "score" in sample else {}), **named}
    answer = sample.get("answer")
    if isinstance(answer, list | dict | bool):
        answer = json.dumps(answer)
    sample["answer"] = None if answer is None or not str(answer).strip() else str(answer)
    return sample


FORMATS: dict[str, Callable[[Any, int, Options], Entry]] = {
    "qwen-rm": _qwen_rm,
    "tot-game24": _tot_game24,
    "openai-gsm8k": _openai_gsm8k,
    "map": _mapped,
}


def paths(text: str) -> dict[str, str]:
    """Read ``answer=path.to.field, correct=other``; '' is none.

    Raises:
        UsageError: the text has another form.
    """
    return {name: path.text for name, path in parse_options(text).items()} if text else {}
