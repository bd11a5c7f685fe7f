"""The texts of single tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ponder.models.openvino.vocabulary import Vocabulary


class Tokenizer:
    """Joins the bytes of tokens and leaves special ones out, as OpenVINO's tokenizers do."""

    def __init__(self, known: dict[bytes, int], *, special: Sequence[int] = ()) -> None:
        self._known, self._special, self.read = known, special, 0

    def get_vocab(self) -> dict[bytes, int]:
        self.read += 1
        return self._known

    def decode(self, tokens: Any) -> Any:
        if tokens and isinstance(tokens[0], list):
            return [self.decode(one) for one in tokens]
        pieces = {token: piece for piece, token in self._known.items()}
        return self.text(b"".join(pieces[one] for one in tokens if one not in self._special))

    def text(self, raw: bytes) -> str:
        return raw.decode(errors="ignore")


class SentencePiece(Tokenizer):
    """Writes blanks and bytes in words of its own, and drops the first blank of a text."""

    def text(self, raw: bytes) -> str:
        raw = raw.replace("\u2581".encode(), b" ")
        for byte in (0xE6, 0xBC, 0xA2):
            raw = raw.replace(b"<0x%02X>" % byte, bytes([byte]))
        return raw.decode(errors="ignore").removeprefix(" ")


def test_tokens_have_their_bytes_and_special_ones_have_none() -> None:
    known = {b"Hi": 1, b" \xe6\xbc": 2, b"\xa2": 3, b"<|end|>": 4}
    tokenizer = Tokenizer(known, special=[4])
    words = Vocabulary(tokenizer)
    assert words.pieces(()) == ()
    assert tokenizer.read == 0
    assert words.pieces((1, 2, 3, 4)) == (b"Hi", b" \xe6\xbc", b"\xa2", b"")
    assert words.pieces((1, 2)) == (b"Hi", b" \xe6\xbc")  # truncated within a character
    assert tokenizer.read == 1


def test_words_of_sentencepiece() -> None:
    known = {"\u2581Hi".encode(): 1, b"<0xE6>": 2, b"<0xBC>": 3, b"<0xA2>": 4}
    known |= {"\u2581".encode(): 5, b"</s>": 6}
    words = Vocabulary(SentencePiece(known, special=[6]))
    assert words.pieces((1, 5, 6)) == (b"Hi", b" ", b"")
    assert words.pieces((1, 2, 3, 4, 1)) == (b"Hi", b"\xe6", b"\xbc", b"\xa2", b" Hi")


def test_of_tokens_that_do_not_join_to_the_text_nothing_is_told() -> None:
    class Other(Tokenizer):
        def text(self, raw: bytes) -> str:
            return raw.decode().upper()

    assert Vocabulary(Other({b"hi": 1})).pieces((1,)) is None


def test_alternatives_with_one_text_are_one() -> None:
    words = Vocabulary(Tokenizer({b"a": 1, b"b": 2, b"<|end|>": 3, b"<|pad|>": 4}, special=[3, 4]))
    found = words.alternatives([(1, -0.5), (3, -1.0), (4, -1.0)])
    assert found == {"a": -0.5, "": pytest.approx(-1.0 + 0.6931471805599453)}
