"""One spelling of every verifier: what people type short and long is the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.verifiers.naming import canonical
from ponder.verifiers.registry import find


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("codet:8", "codet(8)"),
        ("judge:big", "judge(big)"),
        (" judge( big,k=5 ) ", "judge(big, k=5)"),
        ("first(codet:2, tail:64)", "first(codet(2), tail(64))"),
        ("human:60", "human(60)"),
        ("human(60, judge:m)", "human(60, judge(m))"),
        ("process(k=2, by=judge:m)", "process(k=2, by=judge(m))"),
        ("judge:hf:a/b.gguf", "judge(hf:a/b.gguf)"),
        ("regex:a, (b)", 'regex("a, (b)")'),
        ("regex:mean_logprob:3", "regex(mean_logprob:3)"),
    ],
)
def test_a_verifier_has_one_name(typed: str, name: str) -> None:
    found = find(typed)
    assert found.name == name
    assert find(name).name == name


@given(st.text(alphabet='ab:,()=@"\\ ^$.', min_size=1, max_size=12))
def test_a_name_in_data_is_a_label_whatever_it_spells(label: str) -> None:
    once = canonical(label)
    assert canonical(once) == once
