"""A null model for verifiers that need no model; generating raises UsageError."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.errors import UsageError
from ponder.core.problem import Message
from ponder.models.base import Completion, ModelInfo, Progress, Request, silent


class Absent:
    """A ``Model`` that generates nothing."""

    info = ModelInfo("none", frozenset(), local=True)

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return zero: nothing is ever sent."""
        return 0

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the same count: it is exact."""
        return self.prompt_bound(messages, prefix)

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Refuse.

        Raises:
            UsageError: always.
        """
        raise UsageError("this verifier needs a model: name one with --model.")

    async def close(self) -> None:
        """Do nothing."""
