"""``ponder report`` from the outside."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ponder.cli import main
from ponder.experiments.evals.store import store_path
from ponder.experiments.report.dial.votes import RULES
from ponder.runtime.journal import Journal
from tests.support.evaluation import evaluate
from tests.support.pools import lines

Ponder = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ponder(capsys: pytest.CaptureFixture[str]) -> Ponder:
    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.main(["report", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return run


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Six problems, four samples each; the first three have the right answer in most of them."""
    problems = [
        {
            "problem_id": f"p{i}",
            "gold": "a",
            "answer_type": "text",
            "level": str(1 + i // 3),
            "samples": [
                {"answer": a, "correct": a == "a", "tokens": 10, "seconds": 36.0} for a in answers
            ],
        }
        for i, answers in enumerate(["aaaa", "aaab", "aabc", "abbc", "bbbb", "bccc"])
    ]
    return lines(tmp_path / "letters.jsonl", {"pool": 1, "model": "some-model"}, *problems)


def test_a_page_numbers_and_pictures(ponder: Ponder, pool: Path, tmp_path: Path) -> None:
    page, numbers, pictures = tmp_path / "r.html", tmp_path / "r.json", tmp_path / "charts"
    code, out, err = ponder(
        pool, "-o", page, "--json", numbers, "--png", pictures, "--usd-per-hour", "2",
        "--title", "Letters", "--ratio", "1,10",
    )  # fmt: skip
    assert (code, out) == (0, ""), err
    text = page.read_text(encoding="utf-8")
    assert "<title>Letters</title>" in text
    assert "majority@4 of some-model" in text
    found = json.loads(numbers.read_text(encoding="utf-8"))
    assert found["ratios"] == [1.0, 10.0]
    assert found["command"] == (
        f"ponder report {pool} --output {page} --ratio 1,10 --usd-per-hour 2 --png {pictures} "
        f"--json {numbers} --title Letters"
    )
    [suite] = found["suites"]
    curves = {c["label"]: c for c in suite["curves"]}
    single, voted = curves["one sample of some-model"], curves["majority of some-model"]
    assert [p["n"] for p in voted["points"]] == [1, 2, 4]
    # Of 24 samples 4 + 3 + 2 + 1 are right; 36 s at 2 dollars an hour are 0.02.
    assert single["points"][0]["accuracy"] == pytest.approx(10 / 24)
    assert single["points"][0]["cost"]["usd"] == pytest.approx(0.02)
    assert single["points"][0]["per_right_answer"]["usd"]["value"] == pytest.approx(0.02 * 2.4)
    # Of four: aaaa, aaab and aabc; abbc goes to b.
    assert voted["points"][2]["accuracy"] == pytest.approx(3 / 6)
    names = {p.name for p in pictures.iterdir()}
    assert {"letters-coverage.png", "letters-difficulty.png"} <= names
    assert f"wrote {pictures}: {len(names)} charts" in err


def test_a_pool_and_a_results_store_have_their_dial(
    ponder: Ponder, pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(capsys, tmp_path, "-s", "self_consistency", "--grid", "n=1,4")
    numbers = tmp_path / "r.json"
    code, _, err = ponder(
        pool, store_path(), "-o", tmp_path / "r.html", "--json", numbers, "--n", "1,4"
    )
    assert code == 0, err
    letters, sums = (suite["dial"] for suite in json.loads(numbers.read_text())["suites"])
    assert letters["unit"] == "tokens"
    assert letters["calibrations"] == []  # nothing was fitted to texts
    rows = {row["method"]: row for row in letters["rows"] if row["kind"] == "rule"}
    assert {*rows} == {*RULES}
    assert rows["exact"]["accuracy"] == pytest.approx(3 / 6)
    assert rows["exact"]["error"] == 0.0
    assert rows["lead(k=2)"]["cost"]["tokens"] < rows["exact"]["cost"]["tokens"] < 40
    assert [row["method"] for row in sums["rows"]] == [
        "self_consistency n=1", "self_consistency n=4",
    ]  # fmt: skip
    assert [one["method"] for one in sums["calibrations"]] == ["self_consistency n=4"]


def test_the_documented_examples(ponder: Ponder, pool: Path, tmp_path: Path) -> None:
    for name in ("small", "large"):
        text = pool.read_text(encoding="utf-8").replace("some-model", name)
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    document = (Path(__file__).parents[3] / "docs/report.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^```sh\n(.*?)^```$", document, re.M | re.S)
    examples = block.replace("path/to", str(tmp_path)).splitlines()
    card = {"name": "large", "model": "small", "flops": {"search": 1, "training": 2}}
    (tmp_path / "card.json").write_text(json.dumps(card), encoding="utf-8")
    assert len(examples) == 4
    for example in examples:
        program, command, *arguments = shlex.split(example)
        assert (program, command) == ("ponder", "report")
        code, _, err = ponder(*arguments)
        assert code == 0, err


def test_n_always_has_one_sample(ponder: Ponder, pool: Path, tmp_path: Path) -> None:
    numbers = tmp_path / "r.json"
    code, _, err = ponder(pool, "-o", tmp_path / "r.html", "--json", numbers, "--n", "4")
    assert code == 0, err
    [suite] = json.loads(numbers.read_text(encoding="utf-8"))["suites"]
    points = {c["method"]: [p["n"] for p in c["points"]] for c in suite["curves"]}
    assert points == {"random": [1], "majority": [1, 4], "coverage": [1, 4]}


def test_nothing_is_overwritten_without_force(ponder: Ponder, pool: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    page.write_text("mine")
    code, _, err = ponder(pool, "-o", page)
    assert code == 2
    assert err == f"ponder: {page} exists: choose another name, or say --force.\n"
    assert page.read_text() == "mine"
    assert ponder(pool, "-o", page, "--force")[0] == 0
    assert "--force" not in page.read_text(encoding="utf-8")


def test_a_picture_in_the_way(ponder: Ponder, pool: Path, tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts/letters-coverage.png").write_text("mine")
    code, _, err = ponder(pool, "-o", tmp_path / "r.html", "--png", tmp_path / "charts")
    assert code == 2
    assert "letters-coverage.png exists" in err
    assert not (tmp_path / "r.html").exists()
    assert [p.name for p in (tmp_path / "charts").iterdir()] == ["letters-coverage.png"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ratio", "0"], "--ratio: expected numbers above 0, such as 0.1,1,10, not '0'."),
        (["--ratio", ","], "--ratio: expected numbers above 0"),
        (["--ratio", "inf"], "--ratio: expected numbers above 0"),
        (["--usd-per-hour", "a"], "--usd-per-hour: expected one number above 0, not 'a'."),
        (["--usd-per-hour", "1,2"], "--usd-per-hour: expected one number above 0"),
        (["--n", "0"], "--n: expected whole numbers above zero, such as 1,2,4,8, not '0'."),
        (["--by", "plurality"], "unknown aggregator 'plurality'"),
        (["--by", "best:first(a, b)"], "no scores, so none is named 'first(a, b)'"),
        (["--json", "r.html"], "--output and --json are one file"),
        (["--json", "missing/r.json"], "there is no folder missing"),
        (["--json", "."], "is a folder: give the name of a file."),
        (["--png", "letters.jsonl"], "is a file: give the name of a folder."),
        (["--learned", "letters.jsonl"], "is no card of 'ponder learn'"),
        (["--learned", "missing.json"], "missing.json"),
    ],
)
def test_refusals_are_one_sentence(
    options: list[str],
    message: str,
    ponder: Ponder,
    pool: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = ponder(pool.name, "-o", "r.html", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "r.html").exists()


def test_the_missing_extra_is_named(pool: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None; from ponder.cli.main import main; "
        f"main(['report', {str(pool)!r}, '-o', {str(tmp_path / 'r.html')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert (
        done.stderr == "ponder: a report needs the extra 'report': pip install 'ponder[report]'.\n"
    )


def test_what_was_paid_for_is_never_overwritten(ponder: Ponder, pool: Path, tmp_path: Path) -> None:
    before = pool.read_text()
    for more in (("-o", pool), ("-o", tmp_path / "r.html", "--json", pool)):
        code, _, err = ponder(pool, *more, "--force")
        assert code == 2
        assert "is what is read: give the output another name." in err
    assert pool.read_text() == before


def test_more_samples_than_any_pool_holds_are_refused(
    ponder: Ponder, pool: Path, tmp_path: Path
) -> None:
    code, _, err = ponder(pool, "-o", tmp_path / "r.html", "--n", "5")
    assert code == 2
    assert "n = 5 is more than any of the pools holds" in err


def test_a_copy_of_a_pool_gives_no_bins_to_the_other(
    ponder: Ponder, pool: Path, tmp_path: Path
) -> None:
    """Bins from a model's own samples would find what is not there: its easy problems get worse."""
    bare = pool.read_text().replace('"level": "1", ', "").replace('"level": "2", ', "")
    pools = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    for path in pools:
        path.write_text(bare)
    code, _, err = ponder(*pools, "-o", tmp_path / "r.html", "--json", tmp_path / "r.json")
    assert code == 0, err
    [suite, *_] = json.loads((tmp_path / "r.json").read_text())["suites"]
    assert suite["bins"] == []


def test_a_journal_is_no_results_store(ponder: Ponder, tmp_path: Path) -> None:
    journal = tmp_path / "runs.sqlite"
    Journal(journal).close()
    code, _, err = ponder(journal, "-o", tmp_path / "r.html")
    assert code == 2
    assert err == (
        f"ponder: cannot open the results store {journal}: it is not a results store; "
        "name another file.\n"
    )
