"""How a sample that grows is told of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.costs.ledger import Ledger
from ponder.core.errors import ModelError
from ponder.core.record.effects import Call, Generate, Sampling
from ponder.core.record.events import Event, Grew, SampleFinished, SampleLost, SampleStarted
from ponder.core.trace import Delta, Trace
from ponder.runtime.handlers.traced import EVERY, traced
from tests.support.jobs import PROBLEM
from tests.support.virtual import run

START = Trace.empty(PROBLEM)
DONE = Trace(PROBLEM, "all of it", 3, "stop", id="0")


class Told:
    """Events of one sample whose deltas come at times of their own; ``fails`` at the end."""

    def __init__(self, deltas: list[tuple[float, Delta]], *, fails: bool = False) -> None:
        self.events: list[Event] = []
        self._deltas, self._fails, self._now = deltas, fails, 0.0
        handler = traced(
            self._generate, self.events.append, Ledger(), lambda: self._now, watched=True
        )
        call = Call("0", Generate(START, Sampling(), 1))
        if fails:
            with pytest.raises(ModelError):
                run(handler(call))  # type: ignore[arg-type]
        else:
            run(handler(call))  # type: ignore[arg-type]

    async def _generate(self, call: Call) -> Trace:
        for now, delta in self._deltas:
            self._now = now
            call.progress(delta)
        if self._fails:
            raise ModelError("it broke")
        return DONE

    @property
    def grown(self) -> list[Grew]:
        return [event for event in self.events if isinstance(event, Grew)]


def test_the_first_delta_is_told_at_once_and_what_comes_soon_after_it_together() -> None:
    told = Told(
        [
            (0.0, Delta("a", "", 1)),
            (0.25 * EVERY, Delta("b", "", 2)),
            (0.5 * EVERY, Delta("c", "x", 3)),
            (1.5 * EVERY, Delta("d", "", 4)),
            (1.75 * EVERY, Delta("e", "y", 5)),
        ]
    )
    assert told.events == [
        SampleStarted("0", "generate"),
        Grew("0", "a", "", 1),
        Grew("0", "bcd", "x", 4),
        Grew("0", "e", "y", 5),
        SampleFinished("0", DONE, False),
    ]


def test_what_was_written_is_told_before_the_sample_is_lost() -> None:
    told = Told([(0.0, Delta("a", "", 1)), (0.0, Delta("b", "", 2))], fails=True)
    assert told.events[1:] == [
        Grew("0", "a", "", 1),
        Grew("0", "b", "", 2),
        SampleLost("0", "it broke", failed=True),
    ]


def test_a_second_attempt_begins_anew() -> None:
    told = Told([(0.0, Delta("a", "", 1)), (0.0, Delta("b", "", 2)), (0.0, Delta()),
                 (0.0, Delta("c", "", 1))])  # fmt: skip
    assert [(g.text, g.tokens) for g in told.grown] == [("a", 1), ("b", 2), ("", 0), ("c", 1)]


WORDS = st.tuples(st.floats(0, 0.2), st.text(max_size=3), st.text(max_size=3))


@given(st.lists(WORDS))
def test_no_word_is_lost_and_no_sample_is_told_of_too_often(parts: list[tuple]) -> None:  # type: ignore[type-arg]
    now, deltas = 0.0, []
    for count, (pause, text, reasoning) in enumerate(parts, 1):
        now += pause
        deltas.append((now, Delta(text, reasoning, count)))
    grown = Told(deltas).grown
    assert "".join(g.text for g in grown) == "".join(text for _, text, _ in parts)
    assert "".join(g.reasoning for g in grown) == "".join(thought for *_, thought in parts)
    assert [g.tokens for g in grown][-1:] == [len(parts)][: len(parts)]
    assert len(grown) <= 2 + now / EVERY
