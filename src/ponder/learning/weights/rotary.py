"""The order of rows in which a GGUF file of the llama architecture holds its queries and keys.

Rotary positions turn pairs of values. Transformers pairs value i of a head with value i + half of
the head; llama.cpp pairs neighbours for this architecture, and its converter moves the rows to
match. For qwen2 both pair halves, and no row moves. The engine's reader moves the rows back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.generic]


def neighboured(rows: Rows, heads: int) -> Any:
    """Return the rows of halves with the members of each pair beside each other, as GGUF has it."""
    return _swapped(rows, heads, 2, rows.shape[0] // heads // 2)


def halved(rows: Rows, heads: int) -> Any:
    """Undo ``neighboured``."""
    return _swapped(rows, heads, rows.shape[0] // heads // 2, 2)


def _swapped(rows: Rows, heads: int, first: int, second: int) -> Any:
    shape = rows.shape
    return rows.reshape(heads, first, second, *shape[1:]).swapaxes(1, 2).reshape(shape)
