"""The one grammar of names with arguments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.core.text.refs import Ref, parse, parse_list, parse_options, short, spelled, texts


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
        (r'regex("\d+\"")', Ref("regex", (Ref('\\d+"'),))),
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


def test_values_of_a_list_are_texts() -> None:
    assert texts(' 1, 2,"a, b" ,f(x,y)') == ["1", "2", "a, b", "f(x, y)"]
    assert texts(" ") == []
    assert texts('"a;b",f(c;d)') == ["a;b", "f(c;d)"]
    with pytest.raises(UsageError, match="'a;b': values stand between commas, not ';': write A,B"):
        texts("a;b")


def test_a_list_of_options() -> None:
    assert parse_options("tokens=5, usd=0.1") == {"tokens": Ref("5"), "usd": Ref("0.1")}
    assert parse_options('a="b, c"') == {"a": Ref("b, c")}
    for text, why in (
        ("", "expected a name"),
        ("tokens", "expected KEY=VALUE, KEY=VALUE, not 'tokens' alone"),
        ("tokens=", "at the end: expected a name or a value"),
        ("a=1,", "at the end: expected a name or a value"),
        ("a=1, a=2", "expected 'a' once"),
        ("a=1) b", r"at '\) b': expected nothing more"),
    ):
        with pytest.raises(UsageError, match=why):
            parse_options(text)


def test_one_shorthand() -> None:
    assert spelled("regex: ^(a, b)$ ") == Ref("regex", (Ref("^(a, b)$"),))
    assert spelled("first(a:b)") == Ref("first", (Ref("a:b"),))
    assert short("qwen2.5:7b") is None
    assert short("regex:") is None
