"""The journal's rows as values, and back.

A journal may be damaged or come from another person. Each row is checked when it is read, so later
code never meets a field that is missing, of another type, or out of bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, cast, get_args

from ponder.core.answer import Answer
from ponder.core.costs.ledger import Item
from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.record.effects import Effect, Execute, Generate, Result, Steer
from ponder.core.record.events import Decision, Steered
from ponder.core.record.steering import Action
from ponder.core.tools import ToolCall
from ponder.core.trace import Finish, Ran, Score, Trace
from ponder.util.decoding import Malformed, decode, parse
from ponder.util.worker import gone

State = Literal["running", "paused", "done", "interrupted", "incomplete", "failed"]
GOING_ON = ("running", "paused")
"""States of a run that has not ended."""
MOST = 1 << 62
"""Upper bound of tokens, calls and seeds, far above any real value."""
LATEST = 253_402_300_799
"""Last second of a calendar with four-digit years."""
_PATH = re.compile(r"(?:s?[0-9]{1,9}(?:\.s?[0-9]{1,9})*(?:/[0-9]{1,9})?)?")


@dataclass(frozen=True, slots=True)
class Row:
    """One call as recorded."""

    seq: int
    path: str
    effect: dict[str, Any]
    result: Any
    """The result; None if the call was lost."""
    lost: str | None
    """The reason why it was lost, if it was."""
    spent: Item | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as recorded."""

    id: str
    created: float
    spec: dict[str, Any]
    """Any JSON object; to resume the run, read it with ``Spec.from_json``."""
    state: str
    """running, paused, done, interrupted, incomplete (samples were lost), failed, or cut off (its
    process ended before the run did). Those that are not done can be resumed.
    """
    result: dict[str, Any] | None


# Reading ------------------------------------------------------------------------------------------


def read_run(
    name: object, created: object, spec: object, state: object, worker: object, result: object
) -> RunRow:
    """Return a row of the table of runs.

    Raises:
        Malformed: it does not have the form that ``Journal`` writes.
    """
    known: str = decode(str, name, "its ID")
    at: float = decode(float, created, "its time")
    if not 0 <= at <= LATEST:
        raise Malformed("its time is out of range")
    word: str = decode(State, state, "its state")
    process: str | None = decode(str | None, worker, "its process")
    if word in GOING_ON and process and gone(process):
        word = "cut off"
    plan = parse(decode(str, spec, "its plan"))
    if not isinstance(plan, dict):
        raise Malformed("its plan is not an object")
    ended = None if result is None else _outcome(parse(decode(str, result, "its result")))
    return RunRow(known, at, plan, word, ended)


@dataclass(frozen=True, slots=True)
class _Figures:
    """The totals of a receipt that ``view`` and ``tree`` show."""

    calls: int
    failed: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    wasted_tokens: int
    usd: float
    flops: int
    seconds: float


def _outcome(value: Any) -> dict[str, Any]:
    """Return the fields of a run's result that are read here: a later version may write more."""
    found = cast(dict[str, Any], decode(Mapping[str, Any], value, "its result"))
    for field, kind in (("answer", str | None), ("chosen", str | None), ("stopped_by", str),
                        ("confidence", float | None)):  # fmt: skip
        decode(kind, found.get(field), f"its result's {field}")
    receipt = decode(Mapping[str, Any], found.get("receipt"), "its receipt")
    total = decode(Mapping[str, Any], receipt.get("total"), "its receipt's total")
    shown = {one.name: total[one.name] for one in fields(_Figures) if one.name in total}
    decode(_Figures, shown, "its receipt's total")
    return found


def read_rows(rows: Iterable[tuple[object, object]]) -> list[Row]:
    """Return the rows (seq, record) of one run's table of calls, in their order.

    Raises:
        Malformed: one does not have the form that ``Journal`` writes, or a sample continues a later
            one.
    """
    found = []
    for seq, record in rows:
        number = decode(int, seq, "the number of a call")
        try:
            found.append(_row(number, parse(decode(str, record))))
        except Malformed as error:
            raise Malformed(f"call {number}: {error}") from None
    _check_order(found)
    return found


def _row(seq: int, record: Any) -> Row:
    if not isinstance(record, list) or len(record) != 5:
        raise Malformed("it is not a list of five")
    path, effect, result, lost, spent = record
    _check_path(path or None)
    if not isinstance(effect, dict):
        raise Malformed("its effect is not an object")
    decode(str | None, lost, "its loss")
    if (result is None) == (lost is None):
        raise Malformed("it has neither a result nor a loss, or both")
    _check_effect(effect)
    if result is not None:
        _check_result(effect, result)
    return Row(seq, path, effect, result, lost, None if spent is None else _item(spent))


def _check_path(path: Any) -> None:
    if not isinstance(path, str) or len(path) > 10_000 or not _PATH.fullmatch(path):
        raise Malformed("a path must be numbers with dots between")


def _check_effect(effect: Mapping[str, Any]) -> None:
    match effect.get("effect"):
        case "generate":
            _check_path(effect.get("start"))
            _count(effect.get("seed"), "its seed")
            decode(str, effect.get("problem"), "its problem")
            decode(str, effect.get("role"), "its role")
        case "verify":
            decode(str, effect.get("verifier"), "its verifier")
            _check_traces(effect)
        case "steer":
            _check_traces(effect)
        case "execute":
            _check_path(effect.get("trace"))
            decode(str, effect.get("role"), "its role")
        case _:
            raise Malformed("its effect has an unknown name")


def _check_traces(effect: Mapping[str, Any]) -> None:
    traces = effect.get("traces")
    if not isinstance(traces, list):
        raise Malformed("its traces are not a list")
    for path in traces:
        _check_path(path)


def _check_result(effect: Mapping[str, Any], result: Any) -> None:
    if effect["effect"] == "generate":
        _check_trace(result)
        _check_path(result["id"] or None)
        return
    if effect["effect"] == "execute":
        ran: _PackedRun = decode(_PackedRun, result, "the outcome of a program")
        _check_answer(ran.answer)
        return
    if not isinstance(result, list):
        raise Malformed("its result is not a list")
    if effect["effect"] == "steer":
        for action in result:
            _action(action)
        return
    if len(result) != len(effect["traces"]):
        raise Malformed("it does not have one score for each trace")
    for score in result:
        decode(Score, score, "a score")


@dataclass(frozen=True, slots=True)
class _Packed:
    """A trace in the form that ``pack`` writes."""

    text: str
    tokens: int
    finish: Finish | None
    answer: tuple[str, ...] | None
    logprobs: tuple[float, ...] | None
    id: str
    parent: str
    top: tuple[Mapping[str, float], ...] | None = None
    reasoning: str = ""
    blocks: str = ""
    calls: tuple[ToolCall, ...] = ()
    pieces: tuple[str | tuple[int, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class _PackedRun:
    """The outcome of a program in the form that ``pack`` writes."""

    answer: tuple[str, ...] | None
    output: str
    why: str


def _check_answer(answer: tuple[str, ...] | None) -> None:
    if answer is not None and len(answer) != 2:
        raise Malformed("its answer must be a text and a key")


def _check_trace(value: Any) -> None:
    trace: _Packed = decode(_Packed, value, "a sample")
    _count(trace.tokens, "its tokens")
    _check_path(trace.id)
    _check_path(trace.parent)
    _check_answer(trace.answer)
    for piece in trace.pieces or ():
        if not isinstance(piece, str) and not all(0 <= byte <= 255 for byte in piece):
            raise Malformed("the bytes of a token must be from 0 to 255")


def _item(spent: Any) -> Item:
    names = [f.name for f in fields(Item)]
    if not isinstance(spent, list) or len(names) - len(spent) not in (0, 1, 2):  # thinking is rare
        raise Malformed("its costs are not a list of figures")
    item: Item = decode(Item, dict(zip(names, spent, strict=False)), "its costs")
    for name in ("calls", "failed", "prompt_tokens", "cached_tokens", "completion_tokens",
                 "wasted_tokens", "reasoning_tokens", "estimated_tokens"):  # fmt: skip
        _count(getattr(item, name), name)
    if min(item.picousd, item.flops, item.seconds) < 0:
        raise Malformed("its costs are below zero")
    return item


def _count(value: Any, what: str) -> None:
    if not 0 <= decode(int, value, what) < MOST:
        raise Malformed(f"{what} must be zero or more, and below 2**62")


def _check_order(rows: Sequence[Row]) -> None:
    """Check that a trace is continued only after it arrived: cycles of parents are invalid."""
    made = [r.result for r in rows if r.result is not None and r.effect["effect"] == "generate"]
    ids, parents = {trace["id"] for trace in made}, dict[str, str]()
    for trace in made:
        name, parent = trace["id"], trace["parent"]
        later = parent in ids and parent not in parents
        if parents.setdefault(name, parent) != parent or (parent and later):
            raise Malformed(f"the sample {name} continues a later one")


# Writing, and reading again -----------------------------------------------------------------------


def pack(result: Result) -> Any:
    """Return a result as JSON. Problems are left out: they are in the run's specification."""
    if isinstance(result, Trace):
        answer = result.answer
        top = {} if result.top is None else {"top": [dict(place) for place in result.top]}
        return {
            "text": result.text,
            "tokens": result.tokens,
            "finish": result.finish,
            "answer": None if answer is None else [answer.text, answer.key],
            "logprobs": result.logprobs,
            "id": result.id,
            "parent": result.parent,
            **top,
            **({"reasoning": result.reasoning} if result.reasoning else {}),
            **({"blocks": result.blocks} if result.blocks else {}),
            **({"calls": [asdict(call) for call in result.calls]} if result.calls else {}),
            **({} if result.pieces is None else {"pieces": list(map(_spelled, result.pieces))}),
        }
    if isinstance(result, Ran):
        said = None if result.answer is None else [result.answer.text, result.answer.key]
        return {"answer": said, "output": result.output, "why": result.why}
    return [asdict(item) for item in result]


def _spelled(piece: bytes) -> str | list[int]:
    """Return a token as text, or by its bytes if they are only a part of a character."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return list(piece)


def unpack(packed: Any, effect: Effect) -> Result:
    """Return the result of ``effect`` from JSON."""
    if isinstance(effect, Generate):
        return unpack_trace(packed, effect.problem)
    if isinstance(effect, Execute):
        return unpack_ran(packed)
    if isinstance(effect, Steer):
        return tuple(map(_action, packed))
    return tuple(Score(**score) for score in packed)


def unpack_ran(packed: dict[str, Any]) -> Ran:
    """Return the outcome of a program from JSON."""
    answer = packed["answer"]
    return Ran(None if answer is None else Answer(*answer), packed["output"], packed["why"])


_DECISIONS = {kind.__name__: kind for kind in get_args(Decision)}


def pack_decision(decision: Decision) -> list[Any]:
    """Return a decision as JSON values: its kind and its fields."""
    return [type(decision).__name__, asdict(decision)]


def read_decisions(rows: Iterable[tuple[object, object]]) -> list[tuple[int, Decision]]:
    """Return the rows (follows, record) of one run's table of decisions.

    Raises:
        Malformed: one does not have the form that ``pack_decision`` writes.
    """
    return [(decode(int, follows, "a place"), _decision(record)) for follows, record in rows]


def _decision(record: object) -> Decision:
    value = parse(decode(str, record, "a decision"))
    if not isinstance(value, list) or len(value) != 2 or value[0] not in _DECISIONS:
        raise Malformed("a decision is of an unknown kind")
    if value[0] == Steered.__name__:
        fields = decode(Mapping[str, Any], value[1], "a decision")
        at: tuple[str, ...] = decode(
            tuple[str, ...], fields.get("at", ()), "the place of an action"
        )
        return Steered(_action(fields.get("action")), at)
    decision: Decision = decode(_DECISIONS[value[0]], value[1], "a decision")
    return decision


def read_action(record: object) -> Action:
    """Return an action from its JSON text.

    Raises:
        Malformed: it is not an action.
    """
    return _action(parse(decode(str, record, "an action")))


def _action(value: Any) -> Action:
    try:
        action: Action = decode(Action, value, "an action")
    except UsageError as error:
        raise Malformed(str(error)) from None
    return action


def unpack_trace(packed: dict[str, Any], problem: Problem) -> Trace:
    """Return a trace of the problem from JSON."""
    answer, logprobs, top = packed["answer"], packed["logprobs"], packed.get("top")
    pieces = packed.get("pieces")
    return replace(
        Trace.empty(problem),
        **{
            **packed,
            "answer": None if answer is None else Answer(*answer),
            "logprobs": None if logprobs is None else tuple(logprobs),
            "top": None if top is None else tuple(top),
            "calls": tuple(ToolCall(**call) for call in packed.get("calls", ())),
            "pieces": None if pieces is None else tuple(map(_bytes, pieces)),
        },
    )


def _bytes(piece: str | list[int]) -> bytes:
    """Return the bytes of a token; half of a surrogate pair in a damaged file is replaced."""
    return piece.encode(errors="replace") if isinstance(piece, str) else bytes(piece)
