"""Answers meet in pairs, and a model says which is better: for questions without one right answer.

Pairwise judging with swapped positions: Zheng et al. 2023, arXiv 2306.05685, section 3.4. A judge
tends to prefer the answer that it reads first, so each pair is asked about in both orders, and the
outcome is the mean of both; where one of the two cannot be read, the game has no verdict, since
half of a pair would bring the bias back. Who meets whom is ``policies.tournament``'s business: a
knockout asks about n - 1 pairs, a Swiss tournament about n/2 in each of its rounds.

``pairwise(MODEL, how=swiss, rounds=3, k=5, see=text, rubric=PATH)``. A score says how a trace fared
against those beside it, so it is comparable with theirs alone (``listwise``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ponder.core.errors import ModelError
from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.text.quoting import NOT_TO_OBEY, quoted
from ponder.core.trace import Score, Trace
from ponder.policies import tournament
from ponder.policies.tournament import Game, Pair
from ponder.verifiers.base import Facts
from ponder.verifiers.judge.asking import Asker, question
from ponder.verifiers.judge.verifier import SEE, shown
from ponder.verifiers.naming import Arguments, read_rubric

CHOICES = {"A": 1.0, "B": 0.0, "C": 0.5}
RUBRIC = "The better answer is more correct, more complete and more helpful; length is no merit."
HOW = ("swiss", "knockout")


@dataclass(frozen=True, slots=True)
class Pairwise(Facts):
    """Scores traces against each other."""

    name: str
    asker: Asker
    how: str = "swiss"
    rounds: int = 0
    """Rounds of a Swiss tournament; 0 is the usual number."""
    rubric: str = RUBRIC
    see: str = "text"
    models: tuple[str, ...] = ()
    listwise: bool = True

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return each trace's points per game (Swiss), or share of rounds survived (knockout)."""
        texts = [shown(trace, self.see) for trace in traces]
        play = partial(self._round, problem, texts, session)
        if self.how == "knockout":
            values, games = await _knockout(len(traces), play)
        else:
            values, games = await _swiss(len(traces), play, self.rounds)
        return [Score(v, self.name, _record(i, games)) for i, v in enumerate(values)]

    async def _round(
        self, problem: Problem, texts: Sequence[str], session: Session, pairs: Sequence[Pair]
    ) -> list[Game]:
        async def game(child: Session, a: int, b: int) -> Game:
            orders = ((texts[a], texts[b]), (texts[b], texts[a]))
            told = await child.gather([partial(self._ask, problem, order) for order in orders])
            both = [value for value in told if value is not None]
            if len(both) < 2:  # unreadable, lost, or refused by the budget
                return Game(a, b, None)
            return Game(a, b, (both[0] + 1 - both[1]) / 2)

        played = await session.gather([partial(game, a=a, b=b) for a, b in pairs])
        known = {(g.first, g.second): g for g in played}
        return [known.get(pair, Game(*pair, None)) for pair in pairs]

    async def _ask(
        self, problem: Problem, texts: tuple[str, str], session: Session
    ) -> float | None:
        """Return the points of the first of two texts, from 0 to 1."""
        try:
            asked = prompt(problem, *texts, rubric=self.rubric)
            return (await self.asker.ask(session, asked, CHOICES)).value
        except ModelError:
            return None


def prompt(problem: Problem, first: str, second: str, rubric: str = RUBRIC) -> str:
    """Return the judge's prompt."""
    return (
        f"Compare two answers to a question. {NOT_TO_OBEY}\n\n"
        f"{quoted('question', question(problem))}\n\n"
        f"{quoted('answer A', first)}\n\n"
        f"{quoted('answer B', second)}\n\n"
        f"{rubric}\n\n"
        "Which answer is better? Reply with one letter, A, B, or C if they are equally good, and "
        "nothing else."
    )


_Play = Callable[[Sequence[Pair]], Awaitable[list[Game]]]
_Played = tuple[list[float | None], list[Game]]


async def _knockout(players: int, play: _Play) -> _Played:
    places = tournament.bracket(players)
    rounds: list[list[Game]] = []
    while len(places) > 1:
        games = await play(tournament.paired(places))
        rounds.append(games)
        places = tournament.advanced(places, games)
    winner = next((player for player in places if player is not None), 0)
    played = [game for games in rounds for game in games]
    return tournament.knockout_scores(players, rounds, winner), played


async def _swiss(players: int, play: _Play, rounds: int) -> _Played:
    games: list[Game] = []
    byes: list[int] = []
    wanted = rounds or tournament.usual_rounds(players)
    for _ in range(min(wanted, tournament.most_rounds(players)) if players > 1 else 0):
        pairs = tournament.swiss_pairs(players, games, byes)
        resting = tournament.bye(players, pairs)
        games += await play(pairs)
        byes += [] if resting is None else [resting]
    return tournament.swiss_scores(players, games), games


def _record(player: int, games: Sequence[Game]) -> str:
    """Return wins, ties and losses, for a person."""
    told = [0, 0, 0, 0]
    for game in games:
        if player in (game.first, game.second):
            won = game.outcome
            if won is not None and player == game.second:
                won = 1 - won
            told[3 if won is None else 0 if won > 0.5 else 1 if won == 0.5 else 2] += 1
    if not sum(told):
        return "met nobody"
    unread = f", {told[3]} without a verdict" if told[3] else ""
    return f"won {told[0]}, tied {told[1]}, lost {told[2]}{unread}"


def pairwise(given: Arguments) -> Pairwise:
    """Return the verifier ``pairwise(MODEL, ...)``.

    Raises:
        UsageError: an option is unknown or invalid, or the rubric cannot be read.
    """
    rubric, given = read_rubric(given)
    return Pairwise(
        given.name,
        Asker("judge", given.model, given.whole("k", 0)),
        given.one_of("how", HOW),
        given.whole("rounds", 0),
        rubric or RUBRIC,
        given.one_of("see", SEE),
        given.models,
    )
