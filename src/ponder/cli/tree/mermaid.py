"""A run's tree as a flowchart of Mermaid."""

from __future__ import annotations

from ponder.cli.output.terminal import short
from ponder.cli.tree.picture import NOTHING, Picture, leading, rest

CHARACTERS = 50_000
"""Most characters that Mermaid draws by default (``maxTextSize``)."""
EDGES = 500
"""Most edges that Mermaid draws by default (``maxEdges``)."""


def flowchart(picture: Picture) -> tuple[str, int]:
    """Return a flowchart within Mermaid's limits, and the number of branches left out.

    Each place where some are left out shows their number.
    """
    most = min(len(picture.branches) - 1, EDGES)
    while True:
        chosen = leading(picture, most)
        lines = _lines(picture, chosen)
        text = "\n".join(lines) + "\n"
        if most <= 1 or (len(text) <= CHARACTERS and len(lines) <= EDGES):
            return text, len(picture.branches) - len(chosen)
        most = most * 9 // 10


def _lines(picture: Picture, chosen: frozenset[int]) -> list[str]:
    asked = " · ".join([short(picture.title, 120), *picture.branches[0].notes])
    lines = ["flowchart TD", f'  n0["{_quoted(short(asked, 280))}"]']
    for place in sorted(chosen):
        branch = picture.branches[place]
        if place:
            words = " · ".join([short(branch.added, 48) or NOTHING, *branch.summary])
            link = "==>" if branch.on_path else "-.->" if branch.node.dropped else "-->"
            lines.append(f'  n{branch.parent} {link} n{place}["{_quoted(short(words, 160))}"]')
        if branch.chosen:
            lines.append(f"  style n{place} stroke-width:4px")
        if left := rest(picture, place, chosen):
            lines.append(f'  n{place} -.-> r{place}(["{_quoted(short(left, 160))}"])')
    return lines


def _quoted(text: str) -> str:
    escapes = {"#": "#35;", "&": "#38;", '"': "#34;", "<": "#60;"}  # Mermaid's own
    return "".join(escapes.get(c, c) for c in text)
