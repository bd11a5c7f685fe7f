"""A run's tree to look at: in the terminal, as Mermaid, and as a page to explore."""

from __future__ import annotations

import html
from collections.abc import Sequence

from rich.text import Text
from rich.tree import Tree

from ponder.cli.tree import Branch
from ponder.cli.view import short

MERMAID = 50_000
"""Characters that Mermaid draws unless it is told otherwise (``maxTextSize``)."""


def drawn(title: str, roots: Sequence[Branch]) -> Tree:
    """For the terminal."""
    tree = Tree(Text(short(title)))

    def add(to: Tree, branch: Branch) -> None:
        style = "bold" if branch.answer is not None else "dim" if branch.why else ""
        node = to.add(Text(branch.label, style))
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
        if branch.chosen:
            lines.append(f"  style {name} stroke-width:4px")
        for child in branch.children:
            add(name, child)

    for root in roots:
        add("root", root)
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escapes = {"#": "#35;", "&": "#38;", '"': "#34;", "<": "#60;"}  # Mermaid's own
    return "".join(escapes.get(c, c) for c in short(text, 120))


def page(title: str, roots: Sequence[Branch]) -> str:
    """One self-contained page, to open and close branches."""

    def node(branch: Branch) -> str:
        words = _escaped(branch.label)
        text = f"<pre>{_escaped(branch.added)}</pre>"
        inner = "".join(node(child) for child in branch.children)
        state = " open" if branch.children else ""
        kind = "chosen" if branch.chosen else "answer" if branch.answer is not None else ""
        kind = kind or ("left" if branch.why else "")
        summary = f'<summary class="{kind}">' if kind else "<summary>"
        return f"<details{state}>{summary}{words}</summary>{text}{inner}</details>"

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
.answer, .chosen {{ font-weight: 600; }}
.chosen {{ background: #8883; }}
.left {{ opacity: .6; }}
pre {{ white-space: pre-wrap; opacity: .75; margin: .2rem 0 .6rem; }}
</style></head><body><h1>{title}</h1>{body}</body></html>
"""
