"""The engine's process, from the side of the one who started it."""

from __future__ import annotations

import pickle

import pytest

from ponder.models.openvino import process
from ponder.models.openvino.messages import Frame, Metrics
from ponder.models.openvino.process import Process

LATE = pickle.dumps(Frame(Metrics(requests=3, steps=2, tokens=7)))
CHILD = """
import pickle, sys
pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(FRAME)
sys.stdout.buffer.flush()
sys.stdin.buffer.read()
"""


@pytest.mark.process
def test_a_frame_that_was_under_way_at_the_end_counts_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "_CHILD", CHILD.replace("FRAME", repr(LATE)))
    engine = Process("nothing")  # type: ignore[arg-type]  # this child loads nothing
    assert engine.ready(60)
    assert engine.metrics.requests == 3
    engine._die("the model has been closed.")
    assert (engine.metrics.requests, engine.metrics.steps) == (0, 2)
    engine._take(pickle.loads(LATE))
    assert engine.metrics.requests == 0
    engine.stop()
