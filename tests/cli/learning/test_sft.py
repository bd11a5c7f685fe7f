"""``ponder learn sft`` on the command line; trainings are written down, not made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ponder.learning import extra
from ponder.learning.sft import process
from ponder.models import catalog
from tests.support.commands import ponder
from tests.support.pools import lines
from tests.support.sft import Trainings

Capture = pytest.CaptureFixture[str]
ROW = {
    "prompt": [{"role": "user", "content": "What is 1 + 1?"}],
    "completion": [{"role": "assistant", "content": "2"}],
}


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    found = Trainings()
    monkeypatch.setattr(extra, "require", lambda: None)
    monkeypatch.setattr(process, "train", found)
    return found


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PONDER_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "models").mkdir(parents=True)
    path = tmp_path / "tiny.gguf"
    path.write_text("GGUF")
    return str(path)


def test_a_model_is_made_and_told_of(
    trainings: Trainings, base: str, tmp_path: Path, capsys: Capture
) -> None:
    data = str(lines(tmp_path / "d.jsonl", ROW, ROW))
    how = ("learn", "sft", data, "-m", base, "--name", "sums")
    code, out, err = ponder(capsys, *how, "--rank", "4")
    folder = tmp_path / "tiny+sums.learning"
    model = folder / "round-1" / "tiny+sums.gguf"
    assert (code, out) == (0, "")
    assert err == (
        "round 1, training: 1/2, loss 1.500, 0 s left\n"
        "round 1: learned 2 rows, 1 too long, 20 tokens, in 2 steps; loss 1.500 to 0.500\n"
        f"made {model}; search 0.00e+00 FLOPs, training 1.00e+03; "
        f"{folder / 'card.json'} has the rest\n"
    )
    assert model.read_text() == "model of round-1"
    assert trainings.jobs[0].settings.rank == 4
    code, out, err = ponder(capsys, *how)
    assert (code, err) == (
        2, f"ponder: {folder / 'card.json'} exists: choose another name, or say --force.\n"
    )  # fmt: skip
    code, out, err = ponder(capsys, *how, "--rank", "4", "--force", "--json")
    card = json.loads(out)
    assert (code, err, card["settings"]["rank"]) == (0, "", 4)
    assert len(trainings.jobs) == 1, "it is there already"
    code, out, err = ponder(capsys, *how, "--rank", "5", "--force")
    assert (code, err.count("\n")) == (2, 1)
    assert "holds another training, with another settings" in err


def test_ctrl_c_says_where_it_goes_on(
    trainings: Trainings, base: str, tmp_path: Path, capsys: Capture
) -> None:
    trainings.broken = {1}
    data = str(lines(tmp_path / "d.jsonl", ROW))
    how = ("learn", "sft", data, "-m", base, "--name", "x", "-o", str(tmp_path / "w"))
    assert ponder(capsys, *how) == (
        130,
        "",
        f"what is done is in {tmp_path / 'w'}; the same command goes on from there\n"
        "ponder: interrupted.\n",
    )
    assert ponder(capsys, *how, "-q") == (0, "", "")


def test_a_model_of_the_catalogue_has_what_it_learned_beside_it(
    trainings: Trainings, base: str, tmp_path: Path, capsys: Capture
) -> None:
    learned = pytest.importorskip("ponder.models.learned")
    models = tmp_path / "home" / "models"
    (models / "smollm2-135m.gguf").write_text("GGUF")
    published = catalog.find("smollm2-135m").source.sha256
    facts = {"size": 4, "sha256": published, "published": published}
    (models / "smollm2-135m.json").write_text(json.dumps(facts))
    data = str(lines(tmp_path / "d.jsonl", ROW))
    how = ("learn", "sft", data, "-m", "smollm2-135m", "--name", "sums", "-o", str(tmp_path / "w"))
    code, _, err = ponder(capsys, *how)
    assert (code, "made smollm2-135m+sums; search" in err) == (0, True), err
    made = models / "smollm2-135m+sums.gguf"
    assert made.read_text() == "model of round-1"
    card = json.loads((tmp_path / "w" / "card.json").read_text())
    assert learned.find("smollm2-135m+sums").card == card
    code, _, err = ponder(capsys, *how)
    assert (code, err) == (2, f"ponder: {made} exists: choose another name, or say --force.\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "what is to be learned? Give files of rows, or --suite"),
        (["d.jsonl", "--suite", "gsm8k/train"], "what is to be learned?"),
        (["--suite", "gsm8k/train"], "which verifier's score decides?"),
        (["--suite", "gsm8k", "--verifier", "arithmetic"], "models are measured on gsm8k"),
        (["d.jsonl", "--verifier", "arithmetic"], "--verifier belongs to a search with --suite"),
        (["d.jsonl", "--name", "Big name"], "--name: expected small letters"),
        (["d.jsonl", "-m", "simulated"], "its weights are not on this machine"),
        (["d.jsonl", "-m", "nothing"], "unknown model 'nothing'"),
        (["absent.jsonl"], "cannot read the rows absent.jsonl"),
        (["d.jsonl", "--rate", "nan"], "'--rate'"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    arguments: list[str],
    said: str,
    trainings: Trainings,
    base: str,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    rest = [] if "--name" in arguments else ["--name", "x"]
    model = [] if "-m" in arguments else ["-m", base]
    code, out, err = ponder(capsys, "learn", "sft", *arguments, *rest, *model)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert trainings.jobs == []
    assert list((tmp_path / "home" / "models").iterdir()) == []


def test_a_missing_extra_is_told(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(extra, "PACKAGES", ("no_such_package",))
    data = str(lines(tmp_path / "d.jsonl", ROW))
    code, _, err = ponder(capsys, "learn", "sft", data, "-m", base, "--name", "x")
    assert (code, err) == (
        2, "ponder: training a model needs the extra 'train': pip install 'ponder[train]'.\n"
    )  # fmt: skip
