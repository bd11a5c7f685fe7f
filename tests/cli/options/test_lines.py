"""Lines to decide on: texts and objects, and what is neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponder.cli.options.lines import Line, read_lines
from ponder.core.errors import UsageError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "texts.jsonl"
    path.write_text(text)
    return path


def test_a_line_is_a_text_or_an_object_with_one(tmp_path: Path) -> None:
    path = written(tmp_path, 'It was paid.\n\n{"text": "It is {open}.", "id": 5}\n')
    assert read_lines(path) == [Line(1, "It was paid.", {}), Line(3, "It is {open}.", {"id": 5})]


def test_a_decision_comes_with_the_fields_of_its_line() -> None:
    row = Line(3, "It is open.", {"id": 5, "choice": "no"}).to_json({"choice": "yes"})
    assert row == {"line": 3, "id": 5, "choice": "yes"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\n \n", "has no line to decide on"),
        ("fine\n{open\n", "line 2 begins with a brace but is no JSON object"),
        ('fine\n{"txt": "x"}\n', r'line 2: expected an object such as {"text": "..."}.'),
        ('{"text": " "}\n', "line 1: expected an object"),
    ],
)
def test_a_bad_line_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_lines(written(tmp_path, text))


def test_a_label_must_be_a_choice(tmp_path: Path) -> None:
    path = written(tmp_path, '{"text": "x", "label": "yes"}\n{"text": "x", "label": 1}\n')
    assert len(read_lines(path)) == 2
    with pytest.raises(UsageError, match="line 2: label must be one of yes, no, not 1"):
        read_lines(path, ("yes", "no"))
