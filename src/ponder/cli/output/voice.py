"""Messages while a model is opened, and while a run waits for a person."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from ponder.cli.output.download import pull_progress
from ponder.cli.output.terminal import say
from ponder.models.fetch import Report
from ponder.models.opening import Teller
from ponder.verifiers.human.verifier import Human
from ponder.verifiers.registry import known


class Voice(Teller):
    """Prints messages on stderr, unless quiet."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def tell(self, line: str) -> None:
        """Print one line."""
        if not self._quiet:
            say(line, err=True)

    def progress(self, name: str) -> AbstractContextManager[Report]:
        """Return a bar for a download; a silent one if quiet."""
        return nullcontext(lambda stage, done, total: None) if self._quiet else pull_progress(name)


def tell_of_person(*verifiers: str) -> None:
    """Print where to answer, if one of these verifiers asks a person."""
    if any(isinstance(one, Human) for one in known(*verifiers).values()):
        say("this run waits for a person: answer with 'ponder review'", err=True)
