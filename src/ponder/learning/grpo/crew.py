"""The processes that train together: one, or several that were launched as one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

Tensor = Any
PATIENCE = timedelta(days=1)
"""Longest time for which processes wait for the first one, which samples."""


class Crew(Protocol):
    """Processes that hold the same weights, each of which trains on its share of a step."""

    rank: int
    """The number of this process; 0 samples, scores and writes."""
    size: int
    device: Any
    """The device on which this process trains: a name, or a device of torch."""

    def wait(self) -> None:
        """Wait until all processes are here."""
        ...

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""
        ...

    def close(self) -> None:
        """Leave the others."""
        ...


class Alone:
    """One process."""

    rank, size = 0, 1

    def __init__(self, device: Any = "cpu") -> None:
        self.device = device

    def wait(self) -> None:
        """Return at once."""

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Leave the tensors as they are."""

    def close(self) -> None:
        """Do nothing."""


class Launched:
    """The processes that ``torchrun`` or ``accelerate launch`` started, each on a GPU or a CPU."""

    def __init__(self) -> None:
        from torch import cuda, distributed

        on_gpu, self._distributed = cuda.is_available(), distributed
        self.device: Any = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if on_gpu else "cpu"
        if on_gpu:
            cuda.set_device(self.device)
        distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()

    def wait(self) -> None:
        """Wait until all processes are here."""
        self._distributed.barrier()

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""
        for tensor in tensors:
            self._distributed.all_reduce(tensor)

    def close(self) -> None:
        """Leave the others."""
        self._distributed.destroy_process_group()


def crew() -> Crew:
    """Return the processes that were started together, or this one on a GPU if there is any."""
    import torch

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return Launched()
    return Alone("cuda" if torch.cuda.is_available() else "cpu")
