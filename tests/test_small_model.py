"""The whole of it on a small real model, in the embedded engine."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

import ponder
from ponder import Budget, Result
from ponder.cli.main import main
from ponder.core.record.events import Event, Grew, SampleFinished
from ponder.models.base import Request
from ponder.models.openvino.model import OpenVINO
from ponder.verification import score

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openvino_genai") is None, reason="needs the extra 'local'"
)
QUESTION = "Tom has 3 boxes with 4 apples each. How many apples does he have?"


@pytest.fixture
def model(small_engine: OpenVINO) -> OpenVINO:
    return small_engine


def test_a_run_answers_within_its_budget_and_books_what_it_spent(model: OpenVINO) -> None:
    events: list[Event] = []
    result = ponder.solve(
        QUESTION,
        model=model,
        strategy="self_consistency",
        knobs={"n": 6, "length": 96, "stop": "never"},
        budget=Budget(tokens=3_000),
        journal=False,
        on_event=events.append,
    )
    chains = [e.trace for e in events if isinstance(e, SampleFinished)]
    forced = sum("the final answer is \\boxed{" in chain.text for chain in chains)
    total = result.receipt.total
    assert total.cost.tokens <= 3_000
    assert (len(chains), total.calls) == (6, 6 + forced)
    assert total.failed == 0
    assert total.completion_tokens == sum(c.tokens for c in result.candidates)
    assert 0 < total.cached_tokens < total.prompt_tokens  # five of six did not evaluate it anew
    assert total.flops > 2 * model.info.shape.parameters * total.completion_tokens
    assert total.picousd == 0


def test_a_solution_is_read_in_one_prefill(model: OpenVINO) -> None:
    texts = ["3 x 4 = 12, so the answer is 12.", "3 + 4 = 7, so the answer is 7."]
    found = score(QUESTION, texts, verifier="generative", model=model)
    [item] = found.receipt.items
    assert all(one.value is not None and 0 < one.value < 1 for one in found.scores)
    assert (item.role, item.calls, item.completion_tokens) == ("verify", 2, 2)


def test_same_seed_same_result(model: OpenVINO) -> None:
    def once() -> Result:
        knobs = {"n": 8, "length": 64, "stop": "never"}
        return ponder.solve(
            QUESTION, model=model, strategy="self_consistency", knobs=knobs, journal=False
        )

    first, second = once(), once()
    assert first.candidates == second.candidates
    assert first.answer == second.answer


def test_confidence_comes_from_the_models_own_logprobs(model: OpenVINO) -> None:
    result = ponder.solve(
        QUESTION,
        model=model,
        strategy="best_of_n",
        verifier="lowest_group",
        knobs={"n": 4, "length": 64},
        journal=False,
    )
    scores = [c.score for c in result.candidates]
    assert all(score is not None and 0 < score < 1 for score in scores)
    assert result.trace is not None
    assert result.trace.logprobs is not None
    assert len(result.trace.logprobs) == result.trace.tokens


async def test_an_interrupted_run_leaves_nothing_generating(model: OpenVINO) -> None:
    events = ponder.stream(
        QUESTION,
        model=model,
        strategy="self_consistency",
        knobs={"n": 6, "length": 1024, "stop": "never"},
        journal=False,
    )
    async for event in events:
        if isinstance(event, Grew) and event.tokens:
            break
    before = model.metrics()
    await events.aclose()
    # The next sample is alone in the engine: within two steps of it, everything else is gone.
    messages = (ponder.Message("user", "Hi"),)
    await model.generate(Request(messages, max_tokens=2, temperature=0.0))
    assert before.requests > 1
    assert model.metrics().requests == 0


def test_the_command_line_answers_with_it(
    small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["solve", QUESTION, "-m", str(small_model), "--effort", "minimal", "--json"])
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert ended.value.code == (0 if result["answer"] is not None else 1)
    assert result["model"] == small_model.stem
    assert result["stopped_by"] == "done"
    assert result["receipt"]["total"]["completion_tokens"] > 0
    assert "Traceback" not in err


def test_a_pool_of_real_samples_is_recorded_scored_and_graded_anew(
    small_model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool, again = tmp_path / "pool.jsonl", tmp_path / "again.jsonl"
    drawn = ["--limit", "2", "--n", "3", "--set", "length=48", "--confidence", "--data", str(data)]
    record = ["record", "--suite", "gsm8k", "-m", str(small_model), "-o", str(pool), *drawn]
    lines: list[list[str]] = []
    for arguments in (record, ["grade", str(pool), "-o", str(again)]):
        with pytest.raises(SystemExit) as ended:
            main(["pool", *arguments])
        assert ended.value.code == 0
        lines.append(Path(arguments[-1] if "grade" in arguments else pool).read_text().split("\n"))
    assert lines[0] == lines[1]
    header, *problems = [json.loads(line) for line in lines[0] if line]
    assert header["parameters"] > 10**8
    assert len(header["file_sha256"]) == 64
    assert [len(p["samples"]) for p in problems] == [3, 3]
    assert all(0 < s["score"]["mean_logprob"] < 1 for p in problems for s in p["samples"])
    with pytest.raises(SystemExit) as ended:
        main(["pool", "score", str(pool), "--by", "random", "--json"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    per_token = rows[0]["flops"] / rows[0]["tokens"]
    assert per_token > 2 * header["parameters"]  # the weights, and attention
