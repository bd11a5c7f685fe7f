"""Calls of tools as an answer: calls with equal names and arguments are one vote."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ponder.answers.equivalence import json_key
from ponder.core.answer import Answer
from ponder.core.tools import ToolCall, Toolset


def called(calls: Sequence[ToolCall], tools: Toolset) -> Answer | None:
    """Return the calls as one answer; None if there are none, or one of them cannot be made.

    A call cannot be made if its tool does not exist, or its arguments are not a JSON object. The
    key has neither ids nor an order: calls of one turn are made side by side.
    """
    names = {tool.name for tool in tools.tools}
    keys, texts = [], []
    for call in calls:
        if call.values is None or call.name not in names:
            return None
        arguments = call.arguments.strip() or "{}"
        keys.append(json_key(f"[{json.dumps(call.name)}, {arguments}]"))
        texts.append(f"{call.name}({arguments})")
    return Answer("; ".join(texts), "f:" + " ".join(sorted(keys))) if texts else None
