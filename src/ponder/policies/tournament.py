"""Tournaments: pairings and standings. Pure: no model is called.

Players are numbered from 0 in request order, which is also their seeding, so that nothing depends
on the order of arrival. A game's outcome is the first player's result: 1 a win, 0 a loss, anything
between a tie to some degree, and None if the game has no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Pair = tuple[int, int]
Outcome = float | None


@dataclass(frozen=True, slots=True)
class Game:
    """A game between two players."""

    first: int
    second: int
    outcome: Outcome
    """Result of ``first``, from 0 to 1; ``second`` gets the rest."""


def usual_rounds(players: int) -> int:
    """Return log2 of the players, rounded up.

    After so many rounds a knockout has a winner, and a Swiss tournament usually has a clear leader.
    """
    return max(0, players - 1).bit_length()


# Knockout -----------------------------------------------------------------------------------------


def bracket(players: int) -> list[int | None]:
    """Return the places of the first round, in which neighbours meet.

    None is a bye; each of the first players has at most one. The best two seeds can meet only in
    the final.
    """
    places = [0]
    while len(places) < players:
        size = 2 * len(places)
        places = [seed for place in places for seed in (place, size - 1 - place)]
    return [seed if seed < players else None for seed in places]


def paired(places: Sequence[int | None]) -> list[Pair]:
    """Return the games of a round; a player with a bye plays none."""
    return [(a, b) for a, b in _couples(places) if a is not None and b is not None]


def advanced(places: Sequence[int | None], games: Sequence[Game]) -> list[int | None]:
    """Return the places of the next round. A tie, or a game without a verdict, goes to the better
    seed.
    """
    outcomes = {(game.first, game.second): game.outcome for game in games}
    through: list[int | None] = []
    for a, b in _couples(places):
        if a is None or b is None:
            through.append(b if a is None else a)
            continue
        outcome = outcomes[a, b]
        wins = a < b if outcome is None or outcome == 0.5 else outcome > 0.5
        through.append(a if wins else b)
    return through


def knockout_scores(players: int, rounds: Sequence[Sequence[Game]], winner: int) -> list[Outcome]:
    """Return the share of the rounds that each player survived: 1 for the winner, 0 for a loser of
    the first round.

    A bye is survived. A player without a game that has a verdict has no score.
    """
    reached = [usual_rounds(players)] * players
    for number, games in enumerate(rounds):
        for game in games:
            for player in (game.first, game.second):
                reached[player] = number  # of the last game, which all but the winner lost
    reached[winner] = usual_rounds(players)
    judged = _judged([game for games in rounds for game in games])
    return [r / usual_rounds(players) if i in judged else None for i, r in enumerate(reached)]


def _couples(places: Sequence[int | None]) -> Iterator[tuple[int | None, int | None]]:
    return zip(places[::2], places[1::2], strict=True)


# Swiss --------------------------------------------------------------------------------------------


def most_rounds(players: int) -> int:
    """Return the number of rounds for which a pairing without rematches always exists.

    With m players (an odd one more to make it even) and r rounds played, each player has m - 1 - r
    opponents left; if that is m/2 or more, all can be paired (Dirac 1952, theorem 3).
    """
    return (players + 1) // 2


def swiss_pairs(players: int, games: Sequence[Game], byes: Sequence[int] = ()) -> list[Pair]:
    """Return the games of the next round: neighbours in the standings meet, without rematches.

    If the number of players is odd, the last in the standings without a bye so far gets one. Ties
    in the standings go by seed. For at most ``most_rounds`` rounds there is such a pairing; beyond
    that, the list may be empty.
    """
    gained = points(players, games, byes)
    standing = sorted(range(players), key=lambda player: (-gained[player], player))
    order: list[int | None] = [*standing]
    met: set[frozenset[int | None]] = {frozenset((g.first, g.second)) for g in games}
    if players % 2:
        order.append(None)
        met |= {frozenset((player, None)) for player in byes}
    pairs = _matched(order, met)
    return [(min(a, b), max(a, b)) for a, b in pairs if a is not None and b is not None]


def _matched(
    order: Sequence[int | None], met: set[frozenset[int | None]]
) -> list[tuple[int | None, int | None]]:
    """Pair the first player with the nearest permitted opponent that leaves the rest pairable."""
    if not order:
        return []
    first, rest = order[0], order[1:]
    for i, other in enumerate(rest):
        if frozenset((first, other)) in met:
            continue
        left = [*rest[:i], *rest[i + 1 :]]
        pairs = _matched(left, met)
        if pairs or not left:
            return [(first, other), *pairs]
    return []


def bye(players: int, pairs: Sequence[Pair]) -> int | None:
    """Return the player who is in no pair of the round."""
    playing = {player for pair in pairs for player in pair}
    return next((player for player in range(players) if player not in playing), None)


def points(players: int, games: Sequence[Game], byes: Sequence[int] = ()) -> list[float]:
    """Return each player's points, for the pairing.

    A bye counts as a win, as in chess: otherwise its player would fall behind without a game. A
    game without a verdict counts half for both.
    """
    gained = [0.0] * players
    for game in games:
        outcome = 0.5 if game.outcome is None else game.outcome
        gained[game.first] += outcome
        gained[game.second] += 1 - outcome
    for player in byes:
        gained[player] += 1
    return gained


def swiss_scores(players: int, games: Sequence[Game]) -> list[Outcome]:
    """Return each player's points per game with a verdict, from 0 to 1; byes are not games.

    A player without a game that has a verdict has no score.
    """
    valued = [game for game in games if game.outcome is not None]
    gained = points(players, valued)
    counts: Mapping[int, int] = {
        player: sum(player in (game.first, game.second) for game in valued)
        for player in range(players)
    }
    return [
        min(1.0, gained[player] / counts[player]) if counts[player] else None
        for player in range(players)
    ]


def _judged(games: Sequence[Game]) -> set[int]:
    return {p for game in games if game.outcome is not None for p in (game.first, game.second)}
