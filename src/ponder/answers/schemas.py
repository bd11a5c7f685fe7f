"""JSON Schema on hostile text, in a worker process that is killed when it takes too long.

A pattern of nested repetition, ``uniqueItems`` over thousands of objects, or references that
double with each level may take practically for ever. The schema is the caller's and the JSON the
model's, and either may be written to do so. The second half of this file runs in the worker alone.

References are resolved within the schema and among the published metaschemas; nothing is fetched.
``format`` asserts nothing. ``multipleOf`` is exact for decimals: 0.07 is a multiple of 0.01.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ponder.answers.worker import Worker
from ponder.core.errors import UsageError

LONGEST = 8_000_000
"""Most characters that are sent: of a schema and the texts checked against it."""
SECONDS = 5.0
NONE = -1
_SLOW = (
    "the problem's JSON Schema takes too long to check: expected one that takes less than "
    f"{SECONDS:.0f} seconds and little memory; simplify its patterns and references."
)


class SchemaWorker(Worker):
    """Asks a child process of its own, which never imports sympy."""

    def __init__(self, timeout: float = SECONDS) -> None:
        super().__init__("schema", timeout, LONGEST)

    async def check(self, schema: str) -> None:
        """Reject an invalid or unusable schema.

        Raises:
            UsageError: the schema is invalid or cannot be used.
        """
        if schema.strip():
            said = await self.ask("checked", schema)
            if said != "":
                raise UsageError(said if isinstance(said, str) else _SLOW)

    async def first(self, schema: str, texts: Sequence[str]) -> int | None:
        """Return the number of the first text that satisfies the schema.

        ``NONE`` if none does, None if it took too long.

        Raises:
            UsageError: the schema is invalid.
        """
        if not texts or not schema.strip():
            return 0 if texts else NONE
        said = await self.ask("satisfying", schema, *texts)
        if isinstance(said, str):
            raise UsageError(said)
        return said


# The child ----------------------------------------------------------------------------------------


class _Bad(Exception):
    """An invalid schema; its text is the sentence that explains why."""


def checked(schema: str) -> str:
    """Return a sentence that explains why the schema is invalid; empty if it is valid."""
    try:
        _validate(_validator(schema), {})
    except _Bad as error:
        return str(error)
    except RecursionError:
        return _bad("a reference leads back to itself without end")
    except Exception as error:  # a valid schema that the library cannot use
        return _bad(f"{type(error).__name__}: {error}")
    return ""


def _bad(why: object) -> str:
    shown = " ".join(str(why).split())
    return f"the problem's JSON Schema is invalid: {shown[:400]}; repair or remove it."


def satisfying(schema: str, *texts: str) -> int | str:
    """Return the number of the first text that satisfies the schema.

    Else ``NONE``, or as ``checked``.
    """
    if why := checked(schema):
        return why
    validator = _validator(schema)
    try:
        return next((i for i, text in enumerate(texts) if _satisfies(validator, text)), NONE)
    except _Bad as error:
        return str(error)


def _satisfies(validator: Any, text: str) -> bool:
    try:
        return _validate(validator, json.loads(text))
    except (ValueError, ArithmeticError, RecursionError):
        return False


def _validate(validator: Any, value: object) -> bool:
    from referencing.exceptions import Unresolvable

    try:
        return bool(validator.is_valid(value))
    except Unresolvable as error:
        said = " ".join(str(error).split())[:400]
        raise _Bad(
            f"the problem's JSON Schema has a dangling $ref: {said}; nothing is fetched, so "
            "define what it names within the schema."
        ) from None
    except re.error as error:
        raise _Bad(_bad(f"not a regular expression: {error}")) from None


@lru_cache(16)
def _validator(schema: str) -> Any:
    from jsonschema import SchemaError, validators
    from referencing import Registry

    try:
        parsed = json.loads(schema)
        if type(parsed) not in (dict, bool):
            raise ValueError("a schema is an object")
        kind = validators.validator_for(parsed, default=validators.Draft202012Validator)
        kind.check_schema(parsed)
    except SchemaError as error:
        raise _Bad(_bad(f"at {error.json_path[:100]}, {error.message}")) from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise _Bad(_bad(error)) from None
    exact = validators.extend(kind, {"multipleOf": _multiple_of})  # type: ignore[no-untyped-call]
    return exact(parsed, registry=Registry())  # an empty registry: no $ref fetches anything


def _multiple_of(validator: Any, divisor: Any, value: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not validator.is_type(value, "number"):
        return
    try:
        whole = (Fraction(str(value)) / Fraction(str(divisor))).denominator == 1
    except (ValueError, ZeroDivisionError):  # infinite: it was beyond a double
        whole = False
    if not whole:
        yield ValidationError("not a multiple")
