"""The format: what is read, what is refused in which words, and what pools are made of."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.core.problem import ANSWER_TYPES
from ponder.experiments.pools.file import Pool, entry_from, loads, write
from ponder.experiments.pools.samples import Entry, Header, Sample
from tests.support.pools import Command, line, lines

HEADER = {"pool": 1, "model": "m", "file_sha256": "ff", "sampling": {"temperature": 0.8}, "seed": 3}

numbers = st.integers(0, 10**6) | st.floats(0, 1e6)
finite = st.integers(-9, 9) | st.floats(-1e100, 1e100)
names = st.text(max_size=5)
samples = st.builds(
    Sample,
    st.none() | st.text(max_size=8),
    st.none() | st.booleans(),
    st.dictionaries(names, finite, max_size=3),
    st.none() | numbers,
    st.none() | numbers,
    st.none() | numbers,
    st.none() | numbers,
    st.none() | st.text(max_size=8),
    st.booleans(),
    st.none() | st.text(max_size=8),
    st.dictionaries(names, st.dictionaries(names, st.floats(0, 1e6), max_size=2), max_size=2),
    st.dictionaries(names.map("x-".__add__), st.integers(), max_size=2),
)
entries = st.builds(
    Entry,
    st.text(max_size=8),
    st.none() | st.text(max_size=5) | st.lists(st.text(max_size=5), max_size=2),
    st.sampled_from(ANSWER_TYPES),
    st.lists(samples, max_size=3).map(tuple),
    st.none() | st.text(max_size=5) | st.integers(1, 5),
    st.dictionaries(names.map("x-".__add__), st.integers(), max_size=2),
)


@settings(deadline=None)
@given(entries)
def test_what_is_written_is_read(entry: Entry) -> None:
    assert entry_from(loads(json.dumps(entry.to_json()).encode())) == entry


def test_a_pool_is_written_and_read_as_the_issue_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    full = {
        "problem_id": "p1",
        "gold": "4",
        "answer_type": "number",
        "level": "Level 3",
        "samples": [
            {"answer": "4", "correct": True, "score": 0.5, "tokens": 12, "prompt_tokens": 30,
             "seconds": 0.25, "text": "2 + 2 = 4 \ud83d"},
            {"answer": None, "correct": False, "score": {"rm": -1, "orm": 2.5}, "tokens": 7},
        ],
    }  # fmt: skip
    lines(path, HEADER, full, "", line("p2", "a"))
    source = Pool(path)
    assert source.header.models == ("m",)
    assert source.header.seeds == [3]
    first, second = source
    assert first.samples[0].scores == {"score": 0.5}
    assert first.samples[1].scores == {"rm": -1, "orm": 2.5}
    assert list(source) == [first, second]  # again, from the start
    copy = tmp_path / "copy.jsonl"
    assert write(copy, source.header, source) == (2, 3)
    written = [json.loads(text) for text in copy.read_text().splitlines()]
    assert written == [HEADER, full, line("p2", "a")]
    assert list(Pool(copy)) == [first, second]


def test_a_header_is_optional_and_so_is_what_is_not_known(tmp_path: Path) -> None:
    path = lines(tmp_path / "p", {"problem_id": 7, "samples": [{"answer": 4, "correct": 1}]})
    [entry] = Pool(path)
    assert (entry.problem_id, entry.answer_type) == ("7", "text")
    assert entry.samples == (Sample("4", True),)
    assert Pool(path).header == Header()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert list(Pool(path)) == [entry]


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ('{"problem_id": "p2", ', "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"problem_id": "p2"}', "it has no 'samples'"),
        ('{"samples": []}', "it has no 'problem_id'"),
        ('{"problem_id": true, "samples": []}', "'problem_id' must be a string, not true"),
        ('{"problem_id": "p2", "samples": null}', "'samples' must be a list, not null"),
        ('{"problem_id": "p1", "samples": []}', "problem 'p1' has a line already"),
        ('{"problem_id": "p2", "answer_type": "sum", "samples": []}', "'answer_type' must be one"),
        ('{"problem_id": "p2", "level": [], "samples": []}', "'level' must be"),
        ('{"problem_id": "p2", "samples": [{"answer": "a"}, 3]}', "sample 2: not a JSON object"),
        ('{"problem_id": "p2", "samples": [{"tokens": 3}]}', "sample 1: it has no 'answer'"),
        ('{"problem_id": "p2", "samples": [{"answer": []}]}', "'answer' must be a string or null"),
        ('{"problem_id": "p2", "samples": [{"answer": "", "correct": 2}]}', "true or false, not 2"),
        (
            '{"problem_id": "p2", "samples": [{"answer": "", "score": "1"}]}',
            "'score' must be a fin",
        ),
        ('{"problem_id": "p2", "samples": [{"answer": "", "score": {"a": true}}]}', "score 'a'"),
        ('{"problem_id": "p2", "samples": [{"answer": "", "score": 1e999}]}', "fit into a float"),
        ('{"problem_id": "p2", "samples": [{"answer": "", "score": NaN}]}', "NaN is not JSON"),
        (
            '{"problem_id": "p2", "samples": [{"answer": "", "tokens": -1}]}',
            "'tokens' must be a nu",
        ),
        ('{"problem_id": "p2", "samples": [{"answer": "", "text": 1}]}', "'text' must be a string"),
        ('{"pool": 2, "model": "m"}', "format 2 is newer than this Ponder's 1"),
        ('{"model": 3}', "the header's 'model' must be a name"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_broken_line_is_named_and_skipped_only_on_request(
    tmp_path: Path, broken: str, why: str, pool: Command
) -> None:
    path = lines(tmp_path / "pool.jsonl", HEADER, line("p1", "a"), broken, line("p3", "b"))
    with pytest.raises(UsageError) as caught:
        list(Pool(path))
    said = str(caught.value)
    assert said.startswith(f"{path}, line 3: ")
    assert why in said
    assert said.endswith("or leave out broken lines with --skip-broken.")
    code, out, err = pool("score", path, "--skip-broken", "--json")
    assert (code, err) == (0, "skipped 1 broken line: 3\n")
    assert json.loads(out)["problems"] == 2


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty: a pool has one problem per line"),
        (b"\n \n", "is empty"),
        (b'{"pool": 1, "model": "m"}\n', "is empty: it has a header and no problem"),
        (b"PK\x03\x04binary", "is not a pool: it does not start with a JSON object"),
        (b"[]", "is not a pool: it does not start with a JSON object"),
        (b'{"a": 1}\n', "is not a pool: line 1 is neither a header nor a problem"),
        (b'{"a": \xff}\n', "is not a pool: line 1"),
    ],
)
def test_what_is_no_pool_is_refused(
    tmp_path: Path, content: bytes, why: str, pool: Command
) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_bytes(content)
    assert why in pool.refusal("score", path)
    assert "ponder: " in pool.refusal("score", path, "--skip-broken")
    assert not list(tmp_path.glob(".*"))


def test_a_file_that_cannot_be_read_is_said_to_be_so(tmp_path: Path, pool: Command) -> None:
    assert "No such file" in pool.refusal("score", tmp_path / "none.jsonl")
    assert "Is a directory" in pool.refusal("score", tmp_path)
    good = lines(tmp_path / "p", line("p", "a"))
    assert "cannot write" in pool.refusal("strip", good, "-o", tmp_path / "no" / "where")


def test_two_models_in_one_file_are_refused(tmp_path: Path, pool: Command) -> None:
    path = lines(tmp_path / "p", HEADER, line("p1", "a"), {"model": "other"}, line("p2", "a"))
    said = pool.refusal("score", path)
    assert f"{path} mixes models: line 3 goes on with 'other' after 'm' (file ff)" in said
    lines(path, HEADER, line("p1", "a"), HEADER, line("p2", "a"))
    assert pool.json("score", path)["problems"] == 2


def test_strip_drops_the_texts_and_nothing_else(tmp_path: Path, pool: Command) -> None:
    full = line("p", "a", "b", suite="made up")
    full["samples"][0] |= {"text": "long", "finish": "stop"}
    path, out = lines(tmp_path / "p", HEADER, full), tmp_path / "out"
    assert pool("strip", path, "-o", out) == (0, "", f"wrote {out}: 1 problems, 2 samples\n")
    del full["samples"][0]["text"]
    assert [json.loads(text) for text in out.read_text().splitlines()] == [HEADER, full]
    assert "exists: choose another name, or say --force" in pool.refusal("strip", path, "-o", out)
    assert pool("strip", path, "-o", out, "--force")[0] == 0


def test_no_command_writes_over_the_pool_that_it_reads(tmp_path: Path, pool: Command) -> None:
    path, other = lines(tmp_path / "p", HEADER, line("p", "a")), lines(tmp_path / "q", line("q"))
    before = path.read_text()
    for said in (
        ("strip", path),
        ("merge", other, path, "--mixed"),
        ("import", path, "--format", "map", "--map", "answer=problem_id"),
        ("grade", path),
        ("verify", path, "--verifier", "schema"),
    ):
        why = pool.refusal(*said, "-o", path, "--force")
        assert f"{path} is what is read: give the output another name." in why
    assert path.read_text() == before


def test_scores_whose_names_have_commas(tmp_path: Path, pool: Command) -> None:
    both, within = "first(regex:[0-3], arithmetic)", "regex:[1,2]"
    full = line("p", "a", "b")
    for i, sample in enumerate(full["samples"]):
        sample["score"] = {both: i, within: -i}
    path = lines(tmp_path / "p", HEADER, full)
    for by, asked in (
        (f"best:{both},majority", {f"best:{both}", "majority"}),
        (f'"best:{within}",best({both})', {f"best:{within}", f"best:{both}"}),
        (f"weighted:{both}", {f"weighted:{both}"}),
    ):
        rows = pool.json("score", path, "--by", by)["rows"]
        assert {row["by"] for row in rows} == {"random", *asked, "coverage"}
    sides = f"best:{both}@2,random@2"
    [found] = pool.json("score", path, "--by", f"best:{both}", "--compare", sides)["differences"]
    assert found["a"] == f"best:{both}@2"


def test_strip_keeps_of_programs_what_a_vote_needs(tmp_path: Path, pool: Command) -> None:
    programs = ["def f(): return 1", "def f():\n    return 1  # one", "def f(): return 2", None]
    samples = [{"answer": a, "correct": False, "tokens": 1} for a in programs]
    gold = {"tests": "assert f() == 1", "entry_point": "f", "preamble": "", "stub": ""}
    full = {"problem_id": "p", "gold": gold, "answer_type": "code", "samples": samples}
    path, out = lines(tmp_path / "p", HEADER, full), tmp_path / "out"
    assert pool("strip", path, "-o", out)[0] == 0
    stripped = json.loads(out.read_text().splitlines()[1])
    one, same, two, none = (sample["answer"] for sample in stripped["samples"])
    assert one == same != two
    assert none is None
    assert one.startswith("p:")
    assert stripped["gold"] is None
    rows = [pool.json("score", file, "--n", "4")["rows"] for file in (path, out)]
    assert rows[0] == rows[1]


def test_strip_keeps_the_keys_that_are_slow_to_find(tmp_path: Path, pool: Command) -> None:
    samples = [
        {"answer": "7", "tokens": 1, "key": "q:7"},
        {"answer": "\\frac{x}{2}", "tokens": 1, "key": "v:found"},
    ]
    full = {"problem_id": "p", "gold": "7", "answer_type": "math", "samples": samples}
    path, out = lines(tmp_path / "p", HEADER, full), tmp_path / "out"
    assert pool("strip", path, "-o", out)[0] == 0
    kept = json.loads(out.read_text().splitlines()[1])["samples"]
    assert [sample.get("key") for sample in kept] == [None, "v:found"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, pool: Command) -> None:
    path, out = lines(tmp_path / "p", HEADER, line("p", "a"), "{"), tmp_path / "out"
    out.write_text("before")
    pool.refusal("strip", path, "-o", out, "--force")
    assert out.read_text() == "before"
    assert not list(tmp_path.glob(".out*"))


def pools(tmp_path: Path, *contents: list[Any]) -> list[Path]:
    return [lines(tmp_path / f"{i}.jsonl", *content) for i, content in enumerate(contents)]


def test_merge_joins_samples_of_the_same_problems(tmp_path: Path, pool: Command) -> None:
    a, b, c = pools(
        tmp_path,
        [HEADER, line("p1", "a"), line("p2", "b")],
        [{**HEADER, "seed": 4}, line("p2", "c", "d"), line("p1", "e", "f")],
        [{**HEADER, "seed": 3}, line("p3", "g")],
    )
    out = tmp_path / "out"
    assert pool("merge", a, b, c, "-o", out)[0] == 0
    source = Pool(out)
    found = {e.problem_id: [s.answer for s in e.samples] for e in source}
    assert found == {"p1": ["a", "e", "f"], "p2": ["b", "c", "d"], "p3": ["g"]}
    assert source.header.models == ("m",)
    assert source.header.seeds == [3, 4, 3]
    assert source.header.rest["sampling"] == HEADER["sampling"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ([{**HEADER, "model": "n", "seed": 4}, line("p1", "a")], "is of 'm' (file ff) and"),
        ([line("p1", "a")], "of an unknown model"),
        ([HEADER, line("p1", "a"), line("p2", "a")], "drawn with the same seed"),
        ([{**HEADER, "seed": 4}, line("p1", "a")], "shares 1 of its 1 problems"),
        ([{**HEADER, "seed": 4}, line("p1", "a"), line("p2", "a", gold="b")], 'has gold "b" in'),
    ],
)
def test_merge_refuses_what_does_not_belong_together(
    tmp_path: Path, other: list[Any], why: str, pool: Command
) -> None:
    a, b = pools(tmp_path, [HEADER, line("p1", "a"), line("p2", "a")], other)
    assert why in pool.refusal("merge", a, b, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_merge_takes_no_pool_twice_and_more_than_one(tmp_path: Path, pool: Command) -> None:
    [a] = pools(tmp_path, [HEADER, line("p1", "a")])
    assert "are one file" in pool.refusal("merge", a, a, "-o", tmp_path / "out")
    assert "at least two pools" in pool.refusal("merge", a, "-o", tmp_path / "out")


@pytest.mark.parametrize("head", [[], [{"pool": 1, "imported": {"as": "map"}}]])
def test_merge_takes_pools_of_unknown_models_only_when_told_to(
    tmp_path: Path, head: list[Any], pool: Command
) -> None:
    a, b = pools(tmp_path, [*head, line("p1", "a")], [*head, line("p1", "b")])
    out = tmp_path / "out"
    said = pool.refusal("merge", a, b, "-o", out)
    assert "do not say which model they are of: import them with --model, or say --mixed" in said
    assert pool("merge", a, b, "-o", out, "--mixed")[0] == 0
    assert pool.json("score", out)["samples_per_problem"] == 2


def test_what_is_merged_with_an_unknown_model_is_of_no_known_one(
    tmp_path: Path, pool: Command
) -> None:
    a, b = pools(tmp_path, [HEADER, line("p1", "a")], [line("p1", "b")])
    out = tmp_path / "out"
    assert pool("merge", a, b, "-o", out, "--mixed")[0] == 0
    assert Pool(out).header.models == ()
    assert Pool(out).header.rest["merged"][0]["model"] == "m"


def test_merge_mixes_models_when_told_to(tmp_path: Path, pool: Command) -> None:
    a, b = pools(tmp_path, [HEADER, line("p", "a")], [{**HEADER, "model": "n"}, line("p", "b")])
    out = tmp_path / "out"
    assert pool("merge", a, b, "-o", out, "--mixed")[0] == 0
    assert Pool(out).header.models == ("m", "n")
    assert pool.json("score", out)["samples_per_problem"] == 2


def test_without_numpy_scoring_says_what_to_install(tmp_path: Path) -> None:
    path = lines(tmp_path / "p", line("p", "a"))
    code = "import sys; sys.modules['numpy'] = None; from ponder.cli import main; main.main()"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-c", code, "pool", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)

    done = run("score", str(path))
    assert done.returncode == 2
    assert done.stderr == (
        "ponder: scoring a pool needs the extra 'experiments': pip install 'ponder[experiments]'.\n"
    )
    assert run("strip", str(path), "-o", str(tmp_path / "out")).returncode == 0
