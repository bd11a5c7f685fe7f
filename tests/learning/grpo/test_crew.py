"""The processes that train together."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from ponder.learning.grpo.crew import Alone, crew  # noqa: E402


def test_one_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    one = crew()
    assert isinstance(one, Alone)
    assert (one.rank, one.size) == (0, 1)
    assert one.device == ("cuda" if torch.cuda.is_available() else "cpu")
    tensor = torch.ones(2)
    one.add([tensor])
    one.wait()
    assert tensor.tolist() == [1, 1]
