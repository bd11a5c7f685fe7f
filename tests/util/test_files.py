"""Texts and rows of files, as every system and program writes them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ponder.core.errors import UsageError
from ponder.util.files import first_character, raw_rows, read_text, replaced, rows, text_of

MARK = b"\xef\xbb\xbf"
SEPARATORS = ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\r"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        (b"a", "a"),
        (MARK, ""),
        (MARK + b"a\n", "a\n"),
        (b"a\r\nb\r\n", "a\nb\n"),
        (b"a\rb", "a\nb"),
        (MARK + MARK + b"a", "\ufeffa"),
        ("a\ufeffb".encode(), "a\ufeffb"),
        ("a\u2028b\u2029c\x85d".encode(), "a\u2028b\u2029c\x85d"),
    ],
)
def test_a_text_has_no_byte_order_mark_and_ends_its_lines_one_way(
    content: bytes, text: str, tmp_path: Path
) -> None:
    path = tmp_path / "text"
    path.write_bytes(content)
    assert read_text(path) == text


def test_a_text_comes_through_a_pipe_too() -> None:
    read, write = os.pipe()
    os.write(write, MARK + b"a")
    os.close(write)
    assert read_text(f"/dev/fd/{read}") == "a"
    os.close(read)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("\n\n", []),
        ("a\nb", [(1, "a"), (2, "b")]),
        ("a\r\nb\r\n", [(1, "a"), (2, "b")]),
        ("a\n \n\nb\n", [(1, "a"), (4, "b")]),
        ("a\n\ufeffb\n", [(1, "a"), (2, "b")]),
        *((f'"x{c}y"\n"z"', [(1, f'"x{c}y"'), (2, '"z"')]) for c in SEPARATORS),
    ],
)
def test_rows_end_at_line_feeds_alone(text: str, found: list[tuple[int, str]]) -> None:
    assert list(rows(text)) == found
    raw = raw_rows(io.BytesIO(text.encode()), Path("x"), 100)
    assert [(number, row.decode()) for number, row in raw] == found


def test_a_row_beyond_the_limit_is_refused() -> None:
    with pytest.raises(UsageError, match="x, line 2: it has more than 1 MiB"):
        list(raw_rows(io.BytesIO(b"a\n" + b"b" * (2**20 + 1)), Path("x"), 2**20))


@pytest.mark.parametrize("before", [b"", MARK, b" \r\n\t", MARK + b"\n "])
def test_the_first_character_says_what_a_file_is(before: bytes) -> None:
    file = io.BytesIO(before + b"[1]")
    assert first_character(file) == b"["
    assert file.tell() == 0


def test_what_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read it, line 3: it is not UTF-8 text"):
        text_of(b"a\nb\n\xff", "it")
    with pytest.raises(UsageError, match=r"cannot read the rubric .*: Is a directory\."):
        read_text(tmp_path, "the rubric")
    with pytest.raises(UsageError, match=r"cannot read .*none: No such file or directory\."):
        read_text(tmp_path / "none")


@pytest.mark.parametrize("kept", [True, False])
def test_a_content_is_replaced_whole_or_not_at_all(kept: bool, tmp_path: Path) -> None:
    path = tmp_path / "here" / "file"
    path.parent.mkdir()
    replaced(path, [b"a", b"b"], kept=kept)

    def parts() -> Iterator[bytes]:
        yield b"c"
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        replaced(path, parts(), kept=kept)
    assert path.read_bytes() == b"ab"
    assert [*path.parent.iterdir()] == [path]
    (path.parent / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        replaced(path.parent / "folder", [b"c"], kept=kept)
    assert len([*path.parent.iterdir()]) == 2
