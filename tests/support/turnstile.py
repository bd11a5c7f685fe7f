"""A gate that lets some requests through and then holds."""

from __future__ import annotations

import asyncio
from typing import Literal

from tests.support.serving import Gate


class Turnstile(Gate):
    """Lets the first ``free`` requests through; the others wait until it is set."""

    def __init__(self, free: int = 0) -> None:
        super().__init__()
        self.free = free

    async def wait(self) -> Literal[True]:
        if self.free:
            self.free -= 1
            await asyncio.sleep(0)
            return True
        return await super().wait()
