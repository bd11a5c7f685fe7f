"""The one grammar of names with arguments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.core.refs import Ref, parse, parse_list


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("direct", Ref("direct")),
        (" direct ", Ref("direct")),
        ("direct@big", Ref("direct", model="big")),
        ("qwen2.5-coder-0.5b", Ref("qwen2.5-coder-0.5b")),
        ("judge(big, k=5)", Ref("judge", (Ref("big"),), {"k": Ref("5")})),
        ("beam_search( width = 2,fan=2 )@m", Ref("beam_search", (), {"width": Ref("2"),
                                                                    "fan": Ref("2")}, "m")),
        ("first(codet, mean_logprob)", Ref("first", (Ref("codet"), Ref("mean_logprob")))),
        ("f()", Ref("f")),
        ('regex("a, (b)")', Ref("regex", (Ref("a, (b)"),))),
        (r'f("say \"x\\")', Ref("f", (Ref('say "x\\'),))),
        ("f(g(h(x=y@m)))", Ref("f", (Ref("g", (Ref("h", (), {"x": Ref("y", model="m")}),)),))),
        ("a b(c d)", Ref("a b", (Ref("c d"),))),
    ],
)  # fmt: skip
def test_what_a_text_spells(text: str, ref: Ref) -> None:
    assert parse(text) == ref
    assert parse(str(ref)) == ref


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at the end: expected a name"),
        ("f(", "expected a name"),
        ("f(a", r"expected ',' or '\)'"),
        ("f(a,)", r"at '\)': expected a name"),
        ("f(a)b", "at 'b': expected nothing more"),
        ("f@", "expected a model"),
        ("f(k=1, k=2)", "expected 'k' once"),
        ("f(k=1, 2)", "expected KEY=VALUE"),
        ('f("a', "expected a closing quotation mark"),
        ("=1", "at '=1': expected a name"),
        ("f(" * 40, "nested at most 16 deep"),
    ],
)
def test_what_spells_nothing_is_refused_where_it_goes_wrong(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse(text)


names = st.text(min_size=1, max_size=8)
refs = st.recursive(
    st.builds(Ref, names),
    lambda inner: st.builds(
        Ref,
        names,
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(names, inner, max_size=3),
        st.one_of(st.just(""), names),
    ),
    max_leaves=8,
)


@given(refs)
def test_every_reference_can_be_written_and_read_again(ref: Ref) -> None:
    assert parse(str(ref)) == ref


@given(st.lists(refs, max_size=4).map(tuple))
def test_a_list_can_be_written_and_read_again(several: tuple[Ref, ...]) -> None:
    assert parse_list(", ".join(map(str, several))) == several


@given(st.text(alphabet='ab,()=@"\\ \n', max_size=40))
def test_any_text_is_a_reference_or_one_sentence(text: str) -> None:
    try:
        ref = parse(text)
    except UsageError:
        return
    assert parse(str(ref)) == ref
