"""``ponder learn grpo`` on the command line, with a tiny model in the place of a file's."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ponder.models import catalog
from tests.support.commands import ponder
from tests.support.letters import stand_in

pytest.importorskip("torch")
pytest.importorskip("peft")

BASE = "smollm2-135m"
Capture = pytest.CaptureFixture[str]
KILLED = """
import os, signal, sys
from ponder.cli.main import main
from ponder.learning.grpo.policy import PolicyModel
from tests.support.letters import stand_in

sys.modules |= stand_in()
original, count = PolicyModel.generate, 0

async def generate(self, *args, **more):
    global count
    count += 1
    if count == 21:
        os.kill(os.getpid(), signal.SIGKILL)
    return await original(self, *args, **more)

PolicyModel.generate = generate
main(sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def tiny_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in stand_in().items():
        monkeypatch.setitem(sys.modules, name, module)
    base = catalog.find(BASE)
    base.path.parent.mkdir(parents=True)
    base.path.write_bytes(b"GGUF")
    base.beside(".json").write_text('{"size": 4, "sha256": "0"}')


def command(folder: Path, *more: str) -> list[str]:
    rows = [{"q": question, "a": "a"} for question in ("b", "cd", "ef")]
    (folder / "letters.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    usual = {
        "--suite": f"{folder / 'letters.jsonl'}(question=q,answer=a)",
        "--verifier": "regex(a)",
        "-m": BASE,
        "--name": "letters",
        "--sampler": "policy",
        "--steps": "4",
        "--prompts": "2",
        "--group": "4",
        "--max-tokens": "2",
        "--save": "2",
        "--rate": "0.01",
    }
    usual |= dict(zip(more[::2], more[1::2], strict=True))
    return ["learn", "grpo", *(word for pair in usual.items() for word in pair if pair[1])]


def place(name: str = "letters") -> Path:
    return catalog.find(BASE).path.with_name(f"{BASE}+{name}.gguf")


def test_a_model_is_taught_and_a_card_written(tmp_path: Path, capsys: Capture) -> None:
    code, out, err = ponder(capsys, *command(tmp_path))
    assert (code, out) == (0, ""), err
    assert "made smollm2-135m+letters; search" in err
    assert "of 32 samples had no reward" in err
    folder = place().with_suffix(".learning")
    card = json.loads((folder / "card.json").read_text())
    assert place().read_bytes() == (folder / place().name).read_bytes()
    assert json.loads(place().with_suffix(".json").read_text())["card"] == card
    assert (card["kind"], card["steps"], card["samples"]) == ("grpo", 4, 32)
    assert (card["problems"]["number"], card["verifier"]) == (3, "regex(a)")
    assert card["rewards"] == [step["reward"] for step in card["curve"]]
    assert all(0 <= reward <= 1 for reward in card["rewards"])
    assert card["trained"] > 0
    code, _, err = ponder(capsys, *command(tmp_path))
    assert (code, err.count("\n")) == (2, 1)
    assert "smollm2-135m+letters exists: choose another name, or say --force" in err
    # More steps go on from there.
    more = command(tmp_path, "--steps", "5")
    code, out, err = ponder(capsys, *more, "--force", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["curve"][:4] == card["curve"]
    assert ponder(capsys, *more, "--force", "-q") == (0, "", "")
    code, _, err = ponder(capsys, *command(tmp_path, "--group", "5"), "--force")
    assert (code, err.count("\n")) == (2, 1)
    assert "with another group (4 instead of 5): choose another --name" in err


def test_a_killed_command_goes_on_to_the_same_model(tmp_path: Path, capsys: Capture) -> None:
    """Of four steps of eight samples, it is killed as the fifth of step 3 is to be drawn."""
    arguments = command(tmp_path, "--name", "killed")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": "."},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    step = place("killed").with_suffix(".learning") / "steps" / "000002.jsonl"
    before = step.read_bytes()
    assert before.count(b"\n") == 4
    for whole in (arguments, command(tmp_path)):
        code, _, err = ponder(capsys, *whole, "-q")
        assert (code, err) == (0, "")
    assert step.read_bytes().startswith(before)  # what was drawn is used
    assert step.read_bytes().count(b"\n") == 9
    assert place("killed").read_bytes() == place().read_bytes()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--suite", "nothing"), "unknown suite 'nothing'"),
        (("--verifier", "nothing"), "unknown verifier 'nothing'"),
        (("--suite", ""), "Missing option '--suite'"),
        (("--verifier", ""), "Missing option '--verifier'"),
        (("-m", "nothing"), "nothing"),
        (("-m", "simulated"), "simulated cannot be trained: name one of the catalogue, such as"),
        (("--name", "../x"), "a learned model cannot be called '../x'"),
        (("--group", "1"), "1 is not in the range x>=2"),
        (("--rate", "nan"), "nan is not a finite number"),
        (("--verifier", "self_verify"), "model"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    wrong: tuple[str, ...], said: str, tmp_path: Path, capsys: Capture
) -> None:
    code, out, err = ponder(capsys, *command(tmp_path, *wrong))
    assert (code, out) == (2, ""), err
    assert said in err
    assert "Traceback" not in err
    assert not place().exists()


def test_without_the_extra_it_is_named(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str, *_: Any) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", absent)
    code, _, err = ponder(capsys, *command(tmp_path))
    assert (code, err.count("\n")) == (2, 1)
    assert "training a model needs the extra 'train': pip install 'ponder[train]'" in err
