"""Rounds of search and training; trainings are written down, not made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import MissingExtra, PonderError, UsageError
from ponder.core.record.effects import Sampling
from ponder.experiments.pools.file import Pool
from ponder.learning import extra
from ponder.learning.rows.picking import Choice
from ponder.learning.sft import process
from ponder.learning.sft.rounds import Learned, Learning, learn
from ponder.learning.sft.searching import Search
from ponder.runtime.journal import Journal
from ponder.util.files import placed
from tests.support.evaluation import suite
from tests.support.lessons import rows
from tests.support.pools import lines
from tests.support.sft import Simulating, Trainings

N, PROBLEMS = 4, 3


class World:
    """A folder with a base model and a suite, and trainings that are counted."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.opened = folder / "work", list[str]()
        self.base = folder / "base.gguf"
        self.base.write_text("base")
        self.suite = suite(folder, PROBLEMS)
        self._patch = patch
        patch.setattr(extra, "require", lambda: None)
        self.trainings = self.train()

    def train(self, *broken: int) -> Trainings:
        self.trainings = Trainings(*broken)
        self._patch.setattr(process, "train", self.trainings)
        return self.trainings

    def engine(self) -> Simulating:
        made = Simulating()
        made.opened = self.opened
        return made

    def asked(self, **more: Any) -> Learning:
        verifier = more.pop("verifier", "regex(.)")
        search = Search(self.suite, Choice(verifier, 0.5), N, sampling=Sampling(200))
        if "data" not in more:
            more["search"] = replace(search, **more.pop("search", {}))
        known = {"rounds": 2, **more}
        return Learning("base+x", "base", self.base, self.folder, **known)

    def learn(self, **more: Any) -> Learned:
        return learn(self.asked(**more), self.engine)

    def seeds(self, number: int) -> list[int]:
        journal = Journal(self.folder / f"round-{number}" / f"samples-{number}.jsonl.journal")
        found = [row.effect["seed"] for run in journal.runs() for row in journal.calls(run.id)]
        journal.close()
        return found

    def content(self) -> dict[str, str]:
        """All that is the same in every run: rows and models."""
        names = [*self.folder.glob("round-*/data.jsonl"), *self.folder.glob("round-*/*.gguf")]
        return {str(path.relative_to(self.folder)): path.read_text() for path in names}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_each_round_samples_with_the_model_before_and_learns_from_all_rows(world: World) -> None:
    done = world.learn()
    first, second = world.folder / "round-1", world.folder / "round-2"
    assert world.opened == ["base", str(first / "base+x.gguf")]
    assert done.model == second / "base+x.gguf"
    jobs = world.trainings.jobs
    assert [job.base for job in jobs] == [str(world.base)] * 2, "each from the base"
    assert [job.data for job in jobs] == [(str(f / "data.jsonl"),) for f in (first, second)]
    sources = [
        {one["source"] for row in rows(f / "data.jsonl") for one in row["ponder"]["chains"]}
        for f in (first, second)
    ]
    assert sources == [{"verified-1.jsonl"}, {"verified-1.jsonl", "verified-2.jsonl"}]
    assert not {*world.seeds(1)} & {*world.seeds(2)}
    card = json.loads((world.folder / "card.json").read_text())
    assert card == done.card
    for number, one in enumerate(card["rounds"], 1):
        pool = Pool(world.folder / f"round-{number}" / f"verified-{number}.jsonl")
        passed = [sum(sample.answer is not None for sample in entry.samples) for entry in pool]
        assert one["search"]["learned"] == {
            "problems": PROBLEMS, "solved": sum(map(bool, passed)), "samples": N * PROBLEMS,
            "passed": sum(passed),
        }  # fmt: skip
    assert card["flops"]["training"] == 2000
    assert card["flops"]["search"] == sum(one["search"]["flops"] for one in card["rounds"])
    assert card["seconds"]["training"] == 5.0
    assert card["thinking"] == ["low", "high"]


def test_solved_questions_may_be_shown_in_the_first_round_alone(world: World) -> None:
    world.learn(search={"style": "worked", "without_examples": True})
    styles = []
    for number in (1, 2):
        folder = world.folder / f"round-{number}"
        styles.append(Pool(folder / f"samples-{number}.jsonl").header.rest["style"])
        assert {len(row["prompt"]) for row in rows(folder / "data.jsonl")} == {1}
    assert styles == ["worked", "zero_shot"]


def test_the_last_round_may_be_trained_on(world: World) -> None:
    world.learn(start="last")
    jobs = world.trainings.jobs
    assert [job.base for job in jobs] == [
        str(world.base), str(world.folder / "round-1" / "base+x.gguf"),
    ]  # fmt: skip
    assert {job.metadata for job in jobs} == {str(world.base)}


def test_no_reference_is_in_the_folder(world: World) -> None:
    world.learn(rounds=1)
    for name in ("samples-1.jsonl", "verified-1.jsonl"):
        entries = list(Pool(world.folder / "round-1" / name))
        assert [entry.gold for entry in entries] == [None] * PROBLEMS
        assert {s.correct for entry in entries for s in entry.samples} == {None}


def test_agreement_is_counted_and_not_asked_for(world: World) -> None:
    done = world.learn(rounds=1, verifier="agreement")
    passed = done.card["rounds"][0]["search"]["learned"]["passed"]
    assert done.card["rounds"][0]["rows"]["read"]["passed"] == passed > 0
    assert not (world.folder / "round-1" / "verified-1.jsonl.journal").exists()


@pytest.mark.parametrize("broken", [1, 2])
def test_a_request_broken_off_goes_on_and_samples_nothing_twice(
    broken: int, world: World, tmp_path: Path
) -> None:
    world.train(broken)
    with pytest.raises(KeyboardInterrupt):
        world.learn()
    before = [world.seeds(number) for number in range(1, broken + 1)]
    opened = len(world.opened)
    world.train()
    world.learn()
    assert [world.seeds(number) for number in range(1, broken + 1)] == before
    assert all(len({*seeds}) == N * PROBLEMS for seeds in before)
    assert len(world.opened) - opened == 2 - broken, "a finished search opens no model"
    found = world.content()
    world.folder = tmp_path / "whole"
    world.learn()
    assert world.content() == found


def test_a_finished_request_does_nothing_and_more_rounds_go_on(world: World) -> None:
    first = world.learn(rounds=1)
    world.train()
    assert world.learn(rounds=1) == first
    assert world.trainings.jobs == []
    assert world.learn(rounds=2).card["rounds"][0] == first.card["rounds"][0]
    assert len(world.trainings.jobs) == 1


def test_a_folder_of_another_request_is_refused(world: World) -> None:
    world.learn(rounds=1)
    said = r"holds another training, with another holdout \(0.0 instead of 0.5\) and search"
    with pytest.raises(UsageError, match=said):
        world.learn(holdout=0.5, search={"n": 5})
    (world.folder / "request.json").write_text("[")
    with pytest.raises(UsageError, match=r"request.json is damaged"):
        world.learn(rounds=1)


def test_held_out_problems_are_sampled_and_counted_apart(world: World) -> None:
    done = world.learn(rounds=1, holdout=0.7)
    sides = done.card["rounds"][0]["search"]
    assert sides["learned"]["problems"] + sides["held_out"]["problems"] == PROBLEMS
    assert sides["held_out"]["problems"] > 0
    assert world.trainings.jobs[0].holdout == 0.7


def test_questions_of_a_named_suite_are_not_sampled(world: World) -> None:
    with pytest.raises(UsageError, match="none of the 3 problems"):
        world.learn(search={"not_in": (world.suite,)})
    assert world.opened == []


def test_rows_are_one_round(world: World, tmp_path: Path) -> None:
    row = {
        "prompt": [{"role": "user", "content": "?"}],
        "completion": [{"role": "assistant", "content": "!"}],
    }
    data = lines(tmp_path / "d.jsonl", row)
    done = world.learn(data=(data,), rounds=1)
    assert done.card["flops"]["search"] == 0
    assert world.trainings.jobs[0].data == (str(data),)
    lines(data, row, row)
    with pytest.raises(UsageError, match="with another data"):
        world.learn(data=(data,), rounds=1)


@pytest.mark.parametrize(
    ("suite", "verifier", "said"),
    [
        ("gsm8k", "arithmetic", "models are measured on gsm8k"),
        ("gsm8k/train", "mean_logprob", "reads log-probabilities"),
        ("gsm8k/train", "nothing", "unknown verifier 'nothing'"),
    ],
)
def test_a_search_that_teaches_nothing_sound_is_refused(
    suite: str, verifier: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        Search(suite, Choice(verifier))


def test_a_disk_that_refuses_is_one_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PonderError, match=r"cannot write in .*: No space left on dev") as caught:
        world.learn()
    assert not isinstance(caught.value, UsageError)
    assert [path.name for path in world.folder.iterdir()] == ["lock"]


def test_a_missing_extra_is_told_before_anything_is_sampled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="pip install 'ponder\\[train\\]'"):
        world.learn()
    assert not world.folder.exists()


def test_a_model_is_placed_by_a_link_or_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model.gguf"
    model.write_text("weights")
    placed(model, tmp_path / "a")
    assert (tmp_path / "a").samefile(model)

    def refuse(*_: object) -> None:
        raise OSError("another disk")

    monkeypatch.setattr("os.link", refuse)
    placed(model, tmp_path / "a")
    assert not (tmp_path / "a").samefile(model)
    assert (tmp_path / "a").read_text() == "weights"
