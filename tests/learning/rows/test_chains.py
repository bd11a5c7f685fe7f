"""Chains and their votes."""

from __future__ import annotations

from dataclasses import replace

from ponder.core.problem import ArithmeticTests, Message, Problem
from ponder.learning.rows.chains import AGREEMENT, Asked, key_of, left_out, misstep
from tests.support.jobs import PROBLEM
from tests.support.lessons import chain

PUZZLE = Problem((Message("user", "?"),), "math", tests=ArithmeticTests((67, 47, 25), "5"))


def test_agreement_is_the_share_of_all_samples_with_the_answer() -> None:
    silent = replace(chain("?"), answer=None, key=None)
    other = replace(chain("43"), answer="43", key="q:43")
    voted = Asked(PROBLEM, "p", (chain("a"), chain("b"), other, silent)).voted()
    assert [one.scores[AGREEMENT] for one in voted.chains] == [0.5, 0.5, 0.25, 0.0]


def test_answers_that_mean_the_same_have_one_key() -> None:
    assert key_of("42.0", None, PROBLEM) == key_of(" 42 ", None, PROBLEM)
    assert key_of(None, "q:1", PROBLEM) is None
    assert key_of("x", "k", PROBLEM) == "k"


def test_a_right_answer_may_follow_from_a_false_step() -> None:
    turn = "67 - 47 = 10 (left: 25, 10)\n25 - 10 = 15 (left: 15)\n\\boxed{25 - (67 - 47)}"
    assert misstep(turn, PUZZLE) == "67 - 47 is not 10"
    sound = "67 - 47 = 20 (left: 25, 20)\n25 - 20 = 5 (left: 5)\n\\boxed{25 - (67 - 47)}"
    assert misstep(sound, PUZZLE) == misstep("\\boxed{25 - (67 - 47)}", PUZZLE) == ""
    assert misstep(turn, PROBLEM) == ""


def test_thinking_may_go_back_but_not_say_what_is_false() -> None:
    end = "67 - 47 = 20 (left: 25, 20)\n25 - 20 = 5 (left: 5)\n\\boxed{25 - (67 - 47)}"
    way = "67 + 47 = 114 (left: 25, 114)\nThat fails.\n67 - 47 = 20 (left: 25, 20)"
    assert misstep(f"<think>\n{way}\n</think>\n\n{end}", PUZZLE) == ""
    false = way.replace("114 (", "104 (")
    assert misstep(f"<think>\n{false}\n</think>\n\n{end}", PUZZLE) == "67 + 47 = 104"
    assert misstep(f"<think>\n{way}\n</think>\n\n{end.replace('= 5', '= 6')}", PUZZLE)


def test_each_chain_that_can_be_no_lesson_is_counted_once() -> None:
    chains = [chain("a"), chain(""), chain("b", whole=False), chain("", whole=False),
              chain("c", own_prompt=False)]  # fmt: skip
    assert left_out(chains) == {"without a text": 2, "truncated": 1, "asked with another prompt": 1}
