"""A model of the embedded engine's prompt cache, and the pieces in which it evaluates the rest."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence

BLOCK = 32  # tokens per block of the cache (openvino.genai, kv_cache_manager.hpp: CPU)
PIECE = 512  # tokens of prompts evaluated in one step; a multiple of BLOCK


class Blocks:
    """The blocks of tokens that are believed to be in the cache: the ``capacity`` last used.

    A block is known by a hash of itself and all before it, as in the engine. Beliefs affect the
    cached tokens that a sample reports, never its text.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._hashes: OrderedDict[int, None] = OrderedDict()

    def cached(self, tokens: Sequence[int]) -> int:
        """Return the number of leading tokens that are cached, in whole blocks."""
        count = 0
        for block in chain(tokens):
            if block not in self._hashes:
                break
            count += BLOCK
        return count

    def add(self, tokens: Sequence[int]) -> None:
        """Mark these tokens as evaluated just now."""
        for block in chain(tokens):
            self._hashes[block] = None
            self._hashes.move_to_end(block)
        while len(self._hashes) > self._capacity:
            self._hashes.popitem(last=False)


def chain(tokens: Sequence[int]) -> Iterator[int]:
    """Yield the hash of every whole block, each with all blocks before it."""
    packed, past = array("q", tokens).tobytes(), 0
    for at in range(0, len(packed) - BLOCK * 8 + 1, BLOCK * 8):
        past = hash((past, packed[at : at + BLOCK * 8]))
        yield past


def pieces(length: int, cached: int) -> list[int]:
    """Return the ends of the requests with which a leader evaluates a prompt of
    ``length`` tokens.
    """
    last = tail(length)
    ends = [*range(PIECE, last, PIECE), last]
    return [end for end in ends if end > cached] + [length]


def tail(length: int) -> int:
    """Return the start of a prompt's last block: all before it can be shared as whole blocks."""
    return (length - 1) // BLOCK * BLOCK
