"""The events of a response, in their order: pure, without a clock or a wire.

A response has the thinking, if a summary is asked for, then the answer, then calls of tools. The
first text of an answer closes the thinking. Events are numbered from ``first`` on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ponder.core.tools import ToolCall
from ponder.server.responses import form
from ponder.server.responses.form import Head, Outcome, Status

Event = dict[str, Any]
ItemStatus = Literal["completed", "incomplete"]
"""Status of an item that has ended."""
LAST = {"completed": "completed", "failed": "failed"}
"""The word of the last event, by status; of all others it is ``incomplete``. There is no word of
its own for a cancelled response, whose status says so.
"""


class Writer:
    """Turns increments of a reply into events, and keeps the items."""

    def __init__(self, head: Head, first: int = 0) -> None:
        self.events: list[Event] = []
        """All events so far."""
        self._head, self._first = head, first
        self._output: list[dict[str, Any]] = []
        self._open, self._name, self._text = "", "", ""  # the item in progress
        self._logprobs: list[Mapping[str, Any]] = []  # of the tokens of its text
        self._status: Status = "queued"

    @property
    def output(self) -> list[dict[str, Any]]:
        """The items so far."""
        return [*self._output, self._item("in_progress")] if self._open else list(self._output)

    @property
    def text(self) -> str:
        """The answer so far; '' if it has not begun."""
        done = [item["content"][0]["text"] for item in self._output if item["type"] == "message"]
        return self._text if self._open == "message" else "".join(done)

    def begin(self, *, queued: bool) -> None:
        """Create the response. ``queued``: it waits for its turn."""
        self._status = "queued" if queued else "in_progress"
        self._emit("created", response=self._now())
        self._emit(self._status, response=self._now())

    def start(self) -> None:
        """Take it out of the queue. Idempotent."""
        if self._status == "queued":
            self._status = "in_progress"
            self._emit("in_progress", response=self._now())

    def tell(self, fact: Mapping[str, Any]) -> None:
        """Pass on an event of the run, for a reader that asked for them."""
        short = self._head.over(Outcome(self._status)) | {"instructions": None, "tools": []}
        self._emit("in_progress", response={**short, "ponder": {"event": dict(fact)}})

    def think(self, text: str) -> None:
        """Add to the thinking, unless the answer has begun already."""
        if not text or self._open == "message" or self._output:
            return
        if not self._open:
            self._add("reasoning")
            empty = {"type": "summary_text", "text": ""}
            self._emit("reasoning_summary_part.added", summary_index=0, part=empty, **self._at)
        self._text += text
        self._emit("reasoning_summary_text.delta", summary_index=0, delta=text, **self._at)

    def answer(self, text: str, logprobs: Sequence[Mapping[str, Any]] = ()) -> None:
        """Add to the answer, with the log-probabilities of the added tokens."""
        if not text:
            return
        if self._open == "reasoning":
            self._close("completed")
        if not self._open:
            self._add("message")
            self._emit("content_part.added", content_index=0, part=form.part(""), **self._at)
        self._text += text
        self._logprobs += logprobs
        told = {"delta": text, "logprobs": [*logprobs]}
        self._emit("output_text.delta", content_index=0, **told, **self._at)

    def call(self, call: ToolCall, status: ItemStatus) -> None:
        """Add a call of a tool; its arguments are known whole."""
        if self._open:
            self._close("completed")
        at = len(self._output)
        self._name = self._head.item("fc", at)
        begun = form.function_call(self._name, call, "in_progress")
        self._emit("output_item.added", output_index=at, item=begun)
        done = {"arguments": call.arguments}
        self._emit("function_call_arguments.delta", delta=call.arguments, **self._at)
        self._emit("function_call_arguments.done", name=call.name, **done, **self._at)
        item = form.function_call(self._name, call, status)
        self._emit("output_item.done", output_index=at, item=item)
        self._output.append(item)

    def end(self, outcome: Outcome) -> dict[str, Any]:
        """Close the response and return it."""
        if self._open:
            whole = outcome.status == "completed" or self._open == "reasoning"
            self._close("completed" if whole else "incomplete")
        self._status = outcome.status
        response = self._head.over(outcome, self._output)
        self._emit(LAST.get(outcome.status, "incomplete"), response=response)
        return response

    def _now(self) -> dict[str, Any]:
        return self._head.over(Outcome(self._status), self.output)

    @property
    def _at(self) -> dict[str, Any]:
        return {"item_id": self._name, "output_index": len(self._output)}

    def _add(self, kind: str) -> None:
        self._open, self._text = kind, ""
        self._name = self._head.item("msg" if kind == "message" else "rs", len(self._output))
        item = self._item("in_progress")
        self._emit("output_item.added", output_index=len(self._output), item=item)

    def _item(self, status: str) -> dict[str, Any]:
        if self._open == "message":
            return form.message(self._name, self._text, status, self._logprobs)
        return form.reasoning(self._name, self._text, status)

    def _close(self, status: str) -> None:
        text = self._text
        if self._open == "reasoning":
            last = {"type": "summary_text", "text": text}
            self._emit("reasoning_summary_text.done", summary_index=0, text=text, **self._at)
            self._emit("reasoning_summary_part.done", summary_index=0, part=last, **self._at)
        else:
            whole = form.part(text, self._logprobs)
            told = {"text": text, "logprobs": whole["logprobs"]}
            self._emit("output_text.done", content_index=0, **told, **self._at)
            self._emit("content_part.done", content_index=0, part=whole, **self._at)
        item = self._item(status)
        self._emit("output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        self._open = ""

    def _emit(self, kind: str, **members: Any) -> None:
        number = self._first + len(self.events)
        self.events.append({"type": f"response.{kind}", "sequence_number": number, **members})
