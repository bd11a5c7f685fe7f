"""A run's tree as one interactive page of HTML. It needs nothing else, and can reach nothing.

The data are JSON in the page; the script and the style are allowed by their digests alone.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ponder.cli.tree.picture import Branch, Picture, counted
from ponder.core.text.visible import shown
from ponder.core.trace import Score

_SCRIPTS = ("layout.js", "model.js", "view.js", "panel.js", "page.js")


def page(picture: Picture) -> str:
    """Return the page, as text."""
    style, script = _read("page.css"), '"use strict";\n' + "\n".join(map(_read, _SCRIPTS))
    return (
        _files()
        .get_template("page.html")
        .render(
            title=picture.title,
            summary=_summary(picture),
            data=data(picture),
            style=style,
            script=script,
            style_digest=_digest(style),
            script_digest=_digest(script),
        )
    )


@functools.cache
def _files() -> Environment:
    loader = PackageLoader("ponder.cli.tree", "templates")
    return Environment(autoescape=True, undefined=StrictUndefined, loader=loader, finalize=shown)


@functools.cache
def _read(name: str) -> str:
    loader = _files().loader
    assert loader is not None
    return loader.get_source(_files(), name)[0]


def _digest(text: str) -> str:
    """Return a source of a content security policy: the text with that digest and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _summary(picture: Picture) -> str:
    tokens = sum(branch.tokens * branch.count for branch in picture.branches)
    return f"{counted(picture.nodes, 'node')}, {tokens:,} tokens"


def data(picture: Picture) -> dict[str, Any]:
    """Return the tree as JSON: branches by position, parents first."""
    return {
        "title": picture.title,
        "answer": picture.answer,
        "branches": [_branch(branch) for branch in picture.branches],
    }


def _branch(branch: Branch) -> dict[str, Any]:
    node = branch.node
    whole = {
        "id": node.id,
        "parent": branch.parent,
        "text": branch.added,
        "reasoning": node.trace.reasoning if node.trace.text else "",
        "continues": branch.continues,
        "tokens": branch.tokens,
        "status": node.status,
        "value": node.value,
        "scores": list(map(_score, node.scores)),
        "visits": node.visits,
        "mean": node.mean if node.visits else None,
        "finish": node.trace.finish,
        "answer": branch.answer,
        "outcome": branch.outcome,
        "why": node.why,
        "notes": branch.notes,
        "steered": branch.steered or None,
        "path": branch.on_path,
        "chosen": branch.chosen,
        "equals": [[other.id, other.value] for other in branch.equals],
    }
    return {name: value for name, value in whole.items() if value not in ("", None, [], ())}


def _score(score: Score) -> list[Any]:
    return [score.value, score.verifier, score.verdict, score.detail]
