"""Votes on recorded answers that end by a rule."""

from ponder.core.outlook import Seen
from ponder.experiments.stats.closing import Closing, tallied
from ponder.policies import stopping


def test_a_window_ends_a_vote_after_samples_that_agree() -> None:
    closing = Closing(stopping.rule("window(size=3)"))
    assert closing.vote([0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]) == (6, 1)
    assert Closing(stopping.rule("window(size=3)")).vote([0, 0, 0, 1, 1, 1]) == (3, 0)


def test_an_exact_vote_ends_when_no_sample_could_change_it() -> None:
    closing = Closing(stopping.rule("exact"))
    assert closing.vote([2, 2, 2, 1, 1]) == (3, 2)
    assert closing.vote([2, -1, 1, 1, 2]) == (5, 2)  # a tie goes to the answer that came first
    assert closing.vote([-1, -1, -1, -1]) == (4, -1)


def test_a_tally_counts_answers_and_those_who_gave_none() -> None:
    assert tallied([3, -1, 1, 3]) == (Seen((2, 1), 1), 3)
    assert tallied([]) == (Seen((), 0), -1)
