"""Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ponder.core.problem import Message, offered
from ponder.models import sound
from ponder.models.anthropic import refusals
from ponder.models.anthropic.families import family_of
from ponder.models.anthropic.turns import Turn, blank_stops, choice_of, tools_of, turns_of
from ponder.models.base import Request
from ponder.models.finish import read_finish
from ponder.models.http.carried import own
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.failures import fault_of
from ponder.models.http.received import Malformed
from ponder.models.http.replies import Choice, Reply, Usage
from ponder.models.http.wire import Change, Fault, Piece
from ponder.models.thinking import budget_of, level_of, nearest, tokens_of

Json = Any  # what json.loads returns; nothing below trusts it

VERSION = "2023-06-01"
"""Not the latest, 2026-10-21, which refuses temperature and top_p even for models that have them.
Every model answers under both.
"""
LEAST = 1024  # tokens of thinking


class Messages:
    """The ``Wire`` of one model of Anthropic's."""

    def __init__(self, endpoint: Endpoint) -> None:
        family = family_of(endpoint.model)
        self._endpoint = endpoint
        self._model = endpoint.model
        self._drop = endpoint.drop | family.drop
        self._efforts = endpoint.efforts or family.efforts

    def path(self, *, streamed: bool) -> str:
        """Return the address of a request."""
        return "/messages"

    def headers(self, key: str) -> Mapping[str, str]:
        """Return the headers of every request."""
        return {"anthropic-version": VERSION} | ({"x-api-key": key} if key else {})

    def prompt(self, messages: Sequence[Message], prefix: str) -> dict[str, Json]:
        """Return the system prompt and the turns, with the prefix as the assistant's.

        Empty turns are refused, and so is white space at the end of the last.
        """
        system = "\n\n".join(m.content for m in messages if m.role == "system" and m.content)
        said = [m for m in messages if m.role != "system" and (m.content.strip() or m.rare)]
        if prefix.strip():
            said.append(Message("assistant", prefix))
        turns, tools = turns_of(said), offered(messages)
        if said and said[-1].role == "assistant" and not said[-1].calls:
            # it goes on, without any thinking before it
            turns[-1]["content"] = said[-1].content.rstrip()
        return (
            {"messages": turns}
            | ({"system": system} if system else {})
            | ({"tools": tools_of(tools)} if tools else {})
        )

    def fields(self, request: Request, samples: int, *, streamed: bool) -> dict[str, Json]:
        """Return the fields beside the prompt, as far as the model takes them."""
        length = self._endpoint.length(request.max_tokens)
        fields: dict[str, Json] = {"model": self._model, "max_tokens": length}
        fields |= self._asked(request)[0]
        if tools := offered(request.messages):
            fields |= choice_of(tools)
        if request.json_schema and "output_config.format" not in self._drop:
            form = {"type": "json_schema", "schema": request.json_schema}
            fields["output_config"] = fields.get("output_config", {}) | {"format": form}
        if stops := [stop for stop in request.stop if stop.strip()]:
            fields["stop_sequences"] = stops
        if streamed:
            fields["stream"] = True
        return fields

    def remarks(self, request: Request) -> tuple[str, ...]:
        """Return what is asked of the model and cannot be done as asked."""
        remarks = self._asked(request)[1]
        if blank_stops(request):
            remarks += (
                f"{self._model} does not stop at white space: text after it is paid for, and "
                "left out.",
            )
        return remarks

    def read(self, reply: dict[str, Json], request: Request, samples: int) -> Reply:
        """Return the sample, and the usage."""
        content = reply.get("content")
        if not isinstance(content, list):
            raise Malformed("it has no content")
        turn = Turn(request)
        text = reasoning = ""
        for block in content:
            more = turn.start(block)
            text, reasoning = text + more[0], reasoning + more[1]
        text += turn.joint.end()
        finish, stopped_at = read_finish(_word(reply), ended=True) or "stop", _stopped_at(reply)
        if turn.joint.stopped_at is not None:
            finish, stopped_at = "stop", turn.joint.stopped_at
        choice = Choice(
            text,
            finish,
            stopped_at=stopped_at,
            reasoning=reasoning,
            blocks=turn.blocks(),
            characters=turn.size,
            calls=turn.calls(),
        )
        return Reply([choice], self.usage(reply))

    def reader(self, request: Request) -> MessagesReader:
        """Return a reader of events."""
        return MessagesReader(request)

    def usage(self, reply: dict[str, Json]) -> Usage | None:
        """Return the usage of a whole reply."""
        return read_usage(reply.get("usage"))

    def fault(self, reply: dict[str, Json]) -> Fault | None:
        """Return the error that the reply holds instead of a message."""
        return fault_of(reply)

    def learn(self, status: int, body: bytes, request: Request) -> Change | None:
        """Return the change that a refusal asks for, if it names one."""
        return refusals.read(status, body)

    # -- what a model takes ------------------------------------------------------------------------

    def _asked(self, request: Request) -> tuple[dict[str, Json], tuple[str, ...]]:
        """Return the fields for thinking and sampling, and what cannot be done as asked."""
        fields, remarks = self._thinking(request)
        kind = fields["thinking"]["type"] if "thinking" in fields else "disabled"
        for name, value in (("temperature", request.temperature), ("top_p", request.top_p)):
            if value == 1:  # the API's default
                continue
            if name in self._drop:
                remarks += (f"{self._model} does not take {name}: left out.",)
            elif value > 1:
                remarks += (f"{self._model} takes a {name} of at most 1: that is taken.",)
            elif kind != "disabled" and not (name == "top_p" and value >= 0.95):
                remarks += (f"{self._model} does not take {name} while it thinks: left out.",)
            elif "temperature" in fields:
                remarks += (f"{self._model} does not take {name} with a temperature: left out.",)
            else:
                fields[name] = value
        return fields, remarks

    def _thinking(self, request: Request) -> tuple[dict[str, Json], tuple[str, ...]]:
        """Return the fields that ask for thinking, and a remark if it is not as asked."""
        thinking, model = request.thinking, self._model
        length = self._endpoint.length(request.max_tokens)
        takes = {"adaptive", "enabled", "disabled"}
        takes -= {name.removeprefix("thinking.") for name in self._drop}
        if thinking is None or "thinking" in self._drop:
            return {}, ()
        off: dict[str, Json] = {"thinking": {"type": "disabled"}} if "disabled" in takes else {}
        if thinking.level == "off" and off:
            return off, ()
        if request.prefix:
            return off, (f"{model} does not think while it continues a text.",)
        tools = offered(request.messages)
        if tools and tools.forced:
            return off, (f"{model} does not think where it must call a tool.",)
        if "enabled" in takes and (thinking.tokens or "adaptive" not in takes):
            if thinking.level == "auto":  # it has no choice of its own
                return {}, ()
            last = [m for m in request.messages if m.role == "assistant"][-1:]
            if last and last[0].calls and not own(last, self._endpoint)[0].blocks:
                return off, (f"{model} does not think after calls without their thinking.",)
            wanted, tokens = tokens_of(thinking), budget_of(thinking, length)
            tokens = max(LEAST, tokens)
            if tokens >= length:
                return off, (
                    f"{model} thinks {LEAST:,} tokens at least, which do not fit into "
                    f"{length:,}: it does not think.",
                )
            remark = f"{model}: thinking={thinking} is {tokens:,} of {length:,} tokens."
            enabled = {"type": "enabled", "budget_tokens": tokens, "display": "summarized"}
            return {"thinking": enabled}, () if tokens == wanted else (remark,)
        if "adaptive" not in takes:
            return {}, (f"{model} has no thinking that could be set to {thinking}.",)
        fields: dict[str, Json] = {"thinking": {"type": "adaptive", "display": "summarized"}}
        if thinking.level == "auto" or "output_config" in self._drop:
            return fields, ()
        effort = nearest(level_of(thinking), self._efforts)
        remark = f"{model} does not take thinking={thinking}: {effort} is taken."
        fields["output_config"] = {"effort": effort}
        return fields, () if effort == thinking.level else (remark,)


class MessagesReader:
    """Reads the events of one stream."""

    def __init__(self, request: Request) -> None:
        self._turn = Turn(request)
        self._usage: dict[str, Json] = {}
        self._ended = False
        self._called = 0

    def read(self, event: dict[str, Json]) -> Piece:
        """Return what one event carries."""
        if fault := fault_of(event):
            return Piece(fault=fault)
        match event:
            case {"type": "message_start", "message": {"usage": dict(usage)}}:
                self._usage |= usage
                prompt = {name: n for name, n in usage.items() if name != "output_tokens"}
                return Piece(usage=read_usage(prompt))
            case {"type": "content_block_start", "content_block": block}:
                before = self._turn.size
                return self._piece(self._turn.start(block), before)
            case {"type": "content_block_delta", "delta": dict(delta)}:
                before = self._turn.size
                added = [self._turn.add(name, delta.get(name)) for name in _GROWS]
                return self._piece(
                    ("".join(a[0] for a in added), "".join(a[1] for a in added)), before
                )
            case {"type": "message_delta"}:
                return self._end(event)
            case {"type": "message_stop"}:
                return Piece(done=True)
        return Piece()

    def _piece(self, added: tuple[str, str], before: int) -> Piece:
        spoken, stop = self._turn.size > before, self._turn.joint.stopped_at
        if stop is None or self._ended:
            called, self._called = self._turn.called - self._called, self._turn.called
            return Piece(*added, spoken=spoken, called=called)
        self._ended = True
        return Piece(*added, spoken=spoken, finish="stop", stopped_at=stop)

    def _end(self, event: dict[str, Json]) -> Piece:
        usage = event.get("usage")
        if isinstance(usage, dict):  # counts so far; those that are absent or null are as before
            self._usage |= {name: n for name, n in usage.items() if n is not None}
        total = read_usage(self._usage) if isinstance(usage, dict) else None
        delta = event.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        finish = None if self._ended else read_finish(_word(delta), ended=False)
        return Piece(
            self._turn.joint.end(),
            counted=total.completion if total else None,
            usage=total,
            finish=finish,
            stopped_at=_stopped_at(delta),
            blocks=self._turn.blocks() if finish else "",
            calls=self._turn.calls() if finish else (),
        )


_GROWS = ("text", "thinking", "signature", "partial_json")
"""Names of what a delta may add."""


def _word(ending: dict[str, Json]) -> str | None:
    word = ending.get("stop_reason")
    return word if isinstance(word, str) else None


def _stopped_at(ending: dict[str, Json]) -> str:
    stop = ending.get("stop_sequence")
    return stop if isinstance(stop, str) else ""


def read_usage(usage: Json) -> Usage | None:
    """Return the token counts; the prompt's cached parts are counted beside the rest of it."""
    if not isinstance(usage, dict):
        return None
    fresh, cached = sound.count(usage.get("input_tokens")), usage.get("cache_read_input_tokens")
    stored, times = usage.get("cache_creation_input_tokens"), usage.get("cache_creation")
    hour = times.get("ephemeral_1h_input_tokens") if isinstance(times, dict) else None
    if fresh is not None:
        fresh += (sound.count(cached) or 0) + (sound.count(stored) or 0)
    details = usage.get("output_tokens_details")
    thought = details.get("thinking_tokens") if isinstance(details, dict) else None
    return Usage.of(fresh, usage.get("output_tokens"), None, cached, thought, stored, hour)
