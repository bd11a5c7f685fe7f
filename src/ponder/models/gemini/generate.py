"""Gemini's generateContent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ponder.core.errors import CapabilityError
from ponder.core.problem import Message, offered
from ponder.models import sound
from ponder.models.base import Request
from ponder.models.finish import read_finish
from ponder.models.gemini import refusals
from ponder.models.gemini.families import family_of
from ponder.models.gemini.turns import Turn, choice_of, tools_of, turns_of
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.failures import fault_of
from ponder.models.http.received import Malformed
from ponder.models.http.replies import NOTHING, Choice, Reply, Tokens, Usage
from ponder.models.http.wire import Change, Fault, Piece
from ponder.models.thinking import budget_of, level_of, nearest, tokens_of

Json = Any  # what json.loads returns; nothing below trusts it

STOPS = 5  # most stop strings of a request


class Generate:
    """The ``Wire`` of one model of Gemini's."""

    def __init__(self, endpoint: Endpoint) -> None:
        family = family_of(endpoint.model)
        self._endpoint = endpoint
        self._model = endpoint.model.removeprefix("models/")
        self._drop = endpoint.drop | family.drop
        self._efforts = endpoint.efforts or family.efforts
        self._budget = family.budget

    def path(self, *, streamed: bool) -> str:
        """Return the address of a request."""
        method = "streamGenerateContent?alt=sse" if streamed else "generateContent"
        return f"/models/{self._model}:{method}"

    def headers(self, key: str) -> Mapping[str, str]:
        """Return the headers of every request; the address, which is logged, holds no key."""
        return {"x-goog-api-key": key} if key else {}

    def prompt(self, messages: Sequence[Message], prefix: str) -> dict[str, Json]:
        """Return the system instruction and the turns, with the prefix as the model's."""
        system = [{"text": m.content} for m in messages if m.role == "system" and m.content]
        said = [m for m in messages if m.role != "system" and (m.content or m.rare)]
        if prefix:
            said.append(Message("assistant", prefix))
        tools = offered(messages)
        return (
            {"contents": turns_of(said, signed=bool(self._efforts))}
            | ({"systemInstruction": {"parts": system}} if system else {})
            | ({"tools": tools_of(tools)} if tools else {})
        )

    def fields(self, request: Request, samples: int, *, streamed: bool) -> dict[str, Json]:
        """Return the fields beside the prompt, as far as the model takes them.

        Raises:
            CapabilityError: there are too many stop strings.
        """
        config: dict[str, Json] = {
            "maxOutputTokens": self._endpoint.length(request.max_tokens),
            "temperature": request.temperature,
            "topP": request.top_p,
        }
        if "seed" in self._endpoint.capabilities:
            config["seed"] = request.seed
        if len(request.stop) > STOPS:
            raise CapabilityError(
                f"{self._model} takes at most {STOPS} stop strings, not {len(request.stop)}: "
                "give fewer."
            )
        if request.stop:
            config["stopSequences"] = request.stop
        if request.logprobs or request.top_logprobs:
            config["responseLogprobs"] = True
            if request.top_logprobs:
                config["logprobs"] = request.top_logprobs
        if samples > 1:
            config["candidateCount"] = samples
        if thinking := self._thinking(request)[0]:
            config["thinkingConfig"] = thinking
        if request.json_schema and "responseJsonSchema" not in self._drop:
            config["responseMimeType"] = "application/json"
            config["responseJsonSchema"] = request.json_schema
        kept = {k: v for k, v in config.items() if k not in self._drop}
        tools = offered(request.messages)
        return {"generationConfig": kept} | (choice_of(tools) if tools else {})

    def remarks(self, request: Request) -> tuple[str, ...]:
        """Return what is asked of the model and cannot be done as asked."""
        remark, tools = self._thinking(request)[1], offered(request.messages)
        remarks: tuple[str, ...] = (remark,) if remark else ()
        if tools and not tools.parallel:
            remarks += (f"{self._model} cannot be kept from calling several tools at once.",)
        return (
            tuple(
                f"{self._model} does not take {name}: left out."
                for name, value in (("temperature", request.temperature), ("topP", request.top_p))
                if name in self._drop and value != 1
            )
            + remarks
        )

    def read(self, reply: dict[str, Json], request: Request, samples: int) -> Reply:
        """Return the first ``samples`` candidates, and the usage."""
        found, usage = reply.get("candidates"), self.usage(reply)
        if not found and isinstance(reply.get("promptFeedback"), dict):  # the prompt is blocked
            return Reply([Choice("", "refusal")] * samples, usage)
        if not isinstance(found, list) or not found:
            raise Malformed("it has no candidates")
        choices: list[Choice | Malformed] = []
        for candidate in found[:samples]:
            if not isinstance(candidate, dict):
                choices.append(Malformed("a candidate is not an object"))
                continue
            turn = Turn()
            text, reasoning = turn.add(candidate)
            finish = read_finish(_word(candidate), ended=True) or "stop"
            tokens, stopped_at = _read_tokens(candidate, request), _stopped_at(request)
            choices.append(
                Choice(
                    text,
                    finish,
                    tokens,
                    stopped_at,
                    reasoning=reasoning,
                    blocks=turn.parts(),
                    calls=turn.calls(),
                )
            )
        if all(isinstance(choice, Malformed) for choice in choices):
            raise Malformed(str(choices[0]))
        return Reply(choices, usage)

    def reader(self, request: Request) -> GenerateReader:
        """Return a reader of chunks."""
        return GenerateReader(request)

    def usage(self, reply: dict[str, Json]) -> Usage | None:
        """Return the usage of a whole reply."""
        return read_usage(reply.get("usageMetadata"))

    def fault(self, reply: dict[str, Json]) -> Fault | None:
        """Return the error that the reply holds instead of candidates."""
        return fault_of(reply)

    def learn(self, status: int, body: bytes, request: Request) -> Change | None:
        """Return the change that a refusal asks for, if it names one."""
        return refusals.read(status, body, self._efforts)

    def _thinking(self, request: Request) -> tuple[dict[str, Json], str]:
        """Return the configuration of thinking, and a remark if it is not as asked."""
        thinking, drop, name = request.thinking, self._drop, self._model
        length = self._endpoint.length(request.max_tokens)
        if "thinkingConfig" in drop:
            asked = thinking is not None and thinking.level not in ("off", "auto")
            return {}, f"{name} has no thinking that could be set." if asked else ""
        config: dict[str, Json] = {"includeThoughts": True}
        if thinking is None:
            return (config if "native_thinking" in self._endpoint.capabilities else {}), ""
        if self._efforts and "thinkingLevel" not in drop:
            if thinking.level == "auto":
                return config, ""
            level = nearest(level_of(thinking), self._efforts)
            remark = f"{name} does not take thinking={thinking}: {level} is taken."
            config["thinkingLevel"] = level.upper()
            return config, "" if level == thinking.level else remark
        if "thinkingBudget" in drop:
            return config, f"{name} has no thinking that could be set."
        if thinking.level == "auto":
            return config | {"thinkingBudget": -1}, ""
        if thinking.level == "off" and "thinkingBudget=0" not in drop:
            return {"thinkingBudget": 0}, ""
        least, most = self._budget
        tokens = min(max(budget_of(thinking, length), least), most)
        remark = f"{name}: thinking={thinking} is {tokens:,} of {length:,} tokens."
        config["thinkingBudget"] = tokens
        return config, "" if tokens == tokens_of(thinking) else remark


class GenerateReader:
    """Reads the chunks of one stream; each has all counts so far."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._turn = Turn()

    def read(self, event: dict[str, Json]) -> Piece:
        """Return what one chunk carries."""
        if fault := fault_of(event):
            return Piece(fault=fault)
        usage, candidates = read_usage(event.get("usageMetadata")), event.get("candidates")
        counted = (usage.completion or None) if usage else None  # a count of 0 is left out
        if not candidates:
            blocked = isinstance(event.get("promptFeedback"), dict)
            return Piece(counted=counted, usage=usage, finish="refusal" if blocked else None)
        if not isinstance(candidates, list) or not isinstance(candidates[0], dict):
            raise Malformed("a chunk's candidates are not objects")
        candidate = candidates[0]
        before = self._turn.called
        text, reasoning = self._turn.add(candidate)
        called = self._turn.called - before
        finish = read_finish(_word(candidate), ended=False)
        return Piece(
            text,
            reasoning,
            _read_tokens(candidate, self._request),
            bool(text or reasoning or called),
            counted,
            usage,
            finish,
            _stopped_at(self._request),
            blocks=self._turn.parts() if finish else "",
            calls=self._turn.calls() if finish else (),
            called=called,
        )


def _word(candidate: dict[str, Json]) -> str | None:
    word = candidate.get("finishReason")
    return word if isinstance(word, str) else None


def _stopped_at(request: Request) -> str | None:
    """Return None if a stop string may have ended the text: the API does not tell."""
    return None if request.stop else ""


def read_usage(usage: Json) -> Usage | None:
    """Return the token counts. Thoughts are counted beside the text; a count of 0 is left out."""
    if not isinstance(usage, dict):
        return None
    names = ("promptTokenCount", "toolUsePromptTokenCount")
    asked, tools = (sound.count(usage.get(name)) for name in names)
    text, thoughts = usage.get("candidatesTokenCount"), usage.get("thoughtsTokenCount")
    made = [n for n in map(sound.count, (text, thoughts)) if n is not None]
    return Usage.of(
        None if asked is None else asked + (tools or 0),
        sum(made) if made else None,
        usage.get("totalTokenCount"),
        usage.get("cachedContentTokenCount"),
        thoughts,
    )


def _read_tokens(candidate: dict[str, Json], request: Request) -> Tokens:
    """Return the tokens that a candidate lists."""
    result = candidate.get("logprobsResult")
    if not isinstance(result, dict) or not (request.logprobs or request.top_logprobs):
        return NOTHING
    chosen = _list(result.get("chosenCandidates"))
    chances, top, most = None, None, request.top_logprobs
    if request.logprobs:
        chances = tuple(_chance(row) for row in chosen)
    if most:
        places = [
            _list(place.get("candidates")) if isinstance(place, dict) else []
            for place in _list(result.get("topCandidates"))
        ]
        top = tuple(
            {
                sound.whole(row["token"]): _chance(row)
                for row in reversed(place[:most])  # of the same texts, the likeliest stays
                if isinstance(row, dict) and isinstance(row.get("token"), str)
            }
            for place in places
        )
    rows = [row if isinstance(row, dict) else {} for row in chosen]
    return Tokens(len(chosen), chances, top, sound.pieces(rows) if request.pieces else None)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _chance(row: Json) -> float:
    return sound.number(row.get("logProbability") if isinstance(row, dict) else None)
