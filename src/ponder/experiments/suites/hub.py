"""A data set of the Hugging Face hub as a suite, by the hub's rows API; no download of files.

``hf(OWNER/NAME, config=C, split=S, limit=N, question=Q, answer=A, ...)``; the columns as in
``files``. The API (``/rows``) gives 100 rows at a time. Nothing is kept: a set that is used often
is better saved as JSON Lines.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import UsageError
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.files import Columns, columns, unique
from ponder.experiments.suites.rows import Row
from ponder.models.fetch import offline

SERVER = "https://datasets-server.huggingface.co"
PAGE = 100
"""Rows per request, the API's most."""
_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class HubSuite:
    """One split of one data set."""

    dataset: str
    map: Columns
    config: str = "default"
    split: str = "test"
    limit: int = 0
    """Number of rows; 0 is all of them."""
    server: str = SERVER
    licence = "as the data set's card says"

    @property
    def name(self) -> str:
        """The data set and its split."""
        return f"{self.dataset}/{self.split}"

    @property
    def summary(self) -> str:
        """One-line description."""
        return f"{self.dataset} on the Hugging Face hub, {self.config}, {self.split}"

    @property
    def source(self) -> str:
        """The data set."""
        return self.dataset

    @property
    def where(self) -> tuple[str, ...]:
        """Empty: nothing is in the data folder."""
        return ()

    @property
    def grading(self) -> str:
        """Description of the grading."""
        return f"{self.map.type}, by meaning"

    def load(self, folder: Path | None = None) -> list[Item]:
        """As ``Suite``; the data folder does not matter.

        Raises:
            UsageError: the environment forbids the hub, it does not answer or has no such data set,
                or a column is missing.
        """
        if offline():
            raise UsageError(
                f"PONDER_OFFLINE or HF_HUB_OFFLINE keeps Ponder from {self.dataset} on the "
                "Hugging Face hub: save it as a file and name that, or unset the variable."
            )
        return unique(self.name, [self.map.item(self.name, row) for row in self._rows()])

    def _rows(self) -> Iterator[Row]:
        offset, total = 0, self.limit or 1
        while offset < total:
            length = min(PAGE, self.limit - offset) if self.limit else PAGE
            page = self._page(offset, length)
            try:
                found = [row["row"] for row in page["rows"]]
                there = int(page["num_rows_total"])
            except (KeyError, TypeError, ValueError):
                raise UsageError(
                    f"the hub's answer for {self.dataset} is not rows: try again later."
                ) from None
            total = min(self.limit or there, there)
            for i, values in enumerate(found, offset):
                yield Row(i, values, f"{self.name}, row {i}")
            if not found:
                return
            offset += len(found)

    def _page(self, offset: int, length: int) -> Any:
        asked = {
            "dataset": self.dataset,
            "config": self.config,
            "split": self.split,
            "offset": offset,
            "length": length,
        }
        try:
            url = f"{self.server}/rows?{urllib.parse.urlencode(asked)}"
            with urllib.request.urlopen(url, timeout=_SECONDS) as reply:
                return json.loads(reply.read())
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(300).decode(errors="replace")
            raise UsageError(
                f"the hub refuses {self.summary} ({error.code}: {said}): check the name, config= "
                "and split=."
            ) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise UsageError(
                f"the Hugging Face hub does not answer ({reason}): save the data set as a file and "
                "name that, or try again later."
            ) from None


def suite(dataset: str, options: Mapping[str, str]) -> HubSuite:
    """Return the suite that a caller names.

    Raises:
        UsageError: an option is unknown or has a value of another type.
    """
    rest = dict(options)
    config, split = rest.pop("config", "default"), rest.pop("split", "test")
    limit = rest.pop("limit", "0")
    if not (limit.isascii() and limit.isdigit()):
        raise UsageError(f"limit must be a whole number, zero (all) or more, not {limit!r}.")
    return HubSuite(dataset, columns(rest), config, split, int(limit))
