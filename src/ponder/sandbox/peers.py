"""A program and its tests, each in a process of its own; only plain data passes between them.

The tests' process never sees an object of the program's: what is no data stays there, and a
``Remote`` stands for it. An operator on a ``Remote`` is refused, so no ``__eq__`` or ``__sub__`` of
the program's decides a comparison, or learns what is expected. Nothing is imported on the program's
word. Part of what is sent into a sandbox.
"""

from __future__ import annotations

import builtins
import sys
from _sitebuiltins import Quitter
from types import CodeType, ModuleType

from ponder.sandbox.wire import (
    imported,
    no_other,
    pack,
    read_frame,
    unpack,
    write_frame,
)

TYPE_CHECKING = False  # not from `typing`: each import delays every verdict
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# The program's process ----------------------------------------------------------------------------


EXCEPTIONS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in vars(builtins).values()
    if isinstance(kind, type) and issubclass(kind, Exception)
}
"""The builtin exceptions: no others cross."""
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
        """Return the number that stands for an object."""
        number = self.numbers.setdefault(id(value), len(self.objects))
        if number == len(self.objects):
            self.objects.append(value)
        return b"h%x;" % number

    def answer(self, frame: bytes) -> bytes:
        """Return the reply to one request, with the new state of the arguments that it changed."""
        try:
            request = unpack(frame, self.objects.__getitem__, imported)
            operation, target, name, args, named = request
            value = self.perform(operation, target, name, args, named)
            changed = [a if type(a) in (list, dict, set, bytearray) else None for a in args]
            return pack(("ok", value, changed), self.other)
        except BaseException as error:
            return refusal(error)

    def perform(self, operation: str, target: Any, name: str, args: Any, named: Any) -> Any:
        """Return the result of one request."""
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
        return UNARY[operation](target)


_NAME, _BASES = type.__dict__["__name__"], type.__dict__["__mro__"]  # not as a metaclass says


def refusal(error: BaseException) -> bytes:
    """Return an exception as data: its builtin classes, the nearest first, and its text."""
    bases = _BASES.__get__(type(error))
    known = tuple(name for name in map(_NAME.__get__, bases) if EXCEPTIONS.get(name) in bases)
    if not known:  # SystemExit and its like, which are no results
        return pack(("raise", ("RuntimeError",), _NAME.__get__(type(error))), no_other)
    try:
        text = "".join(str(argument) for argument in error.args[:1])[:500]
        return pack(("raise", known, text), no_other)
    except BaseException:  # a text that it does not give
        return pack(("raise", known, ""), no_other)


def run_program(sources: tuple[str, ...], namespace: dict[str, Any]) -> None:
    """Run the sources in order, if all are Python; each is compiled alone."""
    for name in ("exit", "quit"):  # `site` makes them, which is not imported here
        setattr(builtins, name, Quitter(name, "the end of the input"))
    ready = [compile(text, f"<{i}>", "exec", dont_inherit=True) for i, text in enumerate(sources)]
    for code in ready:
        exec(code, namespace)


def serve_program(sources: tuple[str, ...], requests: int, replies: int) -> None:
    """Run a program, report so, and answer requests until there are no more."""
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
    """Raised when the program's process is gone, or sends no more replies."""


class Uncrossable(TypeError):
    """Raised when a test passes something other than data to the program, or gets such a reply."""


class Asker:
    """Asks the program's process.

    ``failure`` is the last request that failed of itself, ``raised`` the last exception that was
    the program's: they decide a verdict even where a test catches them.
    """

    def __init__(self, requests: int, replies: int) -> None:
        self.requests, self.replies = requests, replies
        self.failure: Died | Uncrossable | None = None
        self.raised: Exception | None = None

    def __call__(
        self, operation: str, target: Any, name: str = "", args: Any = (), named: Any = None
    ) -> Any:
        """Return the result of one request.

        Raises:
            Died, Uncrossable: see there.
            Exception: whatever the program raised, as a builtin exception.
        """
        try:
            request = pack((operation, target, name, args, named or {}), self.other)
            write_frame(self.requests, request)
        except OSError:
            raise self.failed(Died()) from None
        except (Uncrossable, RecursionError, MemoryError) as error:
            raise self.failed(Uncrossable(f"an argument cannot cross: {error}")) from None
        value, changed = self.reply(operation)
        if operation == "call":
            for old, new in zip(args, changed, strict=False):
                if type(old) is type(new) and isinstance(old, list | dict | set | bytearray):
                    old.clear()
                    (old.extend if isinstance(old, list | bytearray) else old.update)(new)
        return value

    def failed(self, failure: Died | Uncrossable) -> Died | Uncrossable:
        """Record the failure, and return it."""
        self.failure = failure
        return failure

    def reply(self, operation: str = "") -> tuple[Any, list[Any]]:
        """Return the next reply's result, and its arguments after the call.

        Raises:
            Died, Uncrossable: see there.
            Exception: whatever the program raised, as a builtin exception.
        """
        try:
            frame = read_frame(self.replies)
            if frame is None:
                raise self.failed(Died())
            reply = unpack(frame, lambda number: Remote(self, number))
        except (ValueError, RecursionError, MemoryError) as odd:
            text = f"the program's result cannot be tested: {odd}"
            raise self.failed(Uncrossable(text)) from None
        match reply:
            case ("ok", value, list() as changed):
                return value, changed
            case ("raise", tuple() as kinds, str() as text):
                self.raised = _exception(kinds, text, ends=operation == "next")
                raise self.raised
        raise self.failed(Uncrossable("the program's reply is none"))

    def other(self, value: Any) -> bytes:
        """Return the number of an object of the program's; nothing else of ours is shown to it."""
        if type(value) is Remote:
            return b"h%x;" % value._Remote__number
        raise Uncrossable(f"a {_NAME.__get__(type(value))} cannot be passed to the program")


def _exception(kinds: tuple[Any, ...], text: str, *, ends: bool) -> Exception:
    """Return the first of the kinds that is builtin and takes a text.

    StopIteration only where it is an answer: else the program's would end a `map` or `zip` of the
    tests as if there were no more to compare.
    """
    for name in kinds:
        kind = EXCEPTIONS.get(name) if type(name) is str else None
        if kind is StopIteration and ends:
            return kind()
        if kind is None or kind in (StopIteration, StopAsyncIteration):
            break
        try:
            return kind(text)
        except TypeError:  # UnicodeDecodeError, which takes more than a text
            continue
    return RuntimeError(": ".join(filter(None, (*(k for k in kinds[:1] if type(k) is str), text))))


class Remote:
    """Stands for an object of the program's that is not data. Equal to itself alone."""

    __slots__ = ("__ask", "__number")

    def __init__(self, ask: Asker, number: int) -> None:
        object.__setattr__(self, "_Remote__ask", ask)
        object.__setattr__(self, "_Remote__number", number)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call the object."""
        return self.__ask("call", self, "", args, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_Remote__")):
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
    """Report every unit's verdict; unit -1 is all of them."""
    namespace: dict[str, Any] = {"__name__": "tests"}
    namespace["__program__"] = lambda name: ask("name", None, name)

    def begin() -> None:
        ask.reply()  # the program has been run
        _run_unit(setup, namespace)

    verdict, error, detail = _ended(begin, ask)
    if verdict != "pass":
        return report(-1, "error", error, detail)
    for at, unit in enumerate(units):
        verdict, error, detail = _ended(lambda unit=unit: _run_unit(unit, namespace), ask)  # type: ignore[misc]
        report(at, verdict, error, detail)
        if verdict == "died":
            return None
    return None


def _ended(work: Callable[[], None], ask: Asker) -> tuple[str, str, str]:
    """Return the verdict of a unit, its error's name and text.

    A failure of the harness decides it, whatever the unit caught. A failed assertion of the
    program's own is an error like any other.
    """
    ask.failure = ask.raised = None
    ended = ("pass", "", "")
    try:
        work()
    except BaseException as error:
        failed = isinstance(error, AssertionError) and error is not ask.raised
        ended = ("fail" if failed else "error", type(error).__name__, _text(error))
    if isinstance(ask.failure, Died):
        return "died", "", "the program ended before its tests did"
    if ask.failure is not None:
        return "error", "Uncrossable", str(ask.failure)
    return ended


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # it holds a Remote, whose text is the program's to give
        return ""


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
