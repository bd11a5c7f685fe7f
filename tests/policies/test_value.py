"""The probability of being right, against hand-computed posteriors and every future of the urns."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.policies.value import PRIOR, Mixture, Seen, Urn

KINDS = Mixture((Urn(1, 1, 0.1, 0.5), Urn(3, 0.3, 0.1, 0.3), Urn(0.2, 5, 0.5, 0.2)))


def by_every_future(mixture: Mixture, seen: Seen, more: int) -> float:
    """Draw one sample after the other, keep every outcome with its probability."""
    states = {seen: 1.0}
    for _ in range(more):
        later: dict[Seen, float] = defaultdict(float)
        for now, chance in states.items():
            for urn, share, right in mixture.kinds(now):
                part, total = chance * share, urn.total + now.samples
                for i, votes in enumerate(now.counts):
                    one_more = [v + (i == j) for j, v in enumerate(now.counts)]
                    grown = Seen(tuple(sorted(one_more, reverse=True)), now.silent)
                    later[grown] += part * (votes + urn.right * right[i]) / total
                new = urn.wrong + urn.right * (1 - sum(right))
                later[Seen((*now.counts, 1), now.silent)] += part * new / total
                later[Seen(now.counts, now.silent + 1)] += part * (urn.silent + now.silent) / total
        states = later
    return sum(chance * mixture.right(now) for now, chance in states.items())


@pytest.mark.parametrize("n", range(1, 30))
def test_with_the_stated_prior_n_votes_of_one_answer_are_right_with_n_of_n_plus_1(n: int) -> None:
    assert PRIOR.right(Seen((n,))) == pytest.approx(n / (n + 1))
    assert PRIOR.right(Seen((n,), silent=5)) == pytest.approx(n / (n + 1))


def test_the_posterior_of_one_urn_by_hand() -> None:
    """Pseudo-counts 2 and 1. Three votes to one, the leader right: 2 3 4 for its votes, 1 for the
    other; the other right: 1 1 2 and 2; neither: 2 and 1. So 24, 4 and 2.
    """
    urn = Mixture((Urn(2.0, 1.0, 0.1),))
    assert urn.right(Seen((3, 1))) == pytest.approx(24 / 30)


def test_the_posterior_of_two_urns_by_hand() -> None:
    """Two votes agree. Urn 1 (1, 1): right 1 2, wrong 1 1, of 2 3; urn 2 (1, 3): right 1 2, wrong
    3 1, of 4 5. Equal shares: right (2/6 + 2/20) of (3/6 + 5/20).
    """
    mixture = Mixture((Urn(1.0, 1.0, 1e-12, 0.5), Urn(1.0, 3.0, 1e-12, 0.5)))
    assert mixture.right(Seen((2,))) == pytest.approx((2 / 6 + 2 / 20) / (3 / 6 + 5 / 20))


def test_without_an_answer_nothing_is_right_yet() -> None:
    assert PRIOR.right(Seen()) == 0.0
    assert PRIOR.right(Seen(silent=4)) == 0.0
    assert PRIOR.after(Seen(), 1) == pytest.approx(0.5 * 2 / 2.1)


counts = st.lists(st.integers(1, 6), min_size=0, max_size=2).map(
    lambda votes: tuple(sorted(votes, reverse=True))
)


@pytest.mark.parametrize("mixture", [PRIOR, KINDS])
@pytest.mark.parametrize("votes", [(2,), (4,), (2, 1), (3, 2), (4, 4), (5, 1), (6, 3)])
@pytest.mark.parametrize("silent", [0, 2])
@pytest.mark.parametrize("more", [1, 2])
def test_a_forecast_is_exact_where_two_answers_compete(
    mixture: Mixture, votes: tuple[int, ...], silent: int, more: int
) -> None:
    seen = Seen(votes, silent)
    assert mixture.after(seen, more) == pytest.approx(
        by_every_future(mixture, seen, more), abs=1e-9
    )


@pytest.mark.parametrize("mixture", [PRIOR, KINDS])
@pytest.mark.parametrize("votes", [(), (1,), (2,), (1, 1), (2, 2), (4, 2, 1), (3, 2, 2), (1, 1, 1)])
def test_a_forecast_is_near_where_more_compete(mixture: Mixture, votes: tuple[int, ...]) -> None:
    seen = Seen(votes)
    exact = by_every_future(mixture, seen, 6)
    assert mixture.after(seen, 6) == pytest.approx(exact, abs=0.015)


@given(counts, st.integers(0, 3), st.integers(0, 12))
def test_more_samples_never_make_it_worse(votes: tuple[int, ...], silent: int, more: int) -> None:
    seen = Seen(votes, silent)
    assert 0 <= KINDS.right(seen) <= KINDS.after(seen, more) <= 1


def test_a_tie_gains_from_one_more_and_a_lead_of_two_only_from_three() -> None:
    assert PRIOR.after(Seen((1, 1)), 1) > PRIOR.right(Seen((1, 1))) + 0.05
    lead = Seen((3, 1))
    assert PRIOR.after(lead, 2) == pytest.approx(PRIOR.right(lead))
    assert PRIOR.after(lead, 3) > PRIOR.right(lead) + 0.001


def test_votes_that_scatter_show_a_problem_that_no_vote_will_settle() -> None:
    """The same lead of one: the more answers, the less a further sample is worth."""
    gains = [KINDS.after(Seen((2, *[1] * k)), 4) - KINDS.right(Seen((2, *[1] * k))) for k in (1, 8)]
    assert gains[1] < gains[0] / 5


def test_a_forecast_of_three_hundred_samples_is_still_a_probability() -> None:
    seen = Seen((150, 100, *[1] * 50), 10)
    assert 0 <= KINDS.right(seen) <= KINDS.after(seen, 64) <= 1
