"""What a reply states is its choice; two labels, or only denied ones, are none."""

from __future__ import annotations

import pytest

from ponder.answers.equivalence import quick_key
from ponder.answers.extract import extract
from ponder.core.problem import Message, Problem

CHOICES: list[tuple[str, str | None]] = [
    ("The correct choice is C; A and D are traps.", "C"), ("b) 12 apples", "B"),
    ("neither A nor B", None), ("A and C", None), ("**(b)**", "B"), ("Answer: (c)", "C"),
    ("It is not B.", None), ("Answer: A or B", None), ("Answer: A and B are wrong, so C", "C"),
    ("The answer is not A. It is B.", "B"), ("Both A and B are wrong. C", "C"),
    ("I choose option d.", "D"), ("Final answer: (D) 12", "D"),
    ("The answer is (B) because A fails.", "B"),
    ("Option C is the correct answer. Not option D.", "C"), ("C", "C"), ("c", "C"), ("c.", "C"),
    ("(c)", "C"), ("The best option would be B.", "B"), ("I'd go with C, since A and B fail.", "C"),
    ("A) 5\nB) 6\nC) 7\nD) 8\nAnswer: C", "C"),
    ("Let us see.\nA is wrong.\nB is wrong.\nD is right.", "D"), ("B is incorrect", None),
    ("Answer: None of the above", None), ("ANSWER: B", "B"), ("Answer - B", "B"),
    ("**Answer:** B", "B"), ("Answer: **B**.", "B"), (r"Answer: $\boxed{B}$", "B"),
    (r"\boxed{B, C}", None), (r"\boxed{\text{B}}", "B"), (r"\boxed{\textbf{(B) } 5}", "B"),
    (r"\boxed{b}", "B"), (r"\boxed{\langle A\rangle} so Answer: D", "D"),
    ("The answer is A, not B.", "A"), ("It can't be A, so B", "B"),
    ("The correct answer: A. 5 apples", "A"), ("The choice is between A and B. I pick B.", "B"),
    ("Answer: Both A and C", None), ("Answer: A/C", None), ("The answer is either B or C", None),
    ("A is a trap. The answer is D. B is tempting.", "D"),
    ("Therefore, the answer is:\n\n(D)", "D"), ("Therefore, the answer is:\n\n**D) 12**", "D"),
    ("D) 12\n\nBecause A is too small.", "D"), ("Answer: B\nA and D are wrong.", "B"),
    ("A good answer is B", "B"), ("I think A.", "A"), ("The answer is a.", "A"),
    ("the correct option is (a), since b is larger", "A"),
    ("Neither (a) nor (b) is right; (c) is.", "C"), ("Answer: D. All of the above", "D"),
    ("The statement in C is true, thus C is correct.", "C"), ("My choice: C", "C"),
    ("Choice C.", "C"), ("option b", "B"), ("It's C!", "C"), ("C is the answer; D isn't.", "C"),
    ("The answer isn't A.", None), ("Answer is B) 12; not C) 13", "B"), ("<answer>B</answer>", "B"),
    ("Answer: B, because A, C and D are wrong", "B"), ("So the answer must be B", "B"),
    ("Answer:B", "B"), ('answer is: "B"', "B"), ("A: wrong. B: right. So B.", "B"),
    ("Not A but B", "B"), ("Answer: not sure", None), ("Answer: E", None), ("Either A or D.", None),
    ("A, B", None),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "label"), CHOICES)
def test_the_stated_label_is_chosen_or_none(reply: str, label: str | None) -> None:
    found = extract(reply, Problem((Message("user", "?"),), "choice", choices=tuple("ABCD")))
    assert (None if found is None else quick_key(found, "choice")) == (
        None if label is None else f"c:{label}"
    )


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("The answer is yes, not no.", "yes"),
        ("It is not yes.", None),
        ("Yes and no.", None),
        ("**Answer:** NO", "NO"),
        ("yes", "yes"),
        ("Is it so? No.", "No"),
    ],
)
def test_words_are_labels_too(reply: str, label: str | None) -> None:
    asked = Problem((Message("user", "?"),), "choice", choices=("yes", "no"))
    assert extract(reply, asked) == label


def test_a_statement_counts_in_an_unfinished_reply_and_a_mere_mention_does_not() -> None:
    asked = Problem((Message("user", "?"),), "choice", choices=tuple("ABCD"))
    assert extract("The correct choice is C; A and", asked, truncated=True) == "C"
    assert extract("b) 12 apples or", asked, truncated=True) is None
