"""The page of a run's tree: its data, that it obeys nothing it shows, its drawing in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.cli.tree.page import data, page
from ponder.cli.tree.picture import Picture, picture
from ponder.core.record.events import Judged, Steered
from ponder.core.record.search import Tree, apply
from ponder.core.record.steering import Action
from ponder.core.trace import Score
from tests.support.trees import drop, end, grow, judge, name_of, planted, visit

ASKED = "What is six times seven ?"
HOSTILE = [
    "</script><script>document.documentElement.dataset.owned = 1</script>",
    "<!--<script>",
    '"><img src=x onerror="document.documentElement.dataset.owned = 1">',
    "{{ 7 * 7 }}{% raw %}",
    "a\u202etxt.exe\u2066b\u200f",
    "\ud800 alone",
    "\u2028\u2029\x00\x1b[31m",
    "</title></style></textarea>&lt;b&gt;",
]


class Reader(HTMLParser):
    """The elements of a page with their attributes, and the text in each of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.raw.append((tag, ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            tag, before = self.raw[-1]
            self.raw[-1] = (tag, before + data)
        else:
            self.words += data

    @property
    def data(self) -> Any:
        """The tree that is in the page."""
        return json.loads(self.raw[1][1])


def sample() -> Picture:
    tree = grow(planted("a", "b", "aa"), "ab", answer="42", added="so 42")
    tree = grow(tree, "ac", answer="42", added="so 42")
    tree = visit(judge(judge(tree, "a", 0.9), "ab", 0.8), "ab", 0.8)
    score = Score(0.25, "check", "18 is not 42", "fail")
    tree = apply(tree, Judged((name_of("b"),), (score,)))
    return picture(end(drop(tree, "outranked", "b"), "ab"), ASKED, "42")


def test_the_data_of_a_page_are_the_tree() -> None:
    found = Reader(page(sample())).data
    assert found == json.loads(json.dumps(data(sample())))
    assert (found["title"], found["answer"]) == (ASKED, "42")
    assert [b.get("text", "") for b in found["branches"]] == ["", "a", "a", "so 42", "b"]
    assert [b["parent"] for b in found["branches"]] == [-1, 0, 1, 1, 0]
    assert found["branches"][3] == {
        "id": name_of("ab"),
        "parent": 1,
        "text": "so 42",
        "continues": True,
        "tokens": 2,
        "status": "ended",
        "value": 0.8,
        "scores": [[0.8, "v", "scored", ""]],
        "visits": 1,
        "mean": 0.8,
        "finish": "stop",
        "answer": "42",
        "outcome": "the answer",
        "path": True,
        "chosen": True,
        "equals": [[name_of("ac"), None]],
    }
    dropped = found["branches"][4]
    assert (dropped["status"], dropped["why"]) == ("dropped", "outranked")
    assert dropped["scores"] == [[0.25, "check", "fail", "18 is not 42"]]
    assert "path" not in {k for k, v in dropped.items() if v}


def test_a_score_of_nothing_is_no_missing_score() -> None:
    found = data(picture(judge(judge(planted("a", "b"), "a", 0.0), "b", None), ASKED))
    assert [b.get("value") for b in found["branches"]] == [None, 0.0, None]
    assert "value" in found["branches"][1]


@pytest.mark.parametrize("said", HOSTILE)
def test_what_was_written_stays_text(said: str) -> None:
    tree = grow(planted(), "a", added=said, answer=said)
    score = Score(0.5, said, said)
    tree = end(drop(apply(tree, Judged((name_of("a"),), (score,))), said, "a"), "a")
    text = page(picture(tree, said, said))
    read = Reader(text)
    assert [tag for tag, _ in read.raw] == ["style", "script", "script"]
    assert not {"img", "iframe", "link", "object"} & {tag for tag, _ in read.tags}
    assert not any(name.startswith("on") for _, attrs in read.tags for name in attrs)
    [_, branch] = read.data["branches"]
    assert (read.data["title"], branch["text"], branch["answer"]) == (said, said, said)
    assert (branch["why"], branch["scores"]) == (said, [[0.5, said, "scored", said]])
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", read.raw[1][1])  # no line is turned round


@given(st.text(), st.text())
def test_any_text_comes_back_from_the_page(title: str, said: str) -> None:
    tree = grow(planted(), "a", added=said or "x")
    found = Reader(page(picture(tree, title))).data
    assert (found["title"], found["branches"][1]["text"]) == (title, said or "x")


def test_a_page_needs_and_reaches_nothing() -> None:
    text = page(sample())
    read = Reader(text)
    assert "http:" not in text
    assert "https:" not in text
    assert not {"src", "href", "action", "style"} & {n for _, attrs in read.tags for n in attrs}
    [policy] = [
        attrs["content"]
        for tag, attrs in read.tags
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    style, script = (_digest(read.raw[at][1]) for at in (0, 2))
    assert rules == {
        "default-src": "'none'",
        "script-src": f"'{script}'",
        "style-src": f"'{style}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# In a browser -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> str:
    """A Chromium to run."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium: install chromium to try the page in a browser")
    return found


def opened(browser: str, folder: Path, shown: Picture, address: str = "") -> str:
    """The document after the page's script has run."""
    target = folder / "tree.html"
    target.write_text(page(shown), encoding="utf-8", errors="replace")
    quiet = ["background-networking", "component-update", "sync", "gpu", "extensions", "quic"]
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--no-first-run",
            *(f"--disable-{name}" for name in quiet),
            f"--user-data-dir={folder / 'profile'}",
            "--window-size=1200,800",
            "--virtual-time-budget=5000",
            "--dump-dom",
            target.as_uri() + address,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout


def classes(document: str, name: str) -> set[str]:
    """The ids of the elements of a class."""
    tags = re.findall(r'<div class="(card[^"]*)" id="(n\d+)"', document)
    return {place for found, place in tags if name in found.split()}


def test_a_browser_draws_the_tree_and_its_path(browser: str, tmp_path: Path) -> None:
    document = opened(browser, tmp_path, sample())
    assert 'data-drawn="5"' in document
    assert classes(document, "card") == {"n0", "n1", "n2", "n3", "n4"}
    assert classes(document, "path") == {"n0", "n1", "n3"}
    assert classes(document, "chosen") == {"n3"}
    assert classes(document, "gone") == {"n4"}
    assert "×2" in document
    assert 'id="answer" dir="auto">42<' in document
    assert classes(document, "hit") == classes(document, "now") == set()


def test_a_browser_finds_a_text_and_shows_a_node(browser: str, tmp_path: Path) -> None:
    document = opened(browser, tmp_path, sample(), f"#q=SO%2042&n={name_of('b')}")
    assert classes(document, "hit") == {"n3"}
    assert 'for="search">1 of 1<' in document
    assert classes(document, "now") == {"n4"}
    panel = document[document.index('<aside id="panel"') : document.index("</aside>")]
    for said in ("outranked", "18 is not 42", "fail 0.250", ">b</pre>", "check"):
        assert said in panel


def test_a_browser_draws_what_was_written_as_text(browser: str, tmp_path: Path) -> None:
    tree = planted()
    for letter, said in zip("abcdefgh", HOSTILE, strict=True):
        tree = grow(tree, letter, added=said, answer=said)
    document = opened(browser, tmp_path, picture(end(tree, "a"), HOSTILE[0], HOSTILE[2]), "#n=0")
    assert 'data-drawn="9"' in document
    assert "data-owned" not in document
    assert classes(document, "card") == {f"n{i}" for i in range(9)}
    shown = document[: document.index('<script id="data"')]
    assert "a⟨U+202E⟩txt.exe⟨U+2066⟩b⟨U+200F⟩" in shown
    assert "⟨U+0000⟩⟨U+001B⟩[31m" in shown
    assert "&lt;/script&gt;&lt;script&gt;document.documentElement" in shown


def test_a_browser_lays_the_tree_out_tidily(browser: str, tmp_path: Path) -> None:
    """Parents stand beside the middle of their children, and no two nodes of a column touch."""
    tree = planted(*"abc", "aa", "ab", "aba", "abb", "abc", "b" * 2, "b" * 3, "ca", "cb", "cba")
    tree = apply(tree, Steered(Action("pin", name_of("abb"))))
    shown = picture(tree, ASKED)
    document = opened(browser, tmp_path, shown)
    number = r"([\d.]+)px"
    style = rf"height: {number}; transform: translate\({number}, {number}\)"
    boxes = re.findall(rf'id="n(\d+)" data-place=.*?{style}', document)
    places = {int(at): (float(x), float(y), float(tall)) for at, tall, x, y in boxes}
    assert sorted(places) == list(range(len(shown.branches)))
    columns: dict[float, list[tuple[float, float]]] = {}
    for at, branch in enumerate(shown.branches):
        x, y, tall = places[at]
        columns.setdefault(x, []).append((y, tall))
        if branch.children:
            first, last = (places[branch.children[end]][1] for end in (0, -1))
            assert y == pytest.approx((first + last) / 2, abs=0.1)
    assert len(columns) == 4
    for rows in map(sorted, columns.values()):
        assert all(y + tall < below for (y, tall), (below, _) in pairwise(rows))
    shown_text = document[: document.index('<script id="data"')]
    assert shown_text.count("✎") == 1 + 1  # at the node, and in the key


def test_hints_are_shown_at_their_cards(browser: str, tmp_path: Path) -> None:
    tree = apply(planted("a", "b"), Steered(Action("hint", text="use 6 * 7")))
    tree = apply(tree, Steered(Action("hint", text="<b>brief</b>", by="ann"), (name_of("a"),)))
    document = opened(browser, tmp_path, picture(tree, ASKED))
    shown = document[: document.index('<script id="data"')]
    assert shown.count("✎") == 2 + 1  # at the question, at the node, and in the key
    assert "hint: use 6 * 7" in shown
    assert "hint by ann: &lt;b&gt;brief&lt;/b&gt;" in shown


def wide(count: int) -> Tree:
    """So many nodes in three levels."""
    tree = planted(*"abcdefgh")
    pairs = [a + b for a in "abcdefgh" for b in "abcdefgh"]
    triples = [pair + c for pair in pairs for c in "abcdefgh"]
    for path in (pairs + triples)[: count - 8]:
        tree = grow(tree, path)
    return end(tree, "hh")


def test_a_browser_draws_a_large_tree_as_marks(browser: str, tmp_path: Path) -> None:
    """Too many to read at once: no cards, until one is looked for."""
    shown = picture(wide(500), ASKED)
    assert len(shown.branches) == 501
    document = opened(browser, tmp_path, shown)
    assert 'data-drawn="501"' in document
    assert classes(document, "card") == set()
    document = opened(browser, tmp_path, shown, f"#n={name_of('hh')}")
    assert 0 < len(classes(document, "card")) < 100
    assert len(classes(document, "now")) == 1
