"""Knobs: read off a strategy's signature, from Python or from words on a command line."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from ponder.core.errors import UnknownName, UsageError
from ponder.strategies import registry
from ponder.strategies.declaring import RUN
from ponder.strategies.knobs import Knob, Open, Range, knobs, read


async def strategy(
    s: Any,
    problem: Any,
    *,
    n: Annotated[int, Range(1, 8)] = 4,
    share: Annotated[float, Range(0.5, 1.0)] = 0.75,
    pick: Literal["best", "worst"] = "best",
    again: bool = False,
    free: float = 1.5,
    word: str = "so",
    unit: Annotated[str, Open(("line", "page"), "at", str)] = "line",
) -> None: ...


KNOWN = knobs(strategy)


def test_the_keyword_parameters_are_the_knobs() -> None:
    assert {
        "n": Knob("n", int, 4, Range(1, 8)),
        "share": Knob("share", float, 0.75, Range(0.5, 1.0)),
        "pick": Knob("pick", str, "best", None, ("best", "worst")),
        "again": Knob("again", bool, False),
        "free": Knob("free", float, 1.5),
        "word": Knob("word", str, "so"),
        "unit": Knob("unit", str, "line", None, ("line", "page"), other="at", check=str),
    } == KNOWN


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"n": "8"}, 8),
        ({"n": 1}, 1),
        ({"n": 2.0}, 2),
        ({"share": "0.5"}, 0.5),
        ({"share": 1}, 1.0),
        ({"pick": "worst"}, "worst"),
        ({"again": "true"}, True),
        ({"again": "false"}, False),
        ({"again": True}, True),
        ({"free": "-2"}, -2.0),
        ({"word": "a_1"}, "a_1"),
        ({"unit": "page"}, "page"),
        ({"unit": "at(</step>)"}, "at(</step>)"),
    ],
)
def test_a_value_is_read_into_the_knobs_own_type(given: dict[str, Any], value: Any) -> None:
    [name] = given
    found = read(KNOWN, given)
    assert found[name] == value
    assert type(found[name]) is type(value)
    assert {k: v for k, v in found.items() if k != name} == {
        k: knob.default for k, knob in KNOWN.items() if k != name
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"n": 0}, "knob 'n' must be between 1 and 8, not 0."),
        ({"n": "9"}, "knob 'n' must be between 1 and 8, not '9'."),
        ({"n": 2.5}, "knob 'n' must be a whole number, not 2.5."),
        ({"n": "0_2"}, "knob 'n' must be a whole number, not '0_2'."),
        ({"n": "2.5"}, "knob 'n' must be a whole number, not '2.5'."),
        ({"n": "many"}, "knob 'n' must be a whole number, not 'many'."),
        ({"n": True}, "knob 'n' must be a whole number, not True."),
        ({"n": None}, "knob 'n' must be a whole number, not None."),
        ({"n": float("inf")}, "knob 'n' must be a whole number, not inf."),
        ({"share": 0.4}, "knob 'share' must be between 0.5 and 1, not 0.4."),
        ({"share": "nan"}, "knob 'share' must be between 0.5 and 1, not 'nan'."),
        ({"share": "half"}, "knob 'share' must be a number, not 'half'."),
        ({"share": False}, "knob 'share' must be a number, not False."),
        ({"pick": "good"}, "knob 'pick' must be one of best, worst, not 'good'."),
        ({"word": 5}, "knob 'word' must be a text, not 5."),
        ({"unit": "pages"}, "knob 'unit' must be one of line, page, at(TEXT), not 'pages'."),
        ({"unit": "at:x"}, "knob 'unit' must be one of line, page, at(TEXT), not 'at:x'."),
        ({"unit": 3}, "knob 'unit' must be one of line, page, at(TEXT), not 3."),
        ({"pick": ["best"]}, "knob 'pick' must be one of best, worst, not ['best']."),
        ({"again": "yes"}, "knob 'again' must be true or false, not 'yes'."),
        ({"again": []}, "knob 'again' must be true or false, not []."),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        read(KNOWN, given)
    assert str(error.value) == sentence


def test_an_unknown_knob_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown knob 'shar': did you mean 'share'"):
        read(KNOWN, {"shar": 1})


@pytest.mark.parametrize("name", registry.STRATEGIES)
def test_every_strategys_defaults_are_within_their_own_bounds(name: str) -> None:
    found = registry.find(name)
    defaults = read(found.knobs, {})
    assert read(found.knobs, defaults) == defaults
    assert read(found.knobs, {k: str(v) for k, v in defaults.items()}) == defaults
    assert found.summary


@pytest.mark.parametrize("name", registry.STRATEGIES)
def test_every_strategy_is_a_short_file(name: str) -> None:
    text = Path(inspect.getfile(registry.find(name).function)).read_text(encoding="utf-8")
    docstring = ast.parse(text).body[0]
    assert len(text.splitlines()) - (docstring.end_lineno or 0) < 120


def test_an_unknown_strategy_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="'best-of-n': did you mean 'best_of_n'"):
        registry.find("best-of-n")


@pytest.mark.parametrize(
    ("name", "values", "verifier"),
    [
        ("direct", {}, ""),
        ("best_of_n", {}, RUN),
        ("self_consistency", {"weight": "votes"}, ""),
        ("self_consistency", {"weight": "confidence"}, "mean_logprob"),
        ("self_consistency", {"weight": "score"}, RUN),
    ],
)
def test_a_strategy_says_which_verifier_it_asks(
    name: str, values: dict[str, Any], verifier: str
) -> None:
    assert registry.find(name).verifier(values) == verifier
