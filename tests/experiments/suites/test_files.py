"""Suites of one's own: files by a map of their columns, reasoning-gym's tasks, the hub's sets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from ponder.core.errors import MissingExtra, UsageError
from ponder.experiments.suites import hub
from ponder.experiments.suites.files import columns
from ponder.experiments.suites.grading import gym
from ponder.experiments.suites.grading.gold import Reference, Scored
from ponder.experiments.suites.registry import find
from tests.support.pools import lines
from tests.support.suites import NUMBER, question


def test_a_file_is_a_suite_by_a_map_of_its_columns(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "mine.jsonl",
        {"q": "How many?", "a": 7.0, "n": "x", "hard": 3},
        {"q": "And now?", "a": "1,000", "n": "y", "hard": 1},
    )
    one, two = find(f"{path}(question=q,answer=a,id=n,level=hard,type=number)").load()
    assert (one.problem_id, two.problem_id) == ("mine/x", "mine/y")
    assert (one.gold, two.gold) == (Reference("7", "number"), Reference("1,000", "number"))
    assert (one.level, question(one)) == (3, f"How many?{NUMBER}")
    table = tmp_path / "t.csv"
    table.write_text('\ufeffquestion,answer\n"Red, or\nblue?",A\n')
    [item] = find(f'{table}(type=choice, choices="A, B")').load()
    assert (item.problem_id, item.problem.choices) == ("t/0", ("A", "B"))
    assert question(item).startswith("Red, or\nblue?\n\n")


BROKEN = {
    "x.jsonl(question=q)": ('{"q": "a", "answer": "1"}\n{"q":\n', "x.jsonl, line 2: not JSON"),
    "x.jsonl": ('{"q": "a?", "answer": "1"}\n', "line 1: unknown column 'question': expected"),
    "x.jsonl(question=Q)": ('{"q": "a?", "answer": "1"}\n', "unknown column 'Q'"),
    "x.jsonl(question=q,type=number)": ('{"q": "a?", "answer": "one"}\n', "must be a number, not"),
    "x.jsonl(question=q,id=q)": ('{"q": "a", "answer": "1"}\n' * 2, "two rows with the id 'x/a'"),
    "x.jsonl(question=q,level=l)": ('{"q": "a", "answer": "1", "l": []}', "'l' must be a text or"),
    "x.json(question=q)": ('{"q": "a"}', "x.json: expected an array of objects"),
    "x.json(question=q,answer=q)": ('[{"q": "a"}, 7]', "x.json, row 2: not a JSON object"),
    "x.json(question=q,answer=q,id=q)": ('[{"q": " "}]', "column 'q' must be a text, not"),
    "x.csv(question=q)": ("q,answer\na,1\nb\n", "x.csv, line 3: expected 2 columns"),
    "x.csv(question=q,answer=q)": ('q\n"a\n', "not CSV"),
    "x.csv(qestion=q)": ("q\n", "unknown option 'qestion': did you mean 'question'?"),
    "x.csv(type=code)": ("q\n", "unknown answer type 'code'"),
    "x.csv(question=q,,answer)": ("q\n", "cannot be read at ',answer)': expected a name"),
    "x.csv(type=choice, choices=A|B)": ("q\n", "choices: expected labels between commas, such as"),
    "x.csv(q)": ("q\n", "takes no 'q': leave it out."),
}  # fmt: skip


@pytest.mark.parametrize("said", BROKEN)
def test_a_broken_file_is_one_sentence_that_says_where(tmp_path: Path, said: str) -> None:
    text, complaint = BROKEN[said]
    (tmp_path / said.partition("(")[0]).write_text(text)
    with pytest.raises(UsageError) as refused:
        find(f"{tmp_path}/{said}").load()
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


# reasoning-gym and the hub ------------------------------------------------------------------------


class Tasks:
    """What ``create_dataset`` gives."""

    def __init__(self, seed: int, size: int) -> None:
        self.seed, self.size = seed, size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        answer = str(self.seed + index)
        return {"question": f"What is {self.seed} + {index}?", "answer": answer, "metadata": {}}


def test_a_gym_task_is_fresh_by_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gym, "create", lambda task, options: Tasks(**options))
    items = find("gym(adding, seed=7,size=3)").load()
    assert [i.problem_id for i in items] == [f"gym/adding/seed=7/{n}" for n in range(3)]
    assert question(items[1]) == f"What is 7 + 1?{NUMBER}"
    assert items[1].gold == Scored("adding", (("seed", 7), ("size", 3)), 1, "8", "number")
    assert len(find("gym(adding)").load()) == 100


def test_without_reasoning_gym_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name="reasoning_gym")

    gym._tasks.cache_clear()
    monkeypatch.setattr(gym, "import_module", absent)
    with pytest.raises(MissingExtra, match=r"pip install 'ponder\[gym\]'"):
        find("gym(chain_sum)").load()


def test_the_real_reasoning_gym() -> None:
    pytest.importorskip("reasoning_gym", reason="the extra 'gym' is not installed")
    first, again = (find("gym(chain_sum, seed=3,size=2)").load() for _ in range(2))
    assert first == again
    assert first != find("gym(chain_sum, seed=4,size=2)").load()
    with pytest.raises(UsageError, match="did you mean 'chain_sum'"):
        find("gym(chain_som)").load()
    with pytest.raises(UsageError, match="does not take nonsense=1"):
        find("gym(chain_sum, nonsense=1)").load()


@pytest.fixture
def hub_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, list[str]]]]:
    """Answers /rows like the hub, for a data set of 150 rows."""
    asked: list[dict[str, list[str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlparse(self.path).query)
            asked.append(query)
            known = query["dataset"] == ["some/set"]
            start, length = int(query["offset"][0]), int(query["length"][0])
            rows = [
                {"row_idx": i, "row": {"question": f"{i}?", "answer": i}}
                for i in range(start, min(150, start + length))
            ]
            body = {"rows": rows, "num_rows_total": 150} if known else {"error": "not found"}
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(hub, "HubSuite", partial(hub.HubSuite, server=url))
    yield asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_data_set_of_the_hub(hub_server: list[dict[str, list[str]]]) -> None:
    items = find("hf(some/set, config=main,split=train,type=number)").load()
    assert len(items) == 150
    assert items[149].problem_id == "some/set/train/149"
    assert items[149].gold == Reference("149", "number")
    assert [(a["offset"], a["length"]) for a in hub_server] == [
        (["0"], ["100"]),
        (["100"], ["100"]),
    ]
    assert hub_server[0]["config"] == ["main"]
    assert len(find("hf(some/set, limit=7)").load()) == 7
    assert hub_server[-1]["length"] == ["7"]
    with pytest.raises(UsageError, match="unknown column 'q'"):
        find("hf(some/set, question=q)").load()
    with pytest.raises(UsageError, match=r"the hub refuses other/set .* check the name"):
        find("hf(other/set)").load()


def test_a_hub_that_does_not_answer() -> None:
    suite = hub.HubSuite("a/b", columns({}), server="http://127.0.0.1:1")
    with pytest.raises(UsageError, match=r"does not answer .* save the data set as a file"):
        suite.load()


@pytest.mark.parametrize("name", ["PONDER_OFFLINE", "HF_HUB_OFFLINE"])
def test_a_hub_that_may_not_be_asked(
    name: str, hub_server: list[dict[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(UsageError, match=r"keeps Ponder from some/set .* save it as a file"):
        find("hf(some/set)").load()
    assert not hub_server
