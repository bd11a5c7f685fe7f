"""``ponder pool score``: rows, words of refusal, and what counts as an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.experiments.report import load as series_of
from ponder.experiments.stats import columns, scoring
from tests.support.pools import Command, entry, line, lines, sample, spelt


def accuracies(report: scoring.Report) -> dict[tuple[str, int], float]:
    return {(row.by, row.n): row.accuracy for row in report.rows}


def score(*problems: Any, **asked: Any) -> dict[tuple[str, int], float]:
    by = [scoring.aggregator(text) for text in asked.pop("by", ["majority"])]
    exact = asked.pop("exact_strings", False)
    read = columns.read(problems, exact_strings=exact)
    return accuracies(scoring.score(read, by=by, **asked))


def test_json_is_of_the_documented_shape(tmp_path: Path, pool: Command) -> None:
    problem = line("p1", "a", "a", "b", "b")
    for i, item in enumerate(problem["samples"]):
        item |= {"score": i / 4, "prompt_tokens": 5}
    path = lines(tmp_path / "p", problem)
    shown = pool.json("score", path, "--n", "1,4", "--by", "best:score,majority")
    assert (shown["problems"], shown["samples_per_problem"]) == (1, 4)
    assert [(r["by"], r["n"], r["tokens"]) for r in shown["rows"]] == [
        (by, n, 15.0 * n) for n in (1, 4) for by in ("random", "best:score", "majority", "coverage")
    ]
    assert [r["accuracy"] for r in shown["rows"]] == [0.5, 0.5, 0.5, 0.5, 0.5, 0.0, 0.5, 1.0]
    assert set(shown["rows"][0]) == {"by", "n", "accuracy", "low", "high", "tokens", "interval"}
    assert [r["interval"] for r in shown["rows"][4:]] == ["bootstrap", "wilson"] * 2


def test_random_and_coverage_stand_beside_every_selector_once() -> None:
    found = score(spelt("p", "aab"), by=["coverage", "majority", "random", "majority"], n=[3, 1, 3])
    assert list(found) == [
        (by, n) for n in (1, 3) for by in ("random", "majority", "coverage")
    ]  # fmt: skip


def test_the_numbers_of_samples_double_up_to_what_all_problems_have() -> None:
    assert scoring.doubling(1) == [1]
    assert scoring.doubling(16) == [1, 2, 4, 8, 16]
    assert {n for _, n in score(spelt("p", "aabba"), spelt("q", "aaabbbab"))} == {1, 2, 4, 5}


def test_problems_with_more_samples_count_as_much_as_others() -> None:
    found = score(spelt("p", "aaab"), spelt("q", "bb"), by=["majority"], n=[2])
    assert found["random", 2] == pytest.approx((0.75 + 0) / 2)
    assert found["coverage", 2] == pytest.approx(0.5)
    assert found["majority", 2] == pytest.approx((0.5 + 0.5 * 0.5) / 2)


def test_a_sample_without_an_answer_never_wins() -> None:
    silent = spelt("p", [None, None, "a", "b", " "], [9, 9, 1, 0, 9])
    found = score(silent, by=["majority", "best:s", "weighted:s"], n=[5])
    assert found == {
        ("random", 5): pytest.approx(0.2),
        ("majority", 5): 0.5,
        ("best:s", 5): 1.0,
        ("weighted:s", 5): 1.0,
        ("coverage", 5): 1.0,
    }
    assert score(spelt("p", [None, None]), spelt("q", "aa"), n=[2])["majority", 2] == 0.5


def test_answers_are_equal_if_they_mean_the_same() -> None:
    same = entry(
        "p", sample("0.5", True), sample("1/2", True), sample("3"), sample("3"), kind="number"
    )
    assert score(same, n=[4])["majority", 4] == 0.5
    three = entry("p", *same.samples, sample(r"\frac12", True), kind="number")
    assert score(three, n=[5])["majority", 5] == 1.0
    assert score(three, n=[5], exact_strings=True)["majority", 5] == 0.0


async def test_formulas_are_asked_of_the_worker_even_within_a_running_loop() -> None:
    samples = [sample(r"\sqrt{8}", True), sample(r"2\sqrt{2}", True), sample("3"), sample("4")]
    unanimous = entry("q", *[sample(r"\sqrt{3}+1", True)] * 3, kind="math")
    asked: list[int] = []
    read = columns.read([entry("p", *samples, kind="math"), unanimous], announce=asked.append)
    # Of four subsets two hold both roots, and two hold one in a tie of three.
    found = accuracies(scoring.score(read, n=[3]))["majority", 3]
    assert found == pytest.approx(((2 + 2 / 3) / 4 + 1) / 2)
    assert asked == [2]  # whether an answer that nobody disputes is a formula does not matter


def test_an_answer_is_as_right_as_the_mean_of_its_samples() -> None:
    mixed = entry("p", sample("a", True), sample("a", False), sample("a", True), sample("b"))
    found = score(mixed, n=[4])
    assert found["majority", 4] == pytest.approx(2 / 3)
    assert found["random", 4] == 0.5


def test_ties_go_to_the_first_recorded_only_on_request() -> None:
    tied = spelt("p", "abab", [1, 1, 0, 0])
    assert set(score(tied, by=["majority", "best:s", "weighted:s"], n=[4]).values()) == {0.5, 1.0}
    first = score(tied, by=["majority", "best:s", "weighted:s"], n=[4], ties="first")
    assert [first[by, 4] for by in ("majority", "best:s", "weighted:s")] == [1.0] * 3


def test_scores_may_be_negative() -> None:
    found = score(spelt("p", "abb", [-1, -1, -1]), by=["weighted:s"], n=[3])
    assert found["weighted:s", 3] == 1.0  # two votes of -1 are worth less than one


def test_a_pool_of_grades_alone_has_best_but_no_vote() -> None:
    grades = entry("p", sample(None, True, scores={"s": 2}), sample(None, False, scores={"s": 1}))
    assert score(grades, by=["best:s"], n=[2])["best:s", 2] == 1.0
    with pytest.raises(UsageError, match="the pool has grades but no answers"):
        score(grades, by=["majority"], n=[2])


@pytest.mark.parametrize("ties", ["split", "first"])
def test_where_nobody_answered_nothing_is_right(tmp_path: Path, pool: Command, ties: str) -> None:
    silent = [line(f"p{i}", None, None, None) for i in range(3)]
    for problem in silent:
        for item in problem["samples"]:
            item["score"] = 0.5
    by = ("--by", "majority,weighted:score,best:score", "--ties", ties)
    shown = pool.json("score", lines(tmp_path / "p", *silent), *by)
    assert {(row["by"], row["accuracy"]) for row in shown["rows"]} == {
        (name, 0.0) for name in ("random", "majority", "weighted:score", "best:score", "coverage")
    }


def test_differences_are_paired(tmp_path: Path, pool: Command) -> None:
    problems = [line(f"p{i}", *("aab" if i % 2 else "bba"), "b") for i in range(40)]
    path = lines(tmp_path / "p", *problems)
    asked = ["score", path, "--n", "1", "--compare", "coverage@4,random@1"]
    shown = pool.json(*asked, "--compare", "majority@1,random@1")
    first, second = shown["differences"]
    assert first["difference"] == pytest.approx(1 - 0.375)
    assert first["low"] < first["difference"] < first["high"]
    assert first["decided"]
    assert (second["difference"], second["low"], second["high"], second["decided"]) == (
        pytest.approx(0), pytest.approx(0), pytest.approx(0), False,
    )  # fmt: skip
    assert ("coverage", 4) in {(r["by"], r["n"]) for r in shown["rows"]}
    # Paired: all problems gain as much, so the interval is narrower than that of either row.
    [coverage] = [r for r in shown["rows"] if (r["by"], r["n"]) == ("random", 1)]
    assert first["high"] - first["low"] <= coverage["high"] - coverage["low"] + 1e-12
    _, out, _ = pool(*asked, "--compare", "majority@1,random@1")
    assert "coverage@4 - random@1: +0.6250 (" in out
    assert out.count("the data do not decide") == 1


def test_the_table_is_readable_and_says_what_is_not_exact(
    tmp_path: Path, pool: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ponder.experiments.stats.subsets.EXACT_WORK", 0)
    monkeypatch.setattr("ponder.experiments.stats.subsets._DRAWS", (50, 50))
    problem = line("p1", *"aababbab")
    for item in problem["samples"]:
        item["score"] = 1
    path = lines(tmp_path / "p", problem, {**problem, "problem_id": "p2"})
    code, out, _ = pool("score", path, "--by", "weighted:score", "--n", "4")
    assert code == 0
    head, columns_, *rows, last = out.splitlines()
    assert head == "2 problems, 8 samples each"
    assert columns_.split() == ["n", "by", "accuracy", "95", "%", "interval", "tokens"]
    assert [row.split()[1] for row in rows] == ["random", "weighted:score", "coverage"]
    assert last.startswith("1 rows by Monte Carlo over subsets, standard error at most 0.0")
    again = pool("score", path, "--by", "weighted:score", "--n", "4")[1]
    assert again == out
    assert pool("score", path, "--by", "weighted:score", "--n", "4", "--seed", "1")[1] != out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--n", "1,5"], "n = 5 is more than the pool holds: problem 'p2' has 3 samples; ask for"),
        (["--n", "0"], "--n: expected whole numbers above zero, such as 1,2,4,8, not '0'"),
        (["--n", "two"], "not 'two'"),
        (["--by", "majorty"], "unknown aggregator 'majorty': did you mean 'majority'?"),
        (["--by", "best"], "'best' needs the name of a score: best:SCORE"),
        (["--by", "majority:orm"], "'majority' uses no score"),
        (["--by", "best:orn"], "unknown score 'orn': did you mean 'orm'?"),
        (["--by", "best:prm"], "2 samples lack the score 'prm', first in problem 'p2'"),
        (["--compare", "majority@2"], "--compare: expected two rows, A@N,B@M, not 'majority@2'"),
        (["--compare", "majority@2,random"], "expected AGGREGATOR@N, such as majority@8"),
        (["--compare", "majority@2,random@9"], "n = 9 is more than the pool holds"),
        (["--ties", "last"], "'last' is not one of 'split', 'first'"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_sentence(
    tmp_path: Path, pool: Command, arguments: list[str], why: str
) -> None:
    first, second = line("p1", *"abab"), line("p2", "a", "b", "a")
    for i, item in enumerate(first["samples"] + second["samples"]):
        item["score"] = {"orm": 1, **({"prm": 1} if i < 5 else {})}
    said = pool.refusal("score", lines(tmp_path / "p", first, second), *arguments)
    assert why in said


def test_what_a_pool_lacks_is_said_in_one_sentence(tmp_path: Path, pool: Command) -> None:
    path = tmp_path / "p"
    ungraded = {"problem_id": "p2", "samples": [{"answer": "x", "tokens": 1}, {"answer": None}]}
    said = pool.refusal("score", lines(path, line("p1", "a"), ungraded))
    assert "1 sample lacks 'correct', first in problem 'p2': grade the pool first" in said
    said = pool.refusal("score", lines(path, line("p1", "a"), line("p2")))
    assert "problem 'p2' has no samples: record it again, or remove its line." in said
    said = pool.refusal("score", lines(path, line("p1", "a")), "--by", "best:orm")
    assert "the pool has no scores, so none is named 'orm'" in said


def test_a_score_is_not_needed_of_a_sample_without_an_answer() -> None:
    silent = entry("p", sample(None), sample("a", True, scores={"s": 1.0}))
    assert score(silent, by=["best:s", "weighted:s"], n=[2])["best:s", 2] == 1.0


def test_no_samples_choose_nothing() -> None:
    with pytest.raises(UsageError, match="must be at least 1"):
        score(spelt("p", "ab"), n=[0])


def test_tokens_are_unknown_if_one_sample_does_not_say() -> None:
    read = columns.read([spelt("p", "ab"), entry("q", sample("a", tokens=None), sample("b"))])
    assert read.costs == {}
    assert {row.to_json()["tokens"] for row in scoring.score(read).rows} == {None}


def test_many_formulas_are_announced(
    tmp_path: Path, pool: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ponder.cli.pool.command._MANY_FORMULAS", 1)
    path = lines(tmp_path / "p", line("p", r"\sqrt{2}", r"\sqrt{3}", answer_type="math"))
    assert "comparing 2 formulas" in pool("score", path)[2]
    assert pool("score", path, "--exact-strings")[2] == ""
    assert pool("score", path, "--by", "random", "--json")[2] == ""
    assert json.loads(pool("score", path, "--by", "coverage", "--json")[1])["problems"] == 1


def test_a_key_in_the_pool_spares_the_worker() -> None:
    """Formulas that differ in writing are one vote if the pool says so, and nobody is asked."""
    written = ["\\frac{x}{2}", "x/2", "y"]
    samples = [sample(a, a != "y", key="y" if a == "y" else "half") for a in written]
    asked: list[int] = []
    read = columns.read([entry("p", *samples, kind="math")], announce=asked.append)
    assert asked == []
    assert read.groups[0].classes.tolist() == [[0, 0, 1]]


def test_who_is_abstained_from_loses_against_any_score_but_wins_against_no_answer() -> None:
    def verified(answer: str | None, score: float | None) -> Any:
        known = {} if score is None else {"s": score}
        return sample(answer, answer == "a", scores=known, verified={"s": {}})

    asked: Any = {"by": ["best:s", "weighted:s"], "n": [2]}
    found = score(entry("p", verified("a", None), verified("b", 0.0)), **asked)
    assert found["best:s", 2] == 0.0
    assert found["weighted:s", 2] == 0.5  # nothing and nothing: a tie
    found = score(entry("p", verified("a", None), verified(None, None)), **asked)
    assert (found["best:s", 2], found["weighted:s", 2]) == (1.0, 1.0)
    found = score(entry("p", verified("a", 0.1), verified("b", None)), **asked)
    assert (found["best:s", 2], found["weighted:s", 2]) == (1.0, 1.0)


def test_a_report_leaves_a_score_out_of_pools_that_lack_it(tmp_path: Path) -> None:
    def pool(name: str, **scored: float) -> Path:
        problem = line("p1", "a", "b")
        for item in problem["samples"]:
            item["score"] = scored
        return lines(tmp_path / name, problem)

    both = [pool("s", s=0.5, t=0.5), pool("t", t=0.5)]
    found = series_of.load(both, by=["best:s", "best:t"]).series
    assert [(one.source, one.method) for one in found if one.method.startswith("best")] == [
        ("s", "best:s"), ("s", "best:t"), ("t", "best:t"),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="'u'"):
        series_of.load(both, by=["best:u"])
