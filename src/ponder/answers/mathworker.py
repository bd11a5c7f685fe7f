"""The worker for mathematics beyond plain numbers: sympy and math-verify in a child process."""

from __future__ import annotations

from ponder.answers.worker import Worker

LONGEST = 2_000
"""Longest text, in characters, that is sent."""


class MathWorker(Worker):
    """Reads mathematics beyond plain numbers."""

    def __init__(self, timeout: float = 5.0) -> None:
        super().__init__("math", timeout, LONGEST)

    async def key(self, latex: str) -> str | None:
        """Return the canonical key of a LaTeX expression (``symbolic.key``)."""
        reply = await self.ask("key", latex)
        return reply if isinstance(reply, str) else None

    async def same(self, reference: str, reply: str) -> bool | None:
        """Return math-verify's verdict (``symbolic.same``)."""
        verdict = await self.ask("same", reference, reply)
        return verdict if isinstance(verdict, bool) else None
