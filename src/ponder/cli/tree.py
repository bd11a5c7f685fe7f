"""A run as a tree: which beginnings were continued, what was said of them, where each ended."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.text import Text
from rich.tree import Tree

from ponder.cli.view import short
from ponder.core.effects import GENERATE
from ponder.runtime.journal import Row


@dataclass(slots=True)
class Branch:
    """One recorded continuation: what it added, what it cost, what was said of it."""

    id: str
    parent: str
    added: str
    tokens: int
    finish: str | None
    answer: str | None
    said: list[str] = field(default_factory=list)
    children: list[Branch] = field(default_factory=list)

    @property
    def label(self) -> str:
        """One line."""
        parts = [short(self.added, 48) or "(nothing)", f"{self.tokens} tokens", *self.said]
        if self.answer is not None:
            parts.append(f"= {short(self.answer, 24)}")
        elif self.finish == "length":
            parts.append("cut")
        elif not self.children:
            parts.append("ended without an answer" if self.finish else "not continued")
        return " · ".join(parts)


def branches(rows: Sequence[Row]) -> list[Branch]:
    """The beginnings of a run with all that came of them, in the order in which they were asked
    for. Only what may become the answer is shown: not what judges said in their own words.
    """
    found: dict[str, Branch] = {}
    texts: dict[str, str] = {"": ""}
    for row in rows:
        if row.lost is not None or row.effect.get("effect") != "generate":
            continue
        if row.effect.get("role", GENERATE) != GENERATE:
            continue
        trace = row.result
        answer = trace["answer"][0] if trace["answer"] else None
        added = trace["text"].removeprefix(texts.get(trace["parent"], ""))
        spent = row.spent.completion_tokens if row.spent else 0
        texts[trace["id"]] = trace["text"]
        found[trace["id"]] = Branch(
            trace["id"], trace["parent"], added, spent, trace["finish"], answer
        )
    for row in rows:
        if row.lost is None and row.effect.get("effect") == "verify":
            for name, score in zip(row.effect["traces"], row.result, strict=True):
                if name in found:
                    found[name].said.append(_said(score["value"], score.get("verdict")))
    ordered = sorted(found.values(), key=lambda b: [int(part) for part in b.id.split(".")])
    for branch in ordered:
        if branch.parent in found:
            found[branch.parent].children.append(branch)
    return [branch for branch in ordered if branch.parent not in found]


def _said(value: float | None, verdict: str | None) -> str:
    if verdict in ("pass", "fail", "error", "timeout"):
        return verdict if value is None else f"{verdict} {value:.2f}"
    return "abstains" if value is None else f"{value:.3f}"


def drawn(title: str, roots: Sequence[Branch]) -> Tree:
    """For the terminal."""
    tree = Tree(Text(short(title)))

    def add(to: Tree, branch: Branch) -> None:
        node = to.add(Text(branch.label, "bold" if branch.answer is not None else ""))
        for child in branch.children:
            add(node, child)

    for root in roots:
        add(tree, root)
    return tree


def mermaid(title: str, roots: Sequence[Branch]) -> str:
    """As a Mermaid flowchart."""
    lines = ["flowchart TD", f'  root["{_quoted(title)}"]']

    def add(parent: str, branch: Branch) -> None:
        name = "n" + branch.id.replace(".", "_")
        lines.append(f'  {parent} --> {name}["{_quoted(branch.label)}"]')
        for child in branch.children:
            add(name, child)

    for root in roots:
        add("root", root)
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return short(text, 120).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def page(title: str, roots: Sequence[Branch]) -> str:
    """One self-contained page, to open and close branches."""

    def node(branch: Branch) -> str:
        words = _escaped(branch.label)
        text = f"<pre>{_escaped(branch.added)}</pre>"
        inner = "".join(node(child) for child in branch.children)
        state = " open" if branch.children else ""
        kind = ' class="answer"' if branch.answer is not None else ""
        return f"<details{state}><summary{kind}>{words}</summary>{text}{inner}</details>"

    body = "".join(node(root) for root in roots)
    return _PAGE.format(title=_escaped(short(title, 200)), body=body)


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; }}
body {{ padding: 0 1rem; }}
details {{ margin-left: 1.2rem; border-left: 1px solid #8886; padding-left: .6rem; }}
summary {{ cursor: pointer; padding: .15rem 0; }}
.answer {{ font-weight: 600; }}
pre {{ white-space: pre-wrap; opacity: .75; margin: .2rem 0 .6rem; }}
</style></head><body><h1>{title}</h1>{body}</body></html>
"""
