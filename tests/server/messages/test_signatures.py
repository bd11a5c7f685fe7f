"""Records of turns behind signatures."""

from __future__ import annotations

from ponder.server.messages.signatures import Signatures, new


def test_a_record_is_found_by_its_signature_and_its_key_alone() -> None:
    kept = Signatures()
    kept.keep("me", "a", "record")
    kept.keep("me", "b", "")
    assert kept.record("me", "a") == "record"
    assert [kept.record(*names) for names in (("you", "a"), ("me", "b"), ("me", "c"))] == [""] * 3


def test_the_oldest_are_given_up_and_those_in_use_are_kept() -> None:
    kept = Signatures(room=10)
    for name in "abc":
        kept.keep("", name, name * 3)
    assert kept.record("", "a") == "aaa"
    kept.keep("", "d", "ddd")
    kept.keep("", "e", "e" * 11)
    kept.keep("", "d", "ddd")
    assert [kept.record("", name) for name in "abcde"] == ["aaa", "", "ccc", "ddd", ""]


def test_signatures_differ() -> None:
    assert len({new() for _ in range(8)}) == 8
