"""Probes: requests of a few tokens that show what a server does not tell.

They cost tokens, so a vendor that is paid is probed only when the user says so.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ponder.models.discovery.facts import Facts
from ponder.models.discovery.servers import QUESTION
from ponder.models.http.asking import Answer, Asker, Json
from ponder.models.http.endpoint import Endpoint
from ponder.models.sound import count

PATIENCE = 120.0
"""Seconds that a server may take for a probe: it may have to load its model first."""
REPEATED = 16
"""Times that a word stands in the shorter prefix."""
LONG = 12
"""Tokens of a sample that is drawn twice with one seed."""
FLAGS = {"continue_final_message": True, "add_generation_prompt": False}


async def probe(ask: Asker, endpoint: Endpoint) -> Facts:
    """Return what the probes show; nothing if the server cannot be asked so."""
    base: dict[str, Json] = {
        "model": endpoint.model,
        "messages": [QUESTION],
        endpoint.max_tokens_field: 1,
    }
    plain = await _post(ask, base)
    facts = Facts(model=endpoint.model)
    if not plain.rows("choices"):
        return facts
    way, chances, several, seed = await asyncio.gather(
        _prefill(ask, base, plain),
        _chances(ask, base),
        _several(ask, base),
        _seed(ask, {**base, endpoint.max_tokens_field: LONG}),
    )
    return facts.having("probed", "", prefill=way, n=several, seed=seed, **chances)


async def _post(ask: Asker, body: dict[str, Json], **more: Json) -> Answer:
    return await ask.post("chat/completions", {**body, **more}, PATIENCE)


async def _prefill(ask: Asker, base: dict[str, Json], plain: Answer) -> str | None:
    """Return the way that the server continues a message; 'none' if it does not.

    A server that repeats the prefix continues it. So does one whose prompt grows by no more than
    the prefix: where the prefix is closed as a turn of its own, the marks around the turn are
    counted too. The tokens of the prefix are those by which one twice as long is longer.
    """
    word = "la " * REPEATED
    short, long = word.rstrip(), (word * 2).rstrip()
    before = _prompt(plain)
    for way, flags in (("final_message", {}), ("continue_final_message", FLAGS)):
        answers = [
            await _post(ask, base, messages=[QUESTION, _said(prefix)], **flags)
            for prefix in (short, long)
        ]
        if any(answer.status != 200 for answer in answers):
            continue
        if _text(answers[0]).startswith(short):
            return way
        counts = [_prompt(answer) for answer in answers]
        if before is None or counts[0] is None or counts[1] is None:
            return None
        if counts[0] - before <= counts[1] - counts[0]:
            return way
    return "none"


def _said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


async def _chances(ask: Asker, base: dict[str, Json]) -> dict[str, bool]:
    answer = await _post(ask, base, logprobs=True, top_logprobs=2)
    if answer.status >= 500 or not answer.status:
        return {}
    logprobs = _choice(answer).get("logprobs")
    listed = logprobs.get("content") if isinstance(logprobs, dict) else None
    first = listed[0] if isinstance(listed, list) and listed else None
    top = first.get("top_logprobs") if isinstance(first, dict) else None
    return {
        "logprobs": isinstance(first, dict),
        "top_logprobs": isinstance(top, list) and len(top) > 1,
    }


async def _several(ask: Asker, base: dict[str, Json]) -> bool | None:
    answer = await _post(ask, base, n=2, temperature=1.0)
    if answer.status >= 500 or not answer.status:
        return None
    return len(answer.rows("choices")) == 2


async def _seed(ask: Asker, base: dict[str, Json]) -> bool | None:
    """Return True if one seed gives one text, twice; None if there is no text to compare."""
    answers = [await _post(ask, base, seed=7, temperature=1.0) for _ in range(2)]
    texts = [_text(answer) for answer in answers]
    return texts[0] == texts[1] if all(texts) else None


def _choice(answer: Answer) -> dict[str, Any]:
    return next(iter(answer.rows("choices")), {})


def _text(answer: Answer) -> str:
    message = _choice(answer).get("message")
    parts = message if isinstance(message, dict) else {}
    said = [parts.get(name) for name in ("reasoning_content", "reasoning", "content")]
    return "".join(part for part in said if isinstance(part, str))


def _prompt(answer: Answer) -> int | None:
    usage = answer.table.get("usage")
    return count(usage.get("prompt_tokens")) if isinstance(usage, dict) else None
