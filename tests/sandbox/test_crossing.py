"""The channel between a program and its tests: nothing but plain data or a ``Remote`` comes out.

Hostile objects of every builtin shape cross in both directions.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.sandbox import wire
from ponder.sandbox.base import Script
from ponder.sandbox.peers import Asker, Remote, Served, Uncrossable
from ponder.sandbox.wire import read_frame
from tests.support.crossing import DATA, KINDS, is_plain
from tests.support.sandboxes import sandbox

# Hostile objects ----------------------------------------------------------------------------------


class Hostile(BaseException):
    """An object's own code was run by who only wanted to pack it."""


def _refuses(*anything: Any, **named: Any) -> Any:
    raise Hostile


DUNDERS = (
    "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__", "__len__",
    "__iter__", "__getitem__", "__contains__", "__int__", "__index__", "__float__",
    "__complex__", "__str__", "__repr__", "__bytes__", "__format__", "__reduce__",
    "__reduce_ex__", "__getattr__", "__neg__", "__pos__", "__abs__", "__add__", "__radd__",
    "__sub__", "__hash__", "__call__", "__next__", "__enter__", "__copy__", "__deepcopy__",
    "__getnewargs__", "__getstate__", "keys", "values", "items", "encode", "hex", "decode",
    "real", "imag", "numerator", "as_integer_ratio", "__instancecheck__", "__mro_entries__",
)  # fmt: skip
LYING = {"__class__": property(lambda self: int), "__module__": "fractions"}


def hostile_subclass(base: type, *, hashable: bool) -> type:
    """A class that extends ``base`` and refuses whatever an object can be asked for."""
    members: dict[str, Any] = {name: _refuses for name in DUNDERS if name != "__hash__"}
    members["__hash__"] = base.__hash__ if hashable else _refuses
    members |= LYING
    return type("Fraction", (base,), members)


SHAPES: tuple[Callable[[], Any], ...] = (
    lambda: hostile_subclass(int, hashable=True)(7),
    lambda: hostile_subclass(float, hashable=True)(-2.5),
    lambda: hostile_subclass(complex, hashable=True)(1j),
    lambda: hostile_subclass(str, hashable=True)("text"),
    lambda: hostile_subclass(bytes, hashable=True)(b"bytes"),
    lambda: hostile_subclass(bytearray, hashable=False)(b"array"),
    lambda: hostile_subclass(list, hashable=False)([1, [2]]),
    lambda: hostile_subclass(tuple, hashable=False)((1, "2")),
    lambda: hostile_subclass(set, hashable=False)({1, 2}),
    lambda: hostile_subclass(frozenset, hashable=False)({1, 2}),
    lambda: hostile_subclass(dict, hashable=False)({"a": 1}),
)
"""Instances of subclasses: each crosses as what it extends."""
EXTENDED = (7, -2.5, 1j, "text", b"bytes", bytearray(b"array"), [1, [2]], (1, "2"), {1, 2},
            frozenset({1, 2}), {"a": 1})  # fmt: skip


class Meta(type):
    """A class of classes that lie of themselves."""

    __subclasscheck__ = __instancecheck__ = __call__ = _refuses

    def __getattribute__(cls, name: str) -> Any:
        raise Hostile


def _generator() -> Iterator[int]:
    yield 1


def _in_itself() -> list[Any]:
    found: list[Any] = [1]
    found.append({"again": (found,)})
    return found


def _nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


OTHERS: tuple[Callable[[], Any], ...] = (
    lambda: hostile_subclass(object, hashable=False)(),
    lambda: Meta.__new__(Meta, "Fraction", (), {"__module__": "fractions"}),
    lambda: type.__call__(Meta.__new__(Meta, "Decimal", (), {"__module__": "decimal"})),
    lambda: ModuleType("unittest.__main__"),
    lambda: sys,
    lambda: int,
    _generator,
    lambda: iter([1]),
    lambda: (n for n in range(3)),
    lambda: ValueError(_refuses),
    lambda: StopIteration(1),
    lambda: NotImplemented,
    lambda: ...,
    lambda: slice(1, 2),
    lambda: memoryview(b"x"),
    lambda: _refuses,
    lambda: [].append,
    lambda: property(_refuses),
    lambda: {}.keys(),
    object,
)
"""What is no data: a ``Remote`` stands for it."""
TOO_DEEP: tuple[Callable[[], Any], ...] = (_in_itself, lambda: _nested(100_000))
LEAVES = st.sampled_from((*SHAPES, *OTHERS))
ANYTHING = st.recursive(
    DATA | LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner)
    | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def built(recipe: Any) -> Any:
    """The recipe, its leaves made: hostile objects must not meet hypothesis, which asks them."""
    if type(recipe) in (list, tuple):
        return type(recipe)(map(built, recipe))
    if type(recipe) is dict:
        return {key: built(item) for key, item in recipe.items()}
    return recipe() if any(recipe is make for make in (*SHAPES, *OTHERS)) else recipe


class Channel(Asker):
    """Both ends in one process, with real pipes between them."""

    def __init__(self, **names: Any) -> None:
        self.ask_in, ask_out = os.pipe()
        reply_in, self.reply_out = os.pipe()
        super().__init__(ask_out, reply_in)
        self.served = Served(names)

    def reply(self, operation: str = "") -> tuple[Any, list[Any]]:
        request = read_frame(self.ask_in)
        assert request is not None
        wire.write_frame(self.reply_out, self.served.answer(request))
        return super().reply(operation)

    def close(self) -> None:
        for file in (self.ask_in, self.requests, self.replies, self.reply_out):
            os.close(file)


@pytest.fixture(scope="module")
def channel() -> Iterator[Channel]:
    made = Channel()
    yield made
    made.close()


def returned(channel: Channel, value: Any) -> Any:
    """What the tests get of a function that returns the value."""
    channel.served.namespace["f"] = lambda: value
    return channel("name", None, "f")()


@settings(max_examples=60, deadline=None)
@given(ANYTHING)
def test_what_a_program_returns_comes_out_as_plain_data_or_a_remote(
    channel: Channel, recipe: Any
) -> None:
    assert is_plain(returned(channel, built(recipe)), Remote)


@settings(max_examples=60, deadline=None)
@given(DATA)
def test_the_same_data_comes_back_equal(channel: Channel, value: Any) -> None:
    back = returned(channel, value)
    assert back == value
    assert is_plain(back)
    channel.served.namespace["g"] = lambda given: (given, given)
    assert channel("name", None, "g")(value) == (value, value)


@settings(max_examples=60, deadline=None)
@given(ANYTHING)
def test_what_a_test_passes_arrives_as_plain_data_or_is_refused(
    channel: Channel, recipe: Any
) -> None:
    value = built(recipe)
    got: list[Any] = []
    channel.served.namespace["f"] = got.append
    call = channel("name", None, "f")
    try:
        assert call(value) is None
    except Uncrossable:
        assert len(got) == 0
        assert not is_plain(value)
    else:
        assert is_plain(got)


@pytest.mark.parametrize("at", range(len(SHAPES)))
def test_a_subclass_crosses_as_what_it_extends(channel: Channel, at: int) -> None:
    back = returned(channel, SHAPES[at]())
    assert type(back) is type(EXTENDED[at])
    assert back == EXTENDED[at]


@pytest.mark.parametrize("at", range(len(OTHERS)))
def test_what_is_no_data_stays_where_it_is(channel: Channel, at: int) -> None:
    made = OTHERS[at]()
    assert type(returned(channel, made)) is Remote
    assert type(returned(channel, [made])[0]) is Remote
    with pytest.raises(Uncrossable, match="cannot be passed to the program"):
        channel("name", None, "f")(made)


@pytest.mark.parametrize("make", TOO_DEEP)
def test_what_has_no_end_crosses_in_no_direction(channel: Channel, make: Callable[[], Any]) -> None:
    with pytest.raises(RecursionError):
        returned(channel, make())
    with pytest.raises(Uncrossable):
        channel("name", None, "f")(make())


# Exceptions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_an_exception_crosses_as_itself_or_as_what_it_extends(channel: Channel, name: str) -> None:
    kind = getattr(builtins, name)
    made = {
        "UnicodeDecodeError": ("utf-8", b"x", 0, 1, "text"),
        "UnicodeEncodeError": ("utf-8", "x", 0, 1, "text"),
        "UnicodeTranslateError": ("x", 0, 1, "text"),
        "ExceptionGroup": ("text", [ValueError()]),
        "BaseExceptionGroup": ("text", [KeyboardInterrupt()]),
    }.get(name, ("text",))

    def fail() -> None:
        raise kind(*made)

    channel.served.namespace["f"] = fail
    call = channel("name", None, "f")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        call()
    assert channel.raised is caught.value
    if name.startswith("Unicode") and name != "UnicodeError" and "Warning" not in name:
        assert type(caught.value) is UnicodeError
    elif name == "ExceptionGroup":
        assert type(caught.value) is Exception
    elif not issubclass(kind, Exception) or name in ("StopIteration", "StopAsyncIteration"):
        assert type(caught.value) is RuntimeError
    else:
        assert type(caught.value) is kind


def test_stop_iteration_is_an_answer_of_next_only(channel: Channel) -> None:
    def stops(*anything: Any) -> Any:
        raise StopIteration

    members = {"__len__": stops, "__getitem__": stops, "__iter__": stops, "__str__": stops}
    channel.served.namespace["f"] = type("Stops", (), {**members, "__bool__": stops})()
    there = channel("name", None, "f")
    for ask in (len, iter, str, bool, lambda it: it[0], list):
        with pytest.raises(RuntimeError, match=r"^StopIteration$"):
            ask(there)
    assert list(returned(channel, _generator())) == [1]
    assert next(returned(channel, iter(())), "end") == "end"


# In a sandbox -------------------------------------------------------------------------------------

PROGRAM = """
import sys, types, fractions
def refuses(*anything, **named): raise SystemExit(0)
def odd(base):
    names = ("__eq__ __ne__ __lt__ __bool__ __len__ __iter__ __int__ __index__ __float__ __str__ "
             "__repr__ __reduce__ __getattr__ __neg__ __pos__ __abs__ __sub__ __contains__").split()
    members = {name: refuses for name in names}
    members["__class__"] = property(lambda self: fractions.Fraction)
    return type("Fraction", (base,), {**members, "__hash__": base.__hash__})
class Meta(type):
    def __getattribute__(cls, name): raise SystemExit(0)
loop = []; loop.append(loop)
deep = []
for _ in range(100000): deep = [deep]
VALUES = [odd(int)(4), odd(float)(4.0), odd(complex)(4), odd(str)("4"), odd(bytes)(b"4"),
          odd(list)([4]), odd(tuple)((4,)), odd(dict)({4: 4}), odd(set)([4]), odd(frozenset)([4]),
          odd(object)(), Meta("M", (), {}), sys, types.ModuleType("this"), int, (n for n in "4"),
          ValueError("4"), StopIteration(4), NotImplemented, ..., slice(4), memoryview(b"4"),
          range(10**30), loop, deep, float("nan"), 10**4000, "\\ud800", object(), refuses]
def value(at): return VALUES[at]
def size(): return len(VALUES)
"""
LOOK = """
def look(part):
    kind = type(part)
    assert kind in (type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set,
                    frozenset, range) or kind.__name__ == "Remote"
    if kind in (list, tuple, set, frozenset): [look(p) for p in part]
for at in range(size()):
    try: found = value(at)
    except Exception as error:
        assert type(error) is RecursionError
        continue
    look(found)
"""


async def test_hostile_objects_cross_a_sandbox_as_plain_data_or_not_at_all() -> None:
    outcomes = await sandbox("bubblewrap").test([PROGRAM], Script((LOOK, "assert size() == 30")))
    assert [(o.verdict, o.error, o.detail) for o in outcomes] == [("pass", "", "")] * 2
