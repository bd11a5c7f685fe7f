"""A thinking dial for any language model.

import ponder
result = ponder.solve("How many primes are there below 100?", effort="high")
print(result.answer, result.confidence, result.receipt.total)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ponder._version import __version__

if TYPE_CHECKING:
    from ponder.api import aresume, asolve, resume, solve, stream
    from ponder.batching import abatch, batch
    from ponder.core.answer import Answer
    from ponder.core.budget import Budget
    from ponder.core.costs.ledger import Item, Receipt
    from ponder.core.errors import ModelError, PonderError, RunFailed, UsageError
    from ponder.core.problem import Message, Problem
    from ponder.core.tools import Image, Tool, ToolCall, Toolset
    from ponder.core.trace import Score, Trace
    from ponder.decision import Decision, adecide, decide
    from ponder.runtime.answered import Answered, BatchResult
    from ponder.runtime.engine import Engine
    from ponder.runtime.result import Candidate, Result

_WHERE = {
    "api": ("aresume", "asolve", "resume", "solve", "stream"),
    "batching": ("abatch", "batch"),
    "core.answer": ("Answer",),
    "core.budget": ("Budget",),
    "core.errors": ("ModelError", "PonderError", "RunFailed", "UsageError"),
    "core.costs.ledger": ("Item", "Receipt"),
    "core.problem": ("Message", "Problem"),
    "core.tools": ("Image", "Tool", "ToolCall", "Toolset"),
    "core.trace": ("Score", "Trace"),
    "decision": ("Decision", "adecide", "decide"),
    "runtime.answered": ("Answered", "BatchResult"),
    "runtime.engine": ("Engine",),
    "runtime.result": ("Candidate", "Result"),
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "Answer",
    "Answered",
    "BatchResult",
    "Budget",
    "Candidate",
    "Decision",
    "Engine",
    "Image",
    "Item",
    "Message",
    "ModelError",
    "PonderError",
    "Problem",
    "Receipt",
    "Result",
    "RunFailed",
    "Score",
    "Tool",
    "ToolCall",
    "Toolset",
    "Trace",
    "UsageError",
    "__version__",
    "abatch",
    "adecide",
    "aresume",
    "asolve",
    "batch",
    "decide",
    "resume",
    "solve",
    "stream",
]


def __getattr__(name: str) -> Any:
    # Names are imported when first used, so that `import ponder` and `ponder --help` stay quick.
    if name not in _MODULES:
        raise AttributeError(f"module 'ponder' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"ponder.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
