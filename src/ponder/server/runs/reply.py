"""Replies as JSON."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from ponder.core.text import jsontext


class Reply(JSONResponse):
    """JSON in ASCII: a question may hold half of a character, which UTF-8 cannot."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return jsontext.dumps(content).encode()
