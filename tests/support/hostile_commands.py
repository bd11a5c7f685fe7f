"""Hostile files and replies for every command: each of their strings made hostile in turn."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ponder.core.text.visible import visible
from ponder.experiments.pools import file as pools
from ponder.experiments.pools.samples import Header
from tests.support.fuzzing import journal, learned, pool, queue, store
from tests.support.fuzzing.hostile import paths, replaced
from tests.support.seeded import configure, seeded_server
from tests.support.telling import telling
from tests.support.training import entries

ARGUMENT = (
    "\x1b]52;c;QUFB\x07\x1b[2J\x1b]8;;http://evil/\x07\x9b31m\r\b\x7f\u202e\u200b\u2028\U000e0041\udcff"
    "[red]x[/red]"
)
HOSTILE = ARGUMENT.replace("\udcff", "\ud800") + "\n\t\x00"
CELL = HOSTILE.replace("\ud800", "")  # SQLite takes no surrogate
TAG = "\U000e0041"
TEXT = json.dumps(CELL).replace(json.dumps(TAG)[1:-1], TAG)  # TOML knows no pairs of surrogates
NAME = "\x1b[31mevil\x07\u202e\x9b\r"
Words = list[str | Path]


def poisoned(valid: Any) -> Iterator[Any]:
    """The value with each of its strings, and each of its keys, made hostile in turn."""
    for path in paths(valid):
        part = valid
        for key in path:
            part = part[key]
        if isinstance(part, str):
            yield replaced(valid, path, HOSTILE)
            yield replaced(valid, path, part + HOSTILE)
        if isinstance(part, dict):
            for key in part:
                renamed = {HOSTILE if k == key else k: v for k, v in part.items()}
                yield replaced(valid, path, renamed)
            yield replaced(valid, path, {**part, HOSTILE: HOSTILE})
        elif part is None or isinstance(part, int | float):
            yield replaced(valid, path, HOSTILE)


# Files and replies --------------------------------------------------------------------------------


def file(name: str, data: bytes | str) -> Path:
    path = Path(name)
    path.write_bytes(data if isinstance(data, bytes) else data.encode(errors="surrogatepass"))
    return path


def lines(name: str, *values: Any) -> Path:
    return file(name, "".join(json.dumps(value) + "\n" for value in values))


def solve(ponder: Callable[..., str]) -> None:
    loop = [
        "solve",
        HOSTILE,
        "-m",
        "loop",
        "--no-journal",
        "-s",
        "self_consistency",
        "--set",
        "n=2",
    ]
    with seeded_server() as server:
        configure(Path(), server.url, timeout=60, retries=0)
        for reply in poisoned(
            {
                "choices": [
                    {
                        "message": {"content": "so \\boxed{42}", "reasoning_content": "so"},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 20, "completion_tokens": 10},
            }
        ):
            body = json.dumps(reply).encode()
            server.reply = lambda asked, body=body: body  # type: ignore[method-assign, misc]
            ponder(*loop)
        answer = {
            "message": {"content": f"so {HOSTILE} \\boxed{{{HOSTILE}}}"},
            "finish_reason": "stop",
        }
        body = json.dumps({"choices": [answer]}).encode()
        server.reply = lambda asked: body  # type: ignore[method-assign]
        for more in (["--show-trace"], ["--json"], ["-q"], ["--type", "text"]):
            ponder(*loop, *more)
        configure(Path(), server.url, timeout=60, retries=0)
        for refusal in ({"error": {"message": HOSTILE}}, {"error": HOSTILE}, HOSTILE, [HOSTILE]):
            refused = json.dumps(refusal).encode()
            server.reply = lambda asked, body=refused: body  # type: ignore[method-assign, misc]
            ponder(*loop)
    valid = ["[default]", 'model = "loop"', 'effort = "low"', "[endpoints.loop]"]
    valid += ['base_url = "http://127.0.0.1:1/v1"', 'model = "m"', 'provider = "x"', "retries = 0"]
    for i, line in enumerate(valid):
        key = line.partition(" = ")[0]
        for bad in (f"[endpoints.{TEXT}]", f"{TEXT} = 1", f"{key} = {TEXT}"):
            file("ponder.toml", "\n".join([*valid[:i], bad, *valid[i + 1 :]]))
            ponder("solve", "?", "--no-journal", "-m", "loop")
            ponder("solve", "?", "--no-journal")
    file("ponder.toml", "")
    ponder("solve", "-f", file(NAME, HOSTILE), "-m", "simulated", "--no-journal")
    ponder("solve", "?", "--schema", file(NAME, json.dumps({HOSTILE: HOSTILE})), "-m", "simulated")


def journals() -> Iterator[Path]:
    def made(spec: Any, records: list[Any], result: Any, *more: Any) -> Path:
        values = [journal.RUN, 1.0, json.dumps(spec), *(more or ["done", None]), json.dumps(result)]
        calls = [(i, json.dumps(record).encode()) for i, record in enumerate(records)]
        return file(f"{NAME}.sqlite", journal.made(values, calls))

    whole = journal.SPEC, journal.RECORDS, journal.RESULT
    for spec in poisoned(journal.SPEC):
        yield made(spec, *whole[1:])
    yield made({**journal.SEARCH, "strategy": HOSTILE}, *whole[1:])
    for records in poisoned(journal.RECORDS):
        yield made(whole[0], records, whole[2])
    for result in poisoned(journal.RESULT):
        yield made(*whole[:2], result)
    yield made(*whole, CELL, CELL)
    yield made(*whole, "running", CELL)
    named = [journal.RUN + CELL, 1.0, json.dumps(journal.SPEC), "done", None, None]
    yield file(f"{NAME}.sqlite", journal.made(named, []))
    yield file(f"{NAME}.sqlite", HOSTILE)
    yield file(f"{NAME}.sqlite", "")


def runs_list(ponder: Callable[..., str]) -> None:
    for path in journals():
        ponder("runs", "list", "--journal", path)
    ponder("runs", "list", "--json", "--journal", path)


def runs_show(ponder: Callable[..., str]) -> None:
    for path in journals():
        there = ("runs", "show", journal.RUN, "--journal", path)
        for more in ([], ["--json"], ["--tree"], ["--export", f"{NAME}.html", "--force"]):
            ponder(*there, *more)
        shown = "".join(page.read_text() for page in Path().glob("*.html"))
        assert visible(shown) == shown


def runs_resume(ponder: Callable[..., str]) -> None:
    for i, spec in enumerate(poisoned({**journal.SPEC, "verifier": "majority", "seed": 1})):
        values = [journal.RUN, 1.0, json.dumps(spec), "running", None, None]
        path = file(f"{NAME}{i}.sqlite", journal.made(values, []))
        ponder("runs", "resume", journal.RUN, "--journal", path)


def runs_steer(ponder: Callable[..., str]) -> None:
    for path in journals():
        ponder("runs", "steer", journal.RUN, "pause", "--journal", path)
    values = [journal.RUN, 1.0, json.dumps(journal.SPEC), "running", None, None]
    path = file(f"{NAME}.sqlite", journal.made(values, []))
    for words in (
        ["hint", HOSTILE],
        ["edit", HOSTILE, HOSTILE],
        ["prune", HOSTILE],
        ["more", HOSTILE],
    ):
        ponder("runs", "steer", journal.RUN, *words, "--by", HOSTILE, "--journal", path)


def runs_rm(ponder: Callable[..., str]) -> None:
    for path in journals():
        ponder("runs", "rm", journal.RUN, "--journal", path)


def stores() -> Iterator[Path]:
    rows = [store.CONFIGURATION, store.OUTCOME]
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            if isinstance(cell, str | None):
                changed = [*rows[:i], [*row[:j], CELL, *row[j + 1 :]], *rows[i + 1 :]]
                yield file(f"{NAME}.sqlite", store.made(changed[0], [changed[1]]))
    for resolved in poisoned(store.RESOLVED):
        one = [*store.CONFIGURATION[:-1], json.dumps(resolved)]
        yield file(f"{NAME}.sqlite", store.made(one, [store.OUTCOME]))
    yield file(f"{NAME}.sqlite", HOSTILE)


def eval_show(ponder: Callable[..., str]) -> None:
    for path in stores():
        for more in (
            [],
            ["--json"],
            ["c1"],
            ["c1", "--json"],
            ["--export", f"{NAME}.csv", "--force"],
        ):
            ponder("eval", "show", *more, "--store", path)


def eval_compare(ponder: Callable[..., str]) -> None:
    for path in stores():
        for more in ([], ["--json"]):
            ponder("eval", "compare", "c1", "c2", *more, "--store", path)


def eval_rm(ponder: Callable[..., str]) -> None:
    for path in stores():
        ponder("eval", "rm", "c1", "c2", "--store", path)


def suites() -> Iterator[Path]:
    rows = [{"question": "What is 6 * 7?", "answer": "42", "level": "x"}] * 2
    for changed in poisoned(rows):
        yield lines(f"{NAME}.jsonl", *changed)
    yield file(f"{NAME}.jsonl", HOSTILE)


def evaluate(ponder: Callable[..., str]) -> None:
    for i, suite in enumerate(suites()):
        if i % 4 == 0:
            there = ["--store", Path(f"{i}.sqlite"), "--name", ARGUMENT.replace("\udcff", "")]
            ponder("eval", "--suite", suite, "-m", "simulated", "-e", "minimal", *there)


def review(ponder: Callable[..., str]) -> None:
    for item in poisoned(queue.ITEM):
        path = file(NAME, queue.made([("a", 1.0, None, "", json.dumps(item))], [], 1))
        ponder("review", "--list", "--queue", path)
        ponder(
            "review", "--once", "--queue", path, said=f"{HOSTILE}\nc {HOSTILE}\ng {HOSTILE}\n1\n"
        )
        ponder("review", "--export", f"{NAME}.jsonl", "--force", "--queue", path)
    for said in poisoned(queue.JUDGEMENT):
        packed = json.dumps(queue.ITEM)
        items = [(CELL, 1.0, None, CELL, packed), ("a", 1.0, None, "", packed)]
        path = file(NAME, queue.made(items, [("a", json.dumps(said))], 1))
        for more in ("--list", "--drop"):
            ponder("review", more, "--queue", path)
        ponder("review", "--export", f"{NAME}.jsonl", "--force", "--queue", path)
    ponder("review", "--list", "--json", "--queue", path)
    ponder("review", "--list", "--queue", file(NAME, HOSTILE))


def pool_files() -> Iterator[Path]:
    for header in poisoned(pool.HEADER):
        yield lines(f"{NAME}.jsonl", header, pool.ENTRY)
    for entry in poisoned(pool.ENTRY):
        yield lines(f"{NAME}.jsonl", pool.HEADER, entry)
    yield file(f"{NAME}.jsonl", HOSTILE)
    yield file(f"{NAME}.jsonl", '{"pool": 1}\n' + HOSTILE)


OUT: Words = ["-o", f"out{NAME}.jsonl", "--force"]


def pool_score(ponder: Callable[..., str]) -> None:
    for path in pool_files():
        ponder("pool", "score", path, "--exact-strings", "--by", "best:mean_logprob")
        ponder("pool", "score", path, "--exact-strings", "--by", f"best:{HOSTILE}", "--skip-broken")


def pool_strip(ponder: Callable[..., str]) -> None:
    for path in pool_files():
        ponder("pool", "strip", path, *OUT)
        ponder("pool", "strip", path, *OUT, "--skip-broken")


def pool_merge(ponder: Callable[..., str]) -> None:
    lines("fine.jsonl", pool.HEADER, pool.ENTRY)
    for path in pool_files():
        ponder("pool", "merge", path, "fine.jsonl", *OUT)
        ponder("pool", "merge", path, "fine.jsonl", "--mixed", *OUT)


def pool_grade(ponder: Callable[..., str]) -> None:
    for path in pool_files():
        ponder("pool", "grade", path, *OUT)
    ponder("pool", "grade", path, "--suite", f"{NAME}.jsonl", *OUT)


def pool_verify(ponder: Callable[..., str]) -> None:
    for path in pool_files():
        ponder("pool", "verify", path, "--verifier", "arithmetic", *OUT)


def pool_import(ponder: Callable[..., str]) -> None:
    for row in poisoned({"problem_id": "p", "samples": ["a", "b"], "gold": "a", "answer": "x"}):
        path = lines(f"{NAME}.jsonl", row, row)
        fields = "problem_id=problem_id,answer=answer,gold=gold"
        ponder("pool", "import", path, "--format", "map", "--map", fields, *OUT)
        ponder("pool", "import", path, "--format", "map", "--map", f"answer={HOSTILE}", *OUT)
        ponder("pool", "import", path, "--format", "its-hub", *OUT)


def pool_record(ponder: Callable[..., str]) -> None:
    for i, suite in enumerate(suites()):
        if i % 4 == 0:
            output = ["-o", f"{i}{NAME}.jsonl"]
            ponder("pool", "record", "--suite", suite, "-m", "simulated", "--n", "1", *output)


def verifier_train(ponder: Callable[..., str]) -> None:
    known = [
        replace(
            entry,
            problem_id=entry.problem_id + HOSTILE,
            samples=tuple(
                replace(s, scores={HOSTILE: s.scores["sure"], "sure": 1.0}) for s in entry.samples
            ),
        )
        for entry in entries()
    ]
    pools.write("big.jsonl", Header((HOSTILE,), {}), known)
    pools.write("other.jsonl", Header(("m",), {}), entries(seed=1))
    ponder("verifier", "train", "big.jsonl", "-o", f"{NAME}.json")
    ponder("verifier", "train", "big.jsonl", "other.jsonl", "--mixed", "-o", "v.json", "--force")
    ponder("verifier", "train", "big.jsonl", "other.jsonl", "-o", "v.json", "--force")
    ponder("verifier", "eval", f"{NAME}.json", "big.jsonl", "--cross-validate")
    for path in pool_files():
        ponder("verifier", "train", path, "-o", f"{NAME}.json", "--force")


def verifier_eval(ponder: Callable[..., str]) -> None:
    pools.write("a.jsonl", Header((HOSTILE,), {}), entries(problems=12))
    for scorer in poisoned(learned.SIGMOID):
        path = lines(f"{NAME}.json", scorer)
        ponder("verifier", "eval", path, "a.jsonl", "--write", f"{NAME}.jsonl", "--force")
    for path in pool_files():
        ponder("verifier", "eval", lines(f"{NAME}.json", learned.SIGMOID), path)


def score(ponder: Callable[..., str]) -> None:
    problem = {"question": "What is 6 * 7?", "answer_type": "number"}
    for changed in poisoned([problem, {"text": "so \\boxed{42}"}]):
        asked, candidate = changed if isinstance(changed, list) else (changed, changed)
        files = lines(f"{NAME}.json", asked), lines(f"{NAME}.jsonl", candidate, candidate)
        ponder("score", *files, "--verifier", "arithmetic")
        ponder("score", *files, "--verifier", f"script:{NAME}.py:f")
    file("v.py", f"def f(problem, candidate):\n    raise ValueError({HOSTILE!r})\n")
    ponder("score", *files, "--verifier", "script:v.py:f")
    ponder("score", *files, "--verifier", "script:v.py:f", "--json")


def decide(ponder: Callable[..., str]) -> None:
    path, choices = file(f"{NAME}.txt", CELL), f"{ARGUMENT},no"
    for model in ("simulated(accuracy=0.9)", "simulated(accuracy=0)"):
        asked = ("decide", ARGUMENT, "--text", path, "--choices", choices, "-m", model)
        for more in ((), ("--text", path), ("--json",), ("-q",)):
            ponder(*asked, *more)
        for row in poisoned({"text": CELL, "label": "no", "id": HOSTILE}):
            each = ("decide", ARGUMENT, "--lines", lines(f"{NAME}.jsonl", row), "-m", model)
            for more in ((), ("--fit",)):
                ponder(*each, *more)


def batch(ponder: Callable[..., str]) -> None:
    for row in poisoned({"question": "What is 6 * 7?", "id": HOSTILE, "answer_type": "number"}):
        asked = lines(f"{NAME}.jsonl", row, {"question": HOSTILE})
        for more in ((), ("--json",), ("-q",)):
            ponder("batch", asked, "-o", f"{NAME}.out", "--force", "-m", "simulated",
                   "--max-tokens", "9000", "--no-journal", *more)  # fmt: skip
    ponder("batch", file(f"{NAME}.txt", HOSTILE), "-o", f"{NAME}.out", "--max-tokens", "9000")


def tune(ponder: Callable[..., str]) -> None:
    for path in pool_files():
        ponder("tune", path, "-o", f"{NAME}.toml", "--force")
        ponder("tune", path, "-o", f"{NAME}.toml", "--force", "--json")
    for path in stores():
        ponder("tune", path, "-o", f"{NAME}.toml", "--force")
    how = ("-m", "simulated", "--n", "2", "--max-tokens", "2000", "-o", f"{NAME}.toml", "--force")
    ponder("tune", "--suite", next(suites()), *how)


def learn_export(ponder: Callable[..., str]) -> None:
    entry = {**pool.ENTRY, "question": "What is 6 * 7?"}
    how = ("--verifier", "mean_logprob", "--at-least", "0", *OUT)
    kinds = itertools.cycle(["sft", "preference", "steps", "thinking", "prompts"])
    for header in poisoned(pool.HEADER):
        ponder("learn", "export", lines(f"{NAME}.jsonl", header, entry), *how)
    for changed, kind in zip(poisoned(entry), kinds, strict=False):
        path = lines(f"{NAME}.jsonl", pool.HEADER, changed)
        ponder("learn", "export", path, *how, "--format", kind, "--skip-broken")
    for i, (path, kind) in enumerate(zip(journals(), kinds, strict=False)):
        if i % 3 == 0:
            ponder("learn", "export", path, "--verifier", "arithmetic", *OUT, "--format", kind)
    ponder("learn", "export", path, "--verifier", HOSTILE, "--json", *OUT)
    ponder("learn", "export", ARGUMENT, "--verifier", "arithmetic", "--not-in", ARGUMENT, *OUT)


def learn_thinking(ponder: Callable[..., str]) -> None:
    for i, suite in enumerate(suites()):
        if i % 4 == 0:
            ponder("learn", "thinking", suite, *OUT)
    ponder("learn", "thinking", "countdown/train(n=1)", *OUT, "--levels", ARGUMENT)
    ponder("learn", "thinking", ARGUMENT, "--json", *OUT)


def learn_sft(ponder: Callable[..., str]) -> None:
    model = Path("base.gguf")
    model.write_bytes(b"GGUF")
    usual = {"--name": "x", "-m": str(model)}
    row = lines(f"{NAME}.jsonl", {"prompt": HOSTILE, "completion": ARGUMENT})
    ponder("learn", "sft", row, *itertools.chain(*usual.items()), "-o", ARGUMENT)
    search = {**usual, "--suite": "countdown/train(n=1)", "--verifier": "arithmetic"}
    for option in ("--suite", "--verifier", "--not-in", "--set", "-m", "--name"):
        for hostile in (ARGUMENT, HOSTILE):
            ponder("learn", "sft", *itertools.chain(*{**search, option: hostile}.items()))


def learn_grpo(ponder: Callable[..., str]) -> None:
    usual = {"--suite": "countdown", "--verifier": "arithmetic", "-m": "simulated", "--name": "x"}
    for i, suite in enumerate(suites()):
        if i % 4 == 0:
            ponder("learn", "grpo", *itertools.chain(*{**usual, "--suite": suite}.items()))
    for option in ("--suite", "--verifier", "-m", "--name"):
        for hostile in (ARGUMENT, HOSTILE):
            ponder("learn", "grpo", *itertools.chain(*{**usual, option: hostile}.items()))


def learn_environment(ponder: Callable[..., str]) -> None:
    for i, suite in enumerate(suites()):
        if i % 4 == 0:
            how = ("--verifier", "arithmetic", "-o", Path(f"made{i}"))
            ponder("learn", "environment", suite, *how)
            ponder("learn", "environment", suite, *how, "--json", "--force")
    ponder("learn", "environment", suite, "--verifier", HOSTILE, "-o", NAME)
    ponder("learn", "environment", ARGUMENT, "--verifier", "arithmetic", "-o", NAME)
    ponder("learn", "environment", suite, "--verifier", "arithmetic", "-o", NAME)


def data_show(ponder: Callable[..., str]) -> None:
    for path in suites():
        for more in ([], ["--gold"], ["--json", "--gold"], ["--index", "1"]):
            ponder("data", "show", path, *more)


def report(ponder: Callable[..., str]) -> None:
    page = Path(f"{NAME}.html")
    samples = [{**pool.SAMPLE, "score": {HOSTILE: 0.5}}, {**pool.SAMPLE, "correct": False}]
    entry = {**pool.ENTRY, "problem_id": HOSTILE, "level": HOSTILE, "samples": samples * 2}
    header = {**pool.HEADER, "model": HOSTILE, "suite": HOSTILE}
    path = lines(f"{NAME}.jsonl", header, entry, {**entry, "problem_id": "p"})
    ponder("report", path, "-o", page, "--title", HOSTILE, "--by", "majority")
    if page.exists():
        shown = page.read_text(errors="surrogatepass")
        assert visible(shown) == shown
    ponder("report", file(f"{NAME}2.jsonl", HOSTILE), "-o", page, "--force")


def models_list(ponder: Callable[..., str]) -> None:
    folder = Path(os.environ["PONDER_HOME"]) / "models/hub/owner" / NAME
    folder.mkdir(parents=True)
    (folder / f"{NAME}.json").write_text(json.dumps({HOSTILE: HOSTILE}))
    ponder("models", "list")
    ponder("models", "list", "--json")


def models_show(ponder: Callable[..., str]) -> None:
    row = {"id": HOSTILE, "owned_by": HOSTILE, "max_model_len": HOSTILE}
    told = {"data": [row], "version": HOSTILE, "chat_template": HOSTILE, "models": [HOSTILE]}
    with telling(lambda method, path, body: told) as server:
        file("ponder.toml", f'[endpoints.e]\nbase_url = "{server.url}/v1"\nmodel = "m"\n')
        ponder("models", "show", "e")
        ponder("models", "show", "e", "--json")
    ponder("models", "show", NAME)


def models(ponder: Callable[..., str]) -> None:
    for action in ("path", "rm", "pull"):
        for name in (NAME, f"hf:{NAME}", f"hf:owner/{NAME}"):
            ponder("models", action, name)


def nothing_foreign(ponder: Callable[..., str]) -> None:
    """It reads nothing but its arguments."""


def serve(ponder: Callable[..., str]) -> None:
    """Refused before it listens, which it would do until a signal comes."""
    ponder("serve", "-m", "simulated", "--host", HOSTILE)
    ponder("serve", "-m", "simulated", "--host", NAME, "--no-journal")
    ponder("serve", "-m", HOSTILE, "--port", "0")
    ponder("serve", "--new-key", HOSTILE)
    for text in (HOSTILE, f"[{TEXT}]", f"[{TEXT}]\nsha256 = {TEXT}", f"{TEXT} = {TEXT}"):
        ponder("serve", "-m", "simulated", "--keys", file("keys.toml", text))
    ponder("serve", "-m", "simulated", "--port", "0", "--journal", Path().absolute())
    ponder("serve", "-m", "simulated", "--port", "0", "--trust", HOSTILE)


def mcp(ponder: Callable[..., str]) -> None:
    """Refused before it reads, which it would do until its input ends; what it reads later is not
    printed but answered, as JSON.
    """
    ponder("mcp", "-m", HOSTILE)
    ponder("mcp", "-m", f"simulated({TEXT})")
    ponder("mcp", "-m", "simulated", "--trust", HOSTILE, "--max-usd", HOSTILE)
    ponder("mcp", "-m", "simulated", "--journal", HOSTILE, "--no-journal")
    ponder("mcp", "-m", "simulated", "--trust", f"script:{NAME}:f")


CASES: dict[str, Callable[[Callable[..., str]], None]] = {
    "solve": solve,
    "decide": decide,
    "batch": batch,
    "serve": serve,
    "mcp": mcp,
    "tune": tune,
    "strategies": nothing_foreign,
    "score": score,
    "runs list": runs_list,
    "runs show": runs_show,
    "runs resume": runs_resume,
    "runs steer": runs_steer,
    "runs rm": runs_rm,
    "data list": nothing_foreign,
    "data show": data_show,
    "pool record": pool_record,
    "pool grade": pool_grade,
    "pool verify": pool_verify,
    "pool score": pool_score,
    "pool import": pool_import,
    "pool strip": pool_strip,
    "pool merge": pool_merge,
    "verifier train": verifier_train,
    "verifier eval": verifier_eval,
    "learn export": learn_export,
    "learn thinking": learn_thinking,
    "learn sft": learn_sft,
    "learn grpo": learn_grpo,
    "learn environment": learn_environment,
    "review": review,
    "eval": evaluate,
    "eval show": eval_show,
    "eval compare": eval_compare,
    "eval rm": eval_rm,
    "report": report,
    "models list": models_list,
    "models show": models_show,
    "models pull": models,
    "models path": nothing_foreign,
    "models rm": nothing_foreign,
}
