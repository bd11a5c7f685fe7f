"""Rows and their tokens."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.learning.rows.questions import digest
from ponder.learning.sft.data import Example, encode, read
from tests.support.pools import lines

PROMPT = [{"role": "user", "content": "What is 1 + 1?"}]
REPLY = [{"role": "assistant", "content": "2"}]
ROW = {"prompt": PROMPT, "completion": REPLY}


def test_rows_come_with_the_side_of_their_question(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "d.jsonl", ROW, {**ROW, "ponder": {"question_hash": "0123456789abcdef"}}
    )
    rows, source = read(path)
    assert [row.side for row in rows] == [digest("what is 1 + 1?"), "0123456789abcdef"]
    assert rows[0].prompt == tuple(PROMPT)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (source.name, source.rows) == ("d.jsonl", 2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: it is not a JSON object"),
        (json.dumps({"prompt": PROMPT}), "line 2: it has no 'completion'"),
        (json.dumps({**ROW, "prompt": "text"}), "line 2: 'prompt'"),
        (json.dumps({**ROW, "prompt": []}), "line 2: 'prompt' must be messages"),
        (json.dumps({**ROW, "completion": [{"role": "x"}]}), "line 2: 'completion' must be messag"),
    ],
)
def test_a_wrong_line_is_named(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(f"{json.dumps(ROW)}\n{line}\n")
    with pytest.raises(UsageError, match=said) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text("\n")
    with pytest.raises(UsageError, match="has no rows"):
        read(path)
    with pytest.raises(UsageError, match="cannot read the rows"):
        read(tmp_path)


class Letters:
    """A tokenizer of letters, with a template of its own."""

    eos_token_id = ord("#")

    def __init__(self, template: str | None = "") -> None:
        self.chat_template = "there is one" if template == "" else template

    def apply_chat_template(
        self, messages: list[dict[str, str]], tokenize: bool, add_generation_prompt: bool = False
    ) -> str:
        shown = "".join(f"{m['role'][0]}:{m['content']}#\n" for m in messages)
        if self.chat_template == "forgets":
            shown = shown[-20:]
        return shown + "a:" * add_generation_prompt

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": [*map(ord, text)]}


def rows_of(tmp_path: Path, *given: Any) -> Any:
    return read(lines(tmp_path / "d.jsonl", *given))[0]


def test_what_is_learned_is_the_reply_up_to_its_mark(tmp_path: Path) -> None:
    kept, too_long = encode(rows_of(tmp_path, ROW), Letters(), 100)
    shown = "u:What is 1 + 1?#\na:"
    assert kept == [Example(tuple(map(ord, f"{shown}2#")), len(shown))]
    assert too_long == 0


def test_longer_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    long = {"prompt": PROMPT, "completion": [{"role": "assistant", "content": "2" * 90}]}
    rows = rows_of(tmp_path, ROW, long)
    length = len(encode(rows, Letters(), 1000)[0][1].tokens)
    assert len(encode(rows, Letters(), length)[0]) == 2
    kept, too_long = encode(rows, Letters(), length - 1)
    assert (len(kept), too_long) == (1, 1)


@pytest.mark.parametrize(
    ("template", "said"), [(None, "no chat template"), ("forgets", "differently once a reply")]
)
def test_a_template_that_does_not_tell_replies_apart_is_refused(
    template: str | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        encode(rows_of(tmp_path, ROW), Letters(template), 100)
