"""Every package that the code imports is declared in pyproject.toml, in the base or in an extra."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMPORTED_AS = {"scikit-learn": "sklearn"}


def imported() -> Iterator[str]:
    """The top-level name of every package imported anywhere under ``src``."""
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def test_every_imported_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(x for e in extras if e != "dev" for x in extras[e])]
    names = [re.split(r"[\[<>=! ]", line)[0] for line in lines]
    declared = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}
    ours = sys.stdlib_module_names | {"ponder"}
    assert {name for name in imported() if name not in ours} <= declared
