"""Settings of a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.core.text.refs import spelled
from ponder.planning.presets import DEFAULT
from ponder.server.keys import Key
from ponder.verifiers import registry as verifiers


@dataclass(frozen=True, slots=True)
class Settings:
    """The choices of whoever runs the server. No request changes them."""

    effort: str = DEFAULT
    """Effort of a question with a comparable answer, if the request names none."""
    ceiling: Budget = Budget()
    """Most that one request may spend, whatever it asks for."""
    journal: Path | str | bool = True
    """Path of the journal; True for the default one, False for none."""
    body: int = 8 << 20
    """Most bytes of a request's body."""
    choices: int = 16
    """Most choices (``n``) of one request."""
    trusted: tuple[str, ...] = ()
    """Scripts and files of verifiers that requests may name."""
    at_once: int = 32
    """Most runs in progress."""
    queue: int = 256
    """Most runs that wait for their turn."""
    deadline: float | None = None
    """Seconds after which a request's run is ended, with its best answer so far; waiting for its
    turn and for its model counts. None for no such limit.
    """
    keys: tuple[Key, ...] = ()
    """Those who may ask; empty for anybody on this machine."""
    pause: float = 10.0
    """Seconds of silence after which a stream says that it is alive."""
    retention: float = 30 * 86_400.0
    """Seconds for which stored responses are kept."""
    spending: Path | None = None
    """File of what each key has spent; None for one in the journal's folder."""
    upload: float = 60.0
    """Seconds that the body of a request may take to come."""
    stall: float = 60.0
    """Seconds after which a client that does not read what it is sent is given up."""
    keep_days: float | None = None
    """Days after which a run is removed from the journal; None to keep all."""
    traced: bool = False
    """True to send traces to an OpenTelemetry collector."""

    def check(self) -> None:
        """Refuse a trusted script or file that is not there.

        Raises:
            UsageError: one is not.
        """
        for name in self.trusted:
            script = next((one for one in verifiers.named(name) if one.kind == "script"), None)
            file = spelled(script.text).args[0].text if script else name
            if not Path(file).expanduser().is_file():
                raise UsageError(
                    f"cannot trust {name}: there is no file {file}; give script:FILE:FUNCTION, or "
                    "the path of a verifier's file."
                )
