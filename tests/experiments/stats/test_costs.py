"""What k samples cost, against sums written out by hand and against ``Shape.flops``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ponder.experiments.pools.samples import Header
from ponder.experiments.stats import columns, scoring
from ponder.experiments.stats.costs import shape_of
from ponder.models.base import Shape
from tests.support.pools import Command, entry, lines, sample

SHAPE = Shape(parameters=1000, attention=10)


def test_costs_by_hand() -> None:
    more: dict[str, Any] = {"prompt_tokens": 5, "seconds": 0.5, "usd": 0.25}
    problems = [
        entry("p", sample("a", tokens=2, **more), sample("b", tokens=4, **more)),
        entry("q", sample("a", tokens=6, **more)),
    ]
    costs = columns.read(problems, shape=SHAPE).costs
    assert costs["tokens"].each.tolist() == [8, 11]
    assert costs["usd"].each.tolist() == [0.25, 0.25]
    assert costs["seconds"].mean(4) == 2
    # five tokens attend to 0 + 1 + 2 + 3 + 4 earlier ones; the next two to 5 + 6
    assert costs["flops"].once.tolist() == [2 * 1000 * 5 + 40 * 10] * 2
    two, four, six = (2000 * n + 40 * s for n, s in ((2, 11), (4, 26), (6, 45)))
    assert costs["flops"].each.tolist() == [(two + four) / 2, six]


@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=5),
)
def test_flops_are_those_of_the_model(figures: list[tuple[int, int]]) -> None:
    problems = [
        entry(str(i), sample("a", tokens=tokens, prompt_tokens=prompt))
        for i, (prompt, tokens) in enumerate(figures)
    ]
    costs = columns.read(problems, shape=SHAPE).costs["flops"]
    prompts = [SHAPE.flops(prompt, 0, 0) for prompt, _ in figures]
    replies = [SHAPE.flops(prompt, prompt, tokens) for prompt, tokens in figures]
    assert costs.once.tolist() == prompts
    assert costs.each.tolist() == replies


def test_what_is_not_known_of_all_samples_is_not_counted() -> None:
    problems = [entry("p", sample("a", prompt_tokens=1, usd=1.0), sample("b", seconds=1))]
    costs = columns.read(problems, shape=SHAPE).costs
    assert list(costs) == ["tokens"]
    assert costs["tokens"].each.tolist() == [10.5]  # a prompt that is not recorded counts nothing


def test_without_any_prompt_flops_are_of_the_completions() -> None:
    problems = [entry("p", sample("a", tokens=10), sample("b", tokens=20))]
    flops = columns.read(problems, shape=Shape(1000)).costs["flops"]
    assert (flops.once.tolist(), flops.each.tolist()) == ([0.0], [2 * 1000 * 15.0])


def test_flops_need_the_size_of_the_model() -> None:
    read = columns.read([entry("p", sample("a", prompt_tokens=1))])
    assert "flops" not in read.costs
    assert shape_of(Header(("m",), {"parameters": 7, "attention": 2})) == Shape(7, 2)
    assert shape_of(Header(("m",), {"parameters": "many"})) == Shape()
    assert shape_of(Header()) == Shape()


def test_rows_say_what_they_cost(pool: Command, tmp_path: Path) -> None:
    samples = [{"answer": "a", "correct": True, "tokens": 10, "prompt_tokens": 5, "usd": 0.5}] * 2
    path = lines(
        tmp_path / "x.jsonl",
        {"pool": 1, "model": "m", "parameters": 1000, "attention": 0},
        {"problem_id": "p", "gold": "a", "answer_type": "text", "samples": samples},
    )
    rows = pool.json("score", path, "--n", "2", "--by", "majority")["rows"]
    for row in rows:
        assert (row["tokens"], row["usd"], row["flops"]) == (30, 1.0, 2000 * (5 + 2 * 10))
        assert "seconds" not in row
    _, out, _ = pool("score", path)
    assert out.splitlines()[1].split()[-3:] == ["tokens", "flops", "usd"]
    assert out.splitlines()[2].split()[-3:] == ["15", "3.00e+04", "0.50000"]


def test_a_score_that_was_bought_costs_for_every_sample() -> None:
    bought = {"judge": {"tokens": 6.0, "flops": 50.0}}
    samples = [
        sample("a", tokens=4, prompt_tokens=3, scores={"judge": 0.5}, verified=bought),
        sample("b", tokens=4, prompt_tokens=3, scores={"judge": 0.1}, verified={"judge": {}}),
    ]
    read = columns.read([entry("p", *samples)], shape=SHAPE)
    assert read.verified == {"judge": {"tokens": 3.0, "flops": 25.0}}
    plain, judged = read.cost(2), read.cost(2, "judge")
    assert judged["tokens"] - plain["tokens"] == 2 * 3
    assert judged["flops"] - plain["flops"] == 2 * 25
    by = [scoring.aggregator("best:judge")]
    rows = {row.by: row.cost for row in scoring.score(read, by=by, n=[2]).rows}
    assert rows["best:judge"] == judged
    assert rows["random"] == rows["coverage"] == plain


def test_the_cost_of_k_samples_is_linear_in_k() -> None:
    problems = [entry("p", *[sample("a", tokens=4, prompt_tokens=3)] * 4)]
    rows = scoring.score(columns.read(problems, shape=SHAPE), n=[1, 2, 4]).rows
    flops = [row.cost["flops"] for row in rows if row.by == "random"]
    assert np.allclose(np.diff(flops), np.array([1, 2]) * SHAPE.flops(3, 3, 4))
