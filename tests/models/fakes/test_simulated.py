"""A world of known statistics: the test recomputes them from the seeds it was asked with."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.problem import Message
from ponder.models.base import Completion, Request
from ponder.models.config import Config
from ponder.models.fakes.simulated import Simulated
from ponder.models.opening import Teller, open_model
from tests.support.virtual import run

ASKED = (Message("user", "What is six times seven ?"),)


def draw(model: Simulated, n: int, **how: Any) -> list[Completion]:
    async def main() -> list[Completion]:
        how.setdefault("max_tokens", 10_000)
        return [await model.generate(Request(ASKED, seed=seed, **how)) for seed in range(n)]

    return run(main())


def answer(completion: Completion) -> str:
    return completion.text.rsplit("{")[-1].rstrip("}")


@given(st.integers(0, 2**31 - 1), st.integers(1, 60), st.booleans())
def test_everything_follows_from_the_seed_and_stays_within_the_protocol(
    seed: int, max_tokens: int, logprobs: bool
) -> None:
    async def main() -> Completion:
        model = Simulated(length=30)
        told: list[tuple[int, int]] = []
        request = Request(
            ASKED, max_tokens, seed=seed, logprobs=logprobs, watched=True, pieces=logprobs
        )
        done = await model.generate(request, lambda d: told.append((d.prompt_tokens, d.tokens)))
        assert done.prompt_tokens == model.prompt_bound(ASKED) == 6
        assert 1 <= done.completion_tokens <= max_tokens
        assert done.finish == "length" or len(done.text.split()) == done.completion_tokens
        assert told == [(6, c) for c in range(1, done.completion_tokens + 1)]
        assert (done.finish == "stop") == ("\\boxed{" in done.text)
        assert done.finish == "stop" or done.completion_tokens == max_tokens
        if logprobs:
            assert done.logprobs is not None
            assert len(done.logprobs) == done.completion_tokens
            assert all(p <= 0 for p in done.logprobs)
            assert b"".join(done.pieces or ()).decode() == done.text
        else:
            assert (done.logprobs, done.pieces) == (None, None)
        return done

    assert run(main()) == run(main())


def test_a_longer_bound_only_adds_to_a_sample() -> None:
    for short, long in zip(
        draw(Simulated(), 50, max_tokens=20), draw(Simulated(), 50, max_tokens=500), strict=True
    ):
        assert short.completion_tokens == min(20, long.completion_tokens)
        if short.finish == "stop":
            assert short == long


@pytest.mark.parametrize(("accuracy", "right"), [(0.0, 0), (1.0, 40)])
def test_certain_accuracies_are_certain(accuracy: float, right: int) -> None:
    answers = [answer(c) for c in draw(Simulated(accuracy=accuracy), 40)]
    assert answers.count("42") == right


def test_shares_lie_within_five_standard_errors_of_what_is_said() -> None:
    """Of fixed seeds, so the outcome is the same in every run."""
    n = 4000
    answers = [answer(c) for c in draw(Simulated(accuracy=0.6, decoys=3, length=5), n)]
    zipf = [1, 1 / 2, 1 / 3]
    expected = {"42": 0.6} | {
        str(43 + i): 0.4 * weight / sum(zipf) for i, weight in enumerate(zipf)
    }
    for text, share in expected.items():
        error = math.sqrt(share * (1 - share) / n)
        assert abs(answers.count(text) / n - share) < 5 * error
    assert set(answers) == set(expected)


def test_right_and_wrong_samples_are_signal_standard_deviations_apart() -> None:
    n = 4000
    found: dict[bool, list[float]] = {True: [], False: []}
    for c in draw(Simulated(accuracy=0.5, signal=2.0, length=5), n, logprobs=True):
        assert c.logprobs is not None
        found[answer(c) == "42"].append(c.logprobs[0])
    apart = sum(found[True]) / len(found[True]) - sum(found[False]) / len(found[False])
    assert abs(apart - 2.0 * 0.1) < 5 * 0.1 * math.sqrt(4 / n)


def test_time_passes_token_by_token_and_a_cancelled_sample_has_told_how_far_it_came() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        model = Simulated(speed=8.0, length=1000)
        told: list[int] = []
        done = await model.generate(Request(ASKED, 16, seed=1))
        assert (done.completion_tokens, done.seconds, loop.time()) == (16, 2.0, 2.0)
        task = asyncio.ensure_future(
            model.generate(Request(ASKED, 16, seed=1), lambda d: told.append(d.tokens))
        )
        await asyncio.sleep(1.0625)
        task.cancel()
        await asyncio.wait([task])
        assert told == list(range(1, 10))

    run(main())


def test_a_chain_that_is_made_to_answer_does_so_at_once_and_is_right_as_often() -> None:
    given = draw(Simulated(accuracy=0.7), 400, prefix="so\n\nTherefore \\boxed{")
    assert {c.completion_tokens for c in given} == {1}
    assert {c.finish for c in given} == {"stop"}
    whole = draw(Simulated(accuracy=0.7), 400)
    assert [c.text for c in given] == [f"{answer(c)}}}" for c in whole]


def test_two_worlds_have_two_columns_on_a_receipt() -> None:
    async def names() -> list[str]:
        worlds = ("simulated", "simulated(accuracy=0.2)", "simulated(accuracy=0.8, length=50)")
        return [(await open_model(one, Config(), Teller())).model.info.name for one in worlds]

    assert asyncio.run(names()) == [
        "simulated",
        "simulated(accuracy=0.2)",
        "simulated(accuracy=0.8, length=50)",
    ]
