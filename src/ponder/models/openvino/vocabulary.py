"""The texts of single tokens, which a tokenizer decodes only together."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

_BYTE = re.compile(rb"<0x([0-9A-F]{2})>")
_BLANK = "\u2581".encode()
"""The blank as SentencePiece's vocabularies write it."""


class Vocabulary:
    """The tokens of one tokenizer of OpenVINO's."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[int, bytes] = {}

    def alternatives(self, top: Sequence[tuple[int, float]]) -> dict[str, float]:
        """Return the likeliest tokens as text; of several with one text, their sum."""
        chances: dict[str, float] = {}
        texts = self._tokenizer.decode([[token] for token, _ in top])
        for text, (_, logprob) in zip(texts, top, strict=True):
            known = chances.get(text)
            both = logprob if known is None else math.log(math.exp(known) + math.exp(logprob))
            chances[text] = min(0.0, both)
        return chances

    def pieces(self, tokens: Sequence[int]) -> tuple[bytes, ...] | None:
        """Return the UTF-8 bytes of each token, which join to the text of all; None if they do not.

        A token may be a part of a character. Special ones, which texts do not show, have no bytes.
        The first call takes half a second, since it reads the whole vocabulary.
        """
        if not tokens:
            return ()
        if not self._known:
            self._known = {token: piece for piece, token in self._tokenizer.get_vocab().items()}
        kinds = sorted(set(tokens))
        shown = dict(zip(kinds, self._tokenizer.decode([[kind] for kind in kinds]), strict=True))
        found = [self._piece(token, shown[token]) for token in tokens]
        text = _shown(self._tokenizer.decode(list(tokens)).encode())
        if _shown(b"".join(found)) == text:
            return tuple(found)
        plain = [_plain(piece) for piece in found]
        if plain[0].startswith(b" ") and not text.startswith(" "):
            plain[0] = plain[0][1:]
        return tuple(plain) if _shown(b"".join(plain)) == text else None

    def _piece(self, token: int, shown: str) -> bytes:
        piece = self._known.get(token, b"")
        whole = _shown(_plain(piece)).strip()  # '' for a blank, and for a part of a character
        return b"" if whole and not shown else piece


def _plain(piece: bytes) -> bytes:
    """Return the bytes that a token of SentencePiece's stands for."""
    if byte := _BYTE.fullmatch(piece):
        return bytes.fromhex(byte[1].decode())
    return piece.replace(_BLANK, b" ")


def _shown(piece: bytes) -> str:
    """Return all of the text that is whole characters."""
    return piece.decode(errors="ignore").replace("\ufffd", "")
