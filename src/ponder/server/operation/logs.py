"""Structured logs: one line of JSON per request, without content and without secrets."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from ponder.core.text import jsontext

LOGGER = "ponder.server"
"""Name of the logger of requests and failures."""
_FACTS = "facts"


class Lines(logging.Formatter):
    """Writes a record as one line of JSON.

    Of an exception it has the type and the places, not the message, which may quote a request.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **record.__dict__.get(_FACTS, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _shown(record.exc_info[1])
        return jsontext.dumps(line)


def _shown(error: BaseException) -> list[dict[str, Any]]:
    """Return an exception and its causes, the last one first."""
    found: list[dict[str, Any]] = []
    at: BaseException | None = error
    while at is not None and len(found) < 10:
        frames = [
            f"{frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(at.__traceback__)
        ]
        found.append({"type": type(at).__name__, "at": frames})
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return found


def write(
    event: str, facts: dict[str, Any], error: BaseException | None = None, *, quiet: bool = False
) -> None:
    """Write a line; facts that are None are left out. With an error, it is one of a failure. A
    ``quiet`` one is for whoever debugs.
    """
    known = {name: value for name, value in facts.items() if value is not None}
    level = logging.DEBUG if quiet else logging.INFO if error is None else logging.ERROR
    logging.getLogger(LOGGER).log(level, event, exc_info=error, extra={_FACTS: known})


@contextmanager
def written(level: int = logging.INFO) -> Iterator[None]:
    """Write the logs of the server, and those of what it stands on, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    before = []
    for name in (LOGGER, "uvicorn.error", "asyncio", "opentelemetry"):
        logger = logging.getLogger(name)
        before.append((logger, logger.handlers, logger.propagate, logger.level))
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(max(level, logging.INFO if name == LOGGER else logging.WARNING))
    try:
        yield
    finally:
        for logger, handlers, propagate, was in before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(was)
