from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.text.marks import Split, Splitter, split, stretches

PAIRS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<THINK>", "</Think>"),
    ("< think >", "< / think >"),
    ("[ think ]", "[ /Think ]"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|channel|>analysis <|message|>", "<|channel|>final <|constrain|>json<|message|>"),
    ("<|start|>assistant<|channel|>commentary to=f<|message|>", "<|call|>"),
]


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
def test_every_pair_of_marks_is_known(opening: str, closing: str) -> None:
    assert split(f"{opening}\nIs it 41?\n{closing}\n\nIt is 42.") == (
        "Is it 41?\n", "It is 42.", True,
    )  # fmt: skip
    assert split(f"Well. {opening}Is it 41?{closing}It is 42.") == (
        "Is it 41?", "Well. \n\nIt is 42.", True,
    )  # fmt: skip
    assert split(f"{opening}Is it 41? It") == ("Is it 41? It", "", False)
    assert split(f"{opening}{closing}42") == ("", "42", True)


@pytest.mark.parametrize(("opening", "closing"), PAIRS[:-1])
def test_a_closing_mark_ends_what_the_template_opened(opening: str, closing: str) -> None:
    assert split(f"Is it 41?{closing}It is 42.") == ("Is it 41?", "It is 42.", True)
    assert split("Is it 41?", opened=True) == ("Is it 41?", "", False)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ("", "", True)),
        ("  It is 42.\n", ("", "  It is 42.\n", True)),
        ("1 < 2, [think tank], a think> and </ b>", ("", "1 < 2, [think tank], a think> and </ b>",
                                                     True)),
        ("<think>a</think>x<think>b</think>y", ("a\n\nb", "x\n\ny", True)),
        ("<think>a</think>x<think>b", ("a\n\nb", "x", False)),
        ("<think>a <think>b</think> c</think> d", ("a <think>b\n\nc", "d", True)),
        ("a</think>b</think>c", ("a\n\nb", "c", True)),
        ("<think>a</thinking>b", ("a", "b", True)),
        ("<think>the mark `</think>` ends it</think>b", ("the mark `</think>` ends it", "b", True)),
        ("<think>```python\nf(</think>b", ("```python\nf(", "b", True)),
        ("The mark `<think>` opens, `</think>` closes.",
         ("", "The mark `<think>` opens, `</think>` closes.", True)),
        ("``a ` <think>`` b", ("", "``a ` <think>`` b", True)),
        ("`a` <think>b</think> c", ("b", "`a` \n\nc", True)),
        ("a ` b\n<think>c</think>d", ("c", "a ` b\n\n\nd", True)),
        ("<think>a</think>So:\n```python\ntext.split('</think>')\n```",
         ("a", "So:\n```python\ntext.split('</think>')\n```", True)),
        ("So:\n~~~\n<think>x</think>\n~~~\nas said",
         ("", "So:\n~~~\n<think>x</think>\n~~~\nas said", True)),
        ("So:\n```\n</think>\n```\nas said", ("", "So:\n```\n</think>\n```\nas said", True)),
        ("try\n```python\nf(</think>42", ("try\n```python\nf(", "42", True)),
        ("try\n```python\nf(</think>So:\n```python\ng()\n```\n",
         ("try\n```python\nf(", "So:\n```python\ng()\n```\n", True)),
        ("````\n```\n<think>\n```\n````\n<think>b</think>c",
         ("b", "````\n```\n<think>\n```\n````\n\n\nc", True)),
        ("<|channel|>final<|message|>It is 42.<|return|>", ("", "It is 42.", True)),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>b"
         "<|end|><|start|>assistant<|channel|>final<|message|>c<|return|>", ("a\n\nb", "c", True)),
        ("<|channel|>analysis<|message|>say </think> or <think><|end|>c",
         ("say </think> or <think>", "c", True)),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|chan", ("a", "<|chan", True)),
        ("<|start|>assistant<|message|>It is 42.<|end|>", ("", "It is 42.", True)),
    ],
)  # fmt: skip
def test_split(text: str, found: tuple[str, str, bool]) -> None:
    assert split(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("42", (["42"], True)),
        ("<think>a</think>42", (["", "42"], True)),
        ("<think>a</think>41<think>b</think>42", (["", "41", "42"], True)),
        ("<think>a</think>41<think>b", (["", "41", ""], False)),
        ("41</think>42", (["42"], True)),
        ("<think>a", (["", ""], False)),
    ],
)
def test_stretches(text: str, found: tuple[list[str], bool]) -> None:
    assert stretches(text) == found


MARKS = st.sampled_from([mark for pair in PAIRS for mark in pair])
CODE = st.sampled_from(["`", "``", "```", "```python\n", "\n```\n", "~~~~", "\n", " ", "<", "[/"])
TEXTS = st.lists(st.text(max_size=8) | MARKS | CODE, max_size=12).map("".join)


@st.composite
def chunked(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> list[str]:
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=30)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def fed(pieces: list[str], opened: bool) -> tuple[str, str, Split]:
    splitter = Splitter(opened)
    new = [splitter.feed(piece) for piece in pieces]
    return "".join(r for r, _ in new), "".join(t for _, t in new), splitter.end()


@given(chunked(), st.booleans())
def test_any_chunking_gives_what_the_whole_gives(pieces: list[str], opened: bool) -> None:
    text = "".join(pieces)
    assert fed(pieces, opened)[2] == split(text, opened=opened)
    assert fed(list(text), opened)[2] == split(text, opened=opened)


@given(
    chunked(
        st.lists(
            st.text("abc `\n", max_size=8)
            | MARKS.filter(lambda mark: not re.search("final|/|end_", mark, re.I)),
            max_size=12,
        ).map("".join)
    )
)
def test_what_is_fed_is_the_end_of_it_unless_a_mark_closes_what_nothing_opened(
    pieces: list[str],
) -> None:  # fmt: skip
    reasoning, text, end = fed([*pieces, "x"], False)
    assert end.reasoning.startswith(reasoning)
    assert end.text.startswith(text)


@given(TEXTS)
def test_no_character_of_the_answer_is_invented(text: str) -> None:
    found = split(text)
    assert set(found.reasoning + found.text) <= set(text) | {"\n"}


@given(st.text("abc `~\n<>[]/"))
def test_a_text_without_marks_stays_as_it_is(text: str) -> None:
    assert fed(list(text), False)[2] == split(text) == ("", text, True)


def test_a_stream_is_passed_on_as_soon_as_it_is_certain() -> None:
    splitter = Splitter()
    pieces = ["It", " <", "think>", "\n a", " b <", " c", "</thi", "nk>\n", "d", " `", "<think>` e"]
    assert [splitter.feed(piece) for piece in pieces] == [
        ("", "It"), ("", " "), ("", ""), ("a", ""), (" b ", ""), ("", ""), ("< c", ""), ("", ""),
        ("", "\n\nd"), ("", " "), ("", "`<think>` e"),
    ]  # fmt: skip
    assert splitter.end() == ("a b < c", "It \n\nd `<think>` e", True)
