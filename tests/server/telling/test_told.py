"""Events as a reader of a stream sees them."""

from __future__ import annotations

import pytest

from ponder.core.budget import Budget
from ponder.core.record.events import (
    Decided,
    Dropped,
    Ended,
    Event,
    Expanded,
    Grew,
    Revised,
    RunStarted,
    SampleFinished,
    SampleLost,
    SampleStarted,
    Scored,
    Steered,
    VoteChanged,
    Weighed,
)
from ponder.core.record.steering import Action
from ponder.core.trace import Score
from ponder.server.telling.told import Telling
from tests.support.jobs import PROBLEM, trace

ONE = trace(1, "42\x1b[31m")
SEARCH = RunStarted("r", "beam_search", {}, "m", Budget(), 0, PROBLEM)
SINGLE = RunStarted("r", "direct", {}, "m", Budget(), 0, PROBLEM)


def told(*events: Event) -> tuple[str, str]:
    """The reasoning and the content of all increments."""
    telling = Telling()
    found = [said for event in events for said in telling.hear(event)]
    return "".join(s.reasoning for s in found), "".join(s.content for s in found)


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (
            VoteChanged((("42", 2.0), ("41", 1.0)), 3),
            "The vote: 42 has 2, 41 has 1; 3 may still come.",
        ),
        (Scored("1", (ONE,), (Score(0.5, "judge"),)), "judge scored 1: 0.50 (42\\x1b[31m)."),
        (
            Scored("1", (ONE, trace(2, "41")), (Score(0.5, "judge"), Score(0.75, "judge"))),
            "judge scored 2 candidates, the best of them: 0.75 (41).",
        ),
        (Scored("1", (ONE,), (Score(None, "judge"),)), "judge abstained."),
        (Expanded("0", ("1", "2", "3")), "Expanded a branch into 3."),
        (Dropped(("1", "2"), "outranked"), "2 branches pruned: outranked."),
        (Revised("1", "0"), "An answer was revised."),
        (Decided("stop", "the vote is settled."), "stop: the vote is settled."),
        (Steered(Action("pause")), "Steered by a person: pause."),
        (Weighed(("a", "b"), (0.9, 0.1), 1.0, "a", ""), "Chose a."),
        (SampleLost("0", "reset.", "generate", True), "A sample was lost: reset."),
        (Ended("tokens", None), "Ended by tokens."),
    ],
)  # fmt: skip
def test_a_sentence_for_each_event(event: Event, sentence: str) -> None:
    assert told(event) == (f"{sentence}\n", "")


@pytest.mark.parametrize(
    "event", [Ended("done", "1"), SampleLost("0", "cancelled"), VoteChanged((), 1)]
)
def test_nothing_to_tell(event: Event) -> None:
    assert told(event) == ("", "")


def test_a_chain_of_each_wave_is_followed() -> None:
    events: list[Event] = [
        SEARCH,
        SampleStarted("0", "generate"),
        SampleStarted("1", "generate"),
        Grew("1", "unseen", "", 1),
        Grew("0", "first ", "", 1),
        Grew("0", "chain", "", 2),
        SampleFinished("0", trace(0), False),
        SampleStarted("2", "judge"),
        SampleStarted("3", "generate"),
        Expanded("0", ("3",)),
        Grew("1", "unseen", "", 2),
        Grew("3", "second", "", 1),
    ]
    thought, content = told(*events)
    assert thought.splitlines() == [
        "Searching with beam_search on m.",
        "2 samples started.",
        "first chain",
        "1 sample started.",
        "Expanded a branch into 1.",
        "second",
    ]
    assert content == ""


def test_a_sentence_waits_for_the_end_of_the_chains_line() -> None:
    begun: list[Event] = [SEARCH, SampleStarted("0", "generate"), Grew("0", "a li", "", 1)]
    wave: list[Event] = [SampleStarted("1", "generate"), Expanded("0", ("1",))]
    waiting = "1 sample started.\nExpanded a branch into 1.\n"
    head = "Searching with beam_search on m.\n1 sample started.\n"
    assert told(*begun, *wave) == (f"{head}a li", "")
    assert told(*begun, *wave, Grew("0", "ne", "", 2)) == (f"{head}a line", "")
    more = Grew("0", "ne\nand more", "", 2)
    assert told(*begun, *wave, more) == (f"{head}a line\n{waiting}and more", "")
    whole = Grew("0", "ne\n", "", 2)
    assert told(*begun, *wave, whole) == (f"{head}a line\n{waiting}", "")
    over = SampleFinished("0", trace(0), False)
    assert told(*begun, *wave, over) == (f"{head}a li\n{waiting}", "")
    again = Grew("0", "a", "", 0)
    broke = "The connection to the model broke; it begins again.\n"
    assert told(*begun, *wave, again) == (f"{head}a li\n{waiting}{broke}", "")


def test_a_sentence_within_the_thinking_of_a_single_sample_comes_before_its_answer() -> None:
    events: list[Event] = [
        SINGLE,
        SampleStarted("0", "generate"),
        Grew("0", "", "hm", 1),
        Decided("stop", "enough"),
        Grew("0", "", "m", 2),
        Grew("0", "42", "", 3),
    ]
    assert told(*events) == ("hmm\nstop: enough.\n", "42")


def test_a_reader_of_sentences_alone_waits_for_no_chain() -> None:
    telling = Telling(chains=False)
    events: list[Event] = [
        SEARCH,
        SampleStarted("0", "generate"),
        Grew("0", "a li", "", 1),
        Expanded("0", ("1",)),
    ]
    found = [said for event in events for said in telling.hear(event)]
    assert [said.reasoning for said in found if said.sentence] == [
        "Searching with beam_search on m.\n",
        "1 sample started.\n",
        "Expanded a branch into 1.\n",
    ]
    assert len(found) == 3


def test_a_single_sample_is_passed_on_and_completed() -> None:
    telling = Telling()
    events: list[Event] = [SINGLE, SampleStarted("0", "generate"), Grew("0", " one\n", "hm", 1)]
    found = [said for event in events for said in telling.hear(event)]
    assert [(s.reasoning, s.content) for s in found if s.reasoning or s.content] == [
        ("hm", ""),
        ("", "one"),
    ]
    telling.hear(Grew("0", "two", "", 2))
    assert telling.sent == "one\ntwo"
    assert telling.rest("one\ntwo three").content == " three"
    assert telling.rest("else").content == "\n\nelse"


def test_a_sample_that_waits_for_its_first_token_has_not_broken() -> None:
    waits: list[Event] = [SINGLE, SampleStarted("0", "generate"), *[Grew("0", "", "", 0)] * 2]
    assert told(*waits, Grew("0", "one", "", 1)) == ("", "one")
    broke = "The connection to the model broke; it begins again.\n"
    assert told(*waits, Grew("0", "", "hm", 0), Grew("0", "", "", 0)) == (f"hm\n{broke}", "")


def test_an_attempt_that_broke_is_not_mixed_with_the_next() -> None:
    events: list[Event] = [
        SINGLE,
        SampleStarted("0", "generate"),
        Grew("0", "one", "", 5),
        Grew("0", "two", "", 1),
    ]
    thought, content = told(*events)
    assert (thought, content) == ("The connection to the model broke; it begins again.\n", "one")
