"""A program and its tests, each in a process of its own; only plain data passes between them.

The tests' process never sees an object of the program's: what is no data stays there, and a
``Remote`` stands for it. An operator on a ``Remote`` is refused, so no ``__eq__`` or ``__sub__`` of
the program's decides a comparison, or learns what is expected. Part of what is sent into a sandbox.
"""

from __future__ import annotations

import builtins
import sys
from types import CodeType, ModuleType

from ponder.sandbox.wire import no_other, pack, read_frame, unpack, write_frame

TYPE_CHECKING = False  # not from `typing`: each import delays every verdict
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# The program's process ----------------------------------------------------------------------------


UNARY: dict[str, Callable[[Any], Any]] = {
    "len": len, "str": str, "repr": repr, "bool": bool, "iter": iter, "next": next,
}  # fmt: skip


class Served:
    """Serves a program's namespace: names, calls, attributes. Objects are numbered, not sent."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}

    def other(self, value: Any) -> bytes:
        """What stands for an object: a module's name, or a number."""
        if isinstance(value, ModuleType) and value.__name__ in sys.modules:
            name = value.__name__.encode()
            return b"m%x;%s" % (len(name), name)
        number = self.numbers.setdefault(id(value), len(self.objects))
        if number == len(self.objects):
            self.objects.append(value)
        return b"h%x;" % number

    def answer(self, frame: bytes) -> bytes:
        """The reply to one request; of lists and the like that it changed, how they are now."""
        try:
            operation, target, name, args, named = unpack(frame, self.objects.__getitem__)
            value = self.perform(operation, target, name, args, named)
            changed = [a if type(a) in (list, dict, set, bytearray) else None for a in args]
            return pack(("ok", value, changed), self.other)
        except BaseException as error:
            return refusal(error)

    def perform(self, operation: str, target: Any, name: str, args: Any, named: Any) -> Any:
        """What one request asks for."""
        if operation == "name":
            if name not in self.namespace:
                raise NameError(f"name {name!r} is not defined")
            return self.namespace[name]
        if operation == "call":
            return target(*args, **named)
        if operation == "get":
            return getattr(target, name)
        if operation == "set":
            return setattr(target, name, *args)
        if operation == "item":
            return target[args[0]]
        unary: dict[str, Callable[[Any], Any]] = {
            "len": len,
            "str": str,
            "repr": repr,
            "bool": bool,
            "iter": iter,
            "next": next,
        }
        return unary[operation](target)


def refusal(error: BaseException) -> bytes:
    """An exception as data: the builtin one that it is, and its text."""
    known = [
        kind.__name__
        for kind in type(error).__mro__
        if kind.__module__ == "builtins" and issubclass(kind, Exception)
    ]
    text = "".join(str(argument) for argument in error.args[:1])[:500]
    if not known:  # SystemExit and its like, which are no results
        return pack(("raise", "RuntimeError", type(error).__name__), no_other)
    return pack(("raise", known[0], text), no_other)


def run_program(sources: tuple[str, ...], namespace: dict[str, Any]) -> None:
    """Runs the sources in their order, if all are Python; each is compiled alone."""
    ready = [compile(text, f"<{i}>", "exec", dont_inherit=True) for i, text in enumerate(sources)]
    for code in ready:
        exec(code, namespace)


def serve_program(sources: tuple[str, ...], requests: int, replies: int) -> None:
    """Runs a program, says so, and answers requests until there are no more."""
    module = ModuleType("solution")
    sys.modules["solution"] = module
    served = Served(module.__dict__)
    try:
        run_program(sources, module.__dict__)
        write_frame(replies, pack(("ok", None, []), no_other))
    except BaseException as error:
        write_frame(replies, refusal(error))
        return
    while (frame := read_frame(requests)) is not None:
        write_frame(replies, served.answer(frame))


# The tests' process -------------------------------------------------------------------------------


class Died(BaseException):
    """The program's process is gone, or speaks no more."""


class Uncrossable(TypeError):
    """A test passes something to the program that is no data, or uses an operator on a Remote."""


class Asker:
    """Asks the program's process."""

    def __init__(self, requests: int, replies: int) -> None:
        self.requests, self.replies = requests, replies

    def __call__(
        self, operation: str, target: Any, name: str = "", args: Any = (), named: Any = None
    ) -> Any:
        """The result of one request.

        Raises:
            Died, Uncrossable: as they say; and whatever the program raised, as a builtin exception.
        """
        request = pack((operation, target, name, args, named or {}), self.other)
        try:
            write_frame(self.requests, request)
        except OSError:
            raise Died from None
        value, changed = self.reply()
        for old, new in zip(args, changed, strict=False):
            if new is not None and type(old) is type(new):
                old.clear()
                (old.extend if isinstance(old, list | bytearray) else old.update)(new)
        return value

    def reply(self) -> tuple[Any, Any]:
        """The next reply's result, and its arguments after the call."""
        frame = read_frame(self.replies)
        if frame is None:
            raise Died
        try:
            word, *rest = unpack(frame, lambda number: Remote(self, number))
        except (ValueError, TypeError, LookupError, ImportError) as odd:
            raise Uncrossable(f"the program's result cannot be tested: {odd}") from None
        if word == "ok":
            return rest[0], rest[1]
        kind = getattr(builtins, str(rest[0]), None)
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            kind = RuntimeError
        try:
            raised: Exception = kind(rest[1])
        except Exception:
            raised = RuntimeError(rest[1])
        raise raised

    def other(self, value: Any) -> bytes:
        """The number of an object of the program's; nothing else of ours is shown to it."""
        if isinstance(value, Remote):
            return b"h%x;" % value._Remote__number
        raise Uncrossable(f"a {type(value).__name__} cannot be passed to the program")


class Remote:
    """Stands for an object of the program's that is no data. Equal to itself alone."""

    __slots__ = ("__ask", "__number")

    def __init__(self, ask: Asker, number: int) -> None:
        object.__setattr__(self, "_Remote__ask", ask)
        object.__setattr__(self, "_Remote__number", number)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call it."""
        return self.__ask("call", self, "", args, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__ask("set", self, name, (value,))

    def __getitem__(self, key: Any) -> Any:
        return self.__ask("item", self, "", (key,))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and other.__number == self.__number

    def __hash__(self) -> int:
        return hash(self.__number)

    def __len__(self) -> int:
        return self.__ask("len", self)  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return self.__ask("str", self)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return self.__ask("repr", self)  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        return self.__ask("bool", self) is True

    def __iter__(self) -> Any:
        return self.__ask("iter", self)

    def __next__(self) -> Any:
        return self.__ask("next", self)


def run_tests(
    setup: str, units: tuple[str, ...], ask: Asker, report: Callable[[int, str, str, str], None]
) -> None:
    """Reports every unit's verdict; unit -1 is all of them."""
    namespace: dict[str, Any] = {"__name__": "tests"}
    namespace["__program__"] = lambda name: ask("name", None, name)
    at = -1
    try:
        ask.reply()  # the program has been run
        _run_unit(setup, namespace)
    except Died:
        return report(-1, "error", "", "the program ended before its tests")
    except BaseException as error:
        return report(-1, "error", type(error).__name__, str(error))
    for at, unit in enumerate(units):
        try:
            _run_unit(unit, namespace)
            report(at, "pass", "", "")
        except Died:
            return report(at, "died", "", "the program ended during this test")
        except AssertionError as error:
            report(at, "fail", "AssertionError", str(error))
        except BaseException as error:
            report(at, "error", type(error).__name__, str(error))
    return None


def _run_unit(source: str, namespace: dict[str, Any]) -> None:
    code = compile(source, "<tests>", "exec", dont_inherit=True)
    for name in _names(code):
        # What is built in never comes from the program, or it could bring its own `set` or `abs`.
        if name not in namespace and not hasattr(builtins, name):
            try:
                namespace[name] = namespace["__program__"](name)
            except NameError:
                continue  # the test says so itself, or makes it
    exec(code, namespace)


def _names(code: CodeType) -> set[str]:
    inner = [_names(part) for part in code.co_consts if isinstance(part, CodeType)]
    return set(code.co_names).union(*inner)
