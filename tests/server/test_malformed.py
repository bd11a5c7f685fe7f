"""Malformed requests to all addresses: no server error, no hang, nothing told of the inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.malformed import Raw, malformed, tried, unsound

EXAMPLES = 120
"""``benchmarks/serve_fuzz.py`` tries 2,000 and more."""


async def test_no_malformed_request_does_harm(tmp_path: Path) -> None:
    assert await tried(range(EXAMPLES), tmp_path / "journal.sqlite") == []


ANSWERS = (
    (b"HTTP/1.1 200 OK\r\n\r\n{}", True),
    (b"HTTP/1.1 400 Bad\r\n\r\n{}", True),
    (b"HTTP/1.1 502 Bad\r\n\r\n{}", True),
    (b"HTTP/1.1 500 Bad\r\n\r\n{}", False),
    (b"HTTP/1.1 503 Bad\r\n\r\n{}", False),
    (b'HTTP/1.1 400 Bad\r\n\r\n{"message": "Traceback (most recent call last)"}', False),
    (b"", False),
)


@pytest.mark.parametrize(("said", "sound"), ANSWERS)
def test_an_unsound_answer_is_found(said: bytes, sound: bool) -> None:
    document: dict[str, Any] = {"paths": {"/x": {"post": {"responses": {"200": {}, "502": {}}}}}}
    assert (unsound(said, document, Raw("POST", "/x", b"{}")) == "") is sound


def test_a_seed_gives_the_same_request_and_another_seed_another() -> None:
    document: dict[str, Any] = {"paths": {}, "components": {"schemas": {}}}
    first = [malformed(document, seed).wire() for seed in range(50)]
    assert first == [malformed(document, seed).wire() for seed in range(50)]
    assert len({*first}) > 40
