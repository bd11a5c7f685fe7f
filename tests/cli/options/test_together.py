"""Options that are about one another."""

from __future__ import annotations

import pytest

from ponder.cli.options.together import apart, needs
from ponder.core.errors import UsageError


def test_an_option_is_refused_without_the_one_that_it_is_about() -> None:
    needs("--force", False, "-o", None)
    needs("--force", False, "-o", "path")
    needs("--force", True, "-o", "path")
    with pytest.raises(UsageError, match=r"^--force says nothing without -o: give both, or leave"):
        needs("--force", True, "-o", None)


def test_options_that_contradict_each_other_are_refused() -> None:
    apart("--json", False, "--quiet", False)
    apart("--json", True, "--quiet", False)
    apart("--json", False, "--quiet", True)
    with pytest.raises(UsageError, match=r"^--json and --quiet exclude each other: give one of"):
        apart("--json", True, "--quiet", True)
