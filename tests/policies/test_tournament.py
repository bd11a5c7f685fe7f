"""Brackets and pairings against what a tournament must be, and scores by hand."""

from __future__ import annotations

import math
import random
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.policies.tournament import (
    Game,
    advanced,
    bracket,
    bye,
    knockout_scores,
    most_rounds,
    paired,
    points,
    swiss_pairs,
    swiss_scores,
    usual_rounds,
)

PLAYERS = st.integers(1, 33)
OUTCOMES = st.sampled_from([0.0, 0.3, 0.5, 1.0, None])


@pytest.mark.parametrize(
    ("players", "rounds"), [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (9, 4)]
)
def test_usual_rounds_are_the_logarithm_rounded_up(players: int, rounds: int) -> None:
    assert usual_rounds(players) == rounds
    assert rounds == (math.ceil(math.log2(players)) if players else 0)


def test_brackets_by_hand() -> None:
    assert bracket(1) == [0]
    assert bracket(2) == [0, 1]
    assert bracket(3) == [0, None, 1, 2]
    assert bracket(4) == [0, 3, 1, 2]
    assert bracket(8) == [0, 7, 3, 4, 1, 6, 2, 5]


@given(PLAYERS)
def test_a_bracket_holds_everybody_once_and_byes_go_to_the_best(players: int) -> None:
    places = bracket(players)
    assert len(places) == 1 << usual_rounds(players)
    assert sorted(p for p in places if p is not None) == list(range(players))
    couples = list(zip(places[::2], places[1::2], strict=True)) if players > 1 else []
    resting = [a if b is None else b for a, b in couples if a is None or b is None]
    assert sorted(p for p in resting if p is not None) == list(range(len(resting)))
    half = len(places) // 2
    if players > 1:
        assert 0 in places[:half]
        assert 1 in places[half:]


def knockout(players: int, outcome: dict[tuple[int, int], float | None]) -> list[list[Game]]:
    places, rounds = bracket(players), []
    while len(places) > 1:
        games = [Game(a, b, outcome.get((a, b), 0.5)) for a, b in paired(places)]
        rounds.append(games)
        places = advanced(places, games)
    assert len(places) == 1
    return rounds


@given(PLAYERS, st.integers(0, 2**32))
def test_a_knockout_ends_with_one_after_all_others_have_lost_once(players: int, seed: int) -> None:
    strength = list(range(players))
    random.Random(seed).shuffle(strength)
    everybody = [(a, b) for a in range(players) for b in range(players)]
    outcome: dict[tuple[int, int], float | None] = {
        (a, b): float(strength[a] > strength[b]) for a, b in everybody
    }
    rounds = knockout(players, outcome)
    games = list(chain.from_iterable(rounds))
    assert len(games) == players - 1
    losers = [g.second if g.outcome == 1 else g.first for g in games]
    assert len(set(losers)) == players - 1
    best = strength.index(players - 1)
    scores = knockout_scores(players, rounds, best)
    if players > 1:
        assert scores[best] == 1
        assert all(s is not None and 0 <= s < 1 for i, s in enumerate(scores) if i != best)


def test_the_scores_of_a_knockout_by_hand() -> None:
    # Four players; 0 beats 3, 2 beats 1, 2 beats 0.
    rounds = [[Game(0, 3, 1.0), Game(1, 2, 0.2)], [Game(0, 2, 0.0)]]
    assert knockout_scores(4, rounds, 2) == [0.5, 0.0, 1.0, 0.0]


def test_a_tie_and_a_game_without_a_verdict_go_to_the_better_seed() -> None:
    places: list[int | None] = [0, 3, 2, 1]
    assert advanced(places, [Game(0, 3, 0.5), Game(2, 1, None)]) == [0, 1]
    assert knockout_scores(4, [[Game(0, 3, 0.5), Game(2, 1, None)], [Game(0, 1, None)]], 0) == [
        1.0,
        None,
        None,
        0.0,
    ]


@given(st.integers(2, 24), st.data())
def test_a_swiss_tournament_has_no_rematches_and_one_bye_each(
    players: int, data: st.DataObject
) -> None:
    games: list[Game] = []
    byes: list[int] = []
    for _ in range(most_rounds(players)):
        pairs = swiss_pairs(players, games, byes)
        assert len(pairs) == players // 2
        playing = list(chain.from_iterable(pairs))
        assert len(set(playing)) == len(playing)
        resting = bye(players, pairs)
        assert (resting is None) == (players % 2 == 0)
        if resting is not None:
            byes.append(resting)
        games += [Game(a, b, data.draw(OUTCOMES)) for a, b in pairs]
    assert len({frozenset((g.first, g.second)) for g in games}) == len(games)
    assert len(set(byes)) == len(byes)
    # Every game hands out one point, and so does every bye.
    assert math.fsum(points(players, games, byes)) == pytest.approx(len(games) + len(byes))
    for player, score in enumerate(swiss_scores(players, games)):
        own = [g for g in games if player in (g.first, g.second)]
        assert (score is None) == all(g.outcome is None for g in own)
        assert score is None or 0 <= score <= 1


def test_neighbours_in_the_standings_meet() -> None:
    first = swiss_pairs(4, [])
    assert first == [(0, 1), (2, 3)]
    games = [Game(0, 1, 0.0), Game(2, 3, 1.0)]
    assert swiss_pairs(4, games) == [(1, 2), (0, 3)]
    games += [Game(1, 2, 1.0), Game(0, 3, 0.5)]
    assert points(4, games) == [0.5, 2.0, 1.0, 0.5]
    assert swiss_pairs(4, games) == [(1, 3), (0, 2)]


def test_the_last_in_the_standings_rests_unless_it_did_before() -> None:
    assert bye(3, swiss_pairs(3, [])) == 2
    games = [Game(0, 1, 1.0)]
    pairs = swiss_pairs(3, games, [2])
    assert pairs == [(0, 2)]
    assert bye(3, pairs) == 1


def test_beyond_the_rounds_that_surely_exist_the_list_may_be_empty() -> None:
    everybody = [Game(a, b, 0.5) for a in range(4) for b in range(a + 1, 4)]
    assert swiss_pairs(4, everybody) == []


def test_swiss_scores_by_hand() -> None:
    games = [Game(0, 1, 1.0), Game(2, 3, 0.5), Game(0, 2, 0.25), Game(1, 3, None)]
    assert swiss_scores(4, games) == [0.625, 0.0, 0.625, 0.5]
    assert swiss_scores(5, games)[4] is None


@given(st.integers(2, 16), st.integers(0, 2**32))
def test_without_upsets_the_strongest_wins_a_swiss_tournament(players: int, seed: int) -> None:
    strength = list(range(players))
    random.Random(seed).shuffle(strength)
    games: list[Game] = []
    byes: list[int] = []
    for _ in range(min(usual_rounds(players), most_rounds(players))):
        pairs = swiss_pairs(players, games, byes)
        resting = bye(players, pairs)
        byes += [] if resting is None else [resting]
        games += [Game(a, b, float(strength[a] > strength[b])) for a, b in pairs]
    best = strength.index(players - 1)
    assert swiss_scores(players, games)[best] == 1
