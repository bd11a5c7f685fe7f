"""Rows that teach a model to judge: byte for byte what the generative verifier asks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ponder
from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.trace import Trace
from ponder.learning.rows.chains import Asked
from ponder.learning.rows.judging import of_chains, of_steps
from ponder.learning.rows.picking import Choice
from ponder.learning.rows.stepping import stepped
from ponder.models.fakes.scripted import Scripted
from ponder.planning.problems import problem
from ponder.verifiers.generative.template import TEMPLATE, so_far, whole
from ponder.verifiers.registry import find
from tests.support.asking import ask, token
from tests.support.jobs import PROBLEM
from tests.support.lessons import SUM, asked, chain, exported, pool, sample
from tests.support.searching import Tree as Searched
from tests.support.trees import at, grow, name_of, planted


async def prompt_of(trace: Trace) -> str:
    """What the verifier asks about a trace."""
    model = Scripted([token("Yes", Yes=1.0)])
    await ask(find("generative"), [trace], model)
    return model.requests[0].messages[0].content


def ended(shown: Problem, text: str, reasoning: str = "") -> Trace:
    return Trace(shown, text, finish="stop", reasoning=reasoning)


async def test_a_row_is_what_the_verifier_asks(tmp_path: Path) -> None:
    right = sample(" so it is 42\n", reasoning="6 x 7?")
    wrong = sample("no,\n\n<b>41</b>", 0.0, answer="41")
    source = pool(tmp_path / "pool.jsonl", asked(SUM, right, wrong, sample("42, again")))
    summary, [yes, no] = exported(tmp_path, [source], "verify", pick="random", most=2)
    said = [row["completion"] for row in (yes, no)]
    assert [[turn["role"] for turn in one] for one in said] == [["assistant"]] * 2
    assert [one[0]["content"] for one in said] == ["Yes", "No"]
    shown = problem(SUM, "number")
    texts = {" so it is 42\n": "6 x 7?", "42, again": ""}
    [[asked_yes], [asked_no]] = [row["prompt"] for row in (yes, no)]
    prompts = [await prompt_of(ended(shown, *pair)) for pair in texts.items()]
    assert asked_yes["content"] in prompts
    assert asked_no == {
        "role": "user",
        "content": await prompt_of(ended(shown, "no,\n\n<b>41</b>")),
    }
    assert [row["ponder"]["template"] for row in (yes, no)] == [TEMPLATE] * 2
    assert [row["ponder"]["chains"][0]["score"] for row in (yes, no)] == [1.0, 0.0]
    assert (summary.rows, summary.problems) == (2, 1)


@given(st.text(max_size=30), st.text(max_size=30))
def test_thinking_is_not_shown(reasoning: str, text: str) -> None:
    turn = ended(PROBLEM, text, reasoning).turn
    one = chain(turn, said=text)
    other = chain("not this", 0.0, sample="1")
    prompts = [lesson.prompt for lesson in of_chains(PROBLEM, [one, other], Choice("v"), "")]
    usable = bool(text.strip())
    assert prompts == ([whole(PROBLEM, text), whole(PROBLEM, "not this")] if usable else [])


@given(
    st.lists(st.sampled_from([1.0, 0.0, 0.4, None]), max_size=12),
    st.integers(2, 9),
    st.sampled_from(["shortest", "diverse", "best", "random"]),
)
def test_there_are_as_many_yes_as_no(scores: list[float | None], most: int, pick: Any) -> None:
    chains = [chain(f"{'word ' * i}{i}", score, sample=str(i)) for i, score in enumerate(scores)]
    found = list(of_chains(PROBLEM, chains, Choice("v", most=most, pick=pick), "p"))
    count = Counter(lesson.right for lesson in found)
    right, wrong = scores.count(1.0), scores.count(0.0) + scores.count(0.4)
    assert count[True] == count[False] == min(right, wrong, most // 2)
    assert len({lesson.prompt for lesson in found}) == len(found)
    assert all(lesson.right == (lesson.chain.scores["v"] == 1.0) for lesson in found)


# Steps --------------------------------------------------------------------------------------------


async def test_a_step_is_right_if_any_chain_from_there_is() -> None:
    tree = planted("a", "b")
    for path in ("aa", "ab", "ba"):
        tree = grow(tree, path, answer="42")
    scores = {"aa": 1.0, "ab": 0.0, "ba": 0.0}
    chains = [chain(at(tree, p).trace.text, s, sample=name_of(p)) for p, s in scores.items()]
    source = Asked(PROBLEM, "p", tuple(chains), tree=tree)
    choice = Choice("v")
    found = list(of_steps(PROBLEM, list(stepped(source, choice)), choice, "p"))
    assert [(lesson.prompt, lesson.right) for lesson in found] == [
        (so_far(PROBLEM, "a"), True),
        (so_far(PROBLEM, "b"), False),
    ]
    assert found[0].prompt == await prompt_of(at(tree, "a").trace)


def test_steps_of_a_search(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    how: dict[str, Any] = {"strategy": "beam_search", "knobs": {"width": 2, "fan": 2}}
    asking = {"journal": path, "seed": 1, "answer_type": "number", "verifier": "regex(aab)", **how}
    ponder.solve(SUM, model=Scripted(Searched()), **asking)
    _, found = exported(tmp_path, [str(path)], "verify-steps", verifier="regex(aab)")
    said = [row["completion"][0]["content"] for row in found]
    assert Counter(said) == {"Yes": 1, "No": 1}
    assert {row["ponder"]["template"] for row in found} == {TEMPLATE}


# What cannot be -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["verify", "verify-steps"])
def test_one_row_of_a_problem_cannot_be_balanced(kind: Any, tmp_path: Path) -> None:
    source = pool(tmp_path / "pool.jsonl", asked(SUM, sample("42"), sample("41", 0.0)))
    with pytest.raises(UsageError, match=f"--format {kind} takes as many right as wrong.*--most 2"):
        exported(tmp_path, [source], kind, most=1)


def test_a_problem_without_a_wrong_chain_teaches_nothing(tmp_path: Path) -> None:
    source = pool(tmp_path / "pool.jsonl", asked(SUM, sample("42")))
    with pytest.raises(UsageError, match="no problem has a right chain and a wrong one"):
        exported(tmp_path, [source], "verify")
    with pytest.raises(UsageError, match="no problem has a step from which a chain is right and"):
        exported(tmp_path, [source], "verify-steps")
