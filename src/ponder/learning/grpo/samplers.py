"""The models that sample: the policy itself, or the embedded engine with the policy's weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ponder.core.errors import UsageError
from ponder.learning.grpo.policy import Policy, PolicyModel
from ponder.models.base import Model
from ponder.models.config import Config
from ponder.models.opening import Teller, open_model
from ponder.models.openvino import converted

Save = Callable[[Any, Path], None]
"""Writes the merged weights of a model of Hugging Face as a GGUF file."""


class Sampler(Protocol):
    """Provides the model that samples at a step."""

    def keep(self, step: int, needed: bool) -> None:
        """Take over the policy's weights as they are before a step, if it is time.

        Args:
            step: counted from 0.
            needed: True if a sample will be drawn before the next time.
        """
        ...

    async def model(self, step: int) -> Model:
        """Return the model that samples at a step."""
        ...

    async def close(self) -> None:
        """Release the model."""
        ...


class OnPolicy:
    """The policy samples by itself, without a lag, and without batches."""

    def __init__(self, policy: Policy) -> None:
        self._model = PolicyModel(policy)

    def keep(self, step: int, needed: bool) -> None:
        """Do nothing: the weights are the policy's."""

    async def model(self, step: int) -> Model:
        """Return the policy as a model."""
        return self._model

    async def close(self) -> None:
        """Do nothing."""


class Embedded:
    """The embedded engine samples with weights that are up to ``refresh`` - 1 steps old.

    The weights of each time are a file in the run's folder, and the last one is kept: a run that is
    resumed between two times needs it.
    """

    def __init__(
        self,
        policy: Policy,
        save: Save,
        folder: Path,
        refresh: int,
        config: Config | None = None,
        teller: Teller | None = None,
    ) -> None:
        self._policy, self._save, self._folder, self._refresh = policy, save, folder, refresh
        self._config, self._teller = config or Config(), teller or Teller()
        self._open: Model | None = None
        self._path: Path | None = None

    def keep(self, step: int, needed: bool) -> None:
        """Write the policy's weights as a GGUF file, if it is time (see ``Sampler``)."""
        path = self._file(step)
        if step % self._refresh or not needed or path.exists():
            return
        self._save(self._policy.merged(), path)

    async def model(self, step: int) -> Model:
        """Return the engine with the last weights that were kept.

        Raises:
            UsageError: their file is gone.
            PonderError: it cannot be loaded.
        """
        path = self._file(step)
        if self._open is None or self._path != path:
            await self.close()
            if not path.exists():
                raise UsageError(
                    f"{path}, the weights that sample at step {step + 1}, is gone: delete "
                    f"{self._folder}, and start the run again."
                )
            for old in self._folder.glob("sampler-*.gguf"):
                if old != path:
                    converted.remove(old)
                    old.unlink()
            opened = await open_model(str(path), self._config, self._teller)
            self._open, self._path = opened.model, path
        return self._open

    def _file(self, step: int) -> Path:
        return self._folder / f"sampler-{step - step % self._refresh:06}.gguf"

    async def close(self) -> None:
        """End the engine, and delete its own copy of the weights."""
        if self._open is not None:
            await self._open.close()
        if self._path is not None:
            converted.remove(self._path)
        self._open = self._path = None
