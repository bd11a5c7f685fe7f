"""The cost of a training."""

from __future__ import annotations

from ponder.learning.sft.outcome import Step, Trained, steps_of
from ponder.models.base import Shape

STEPS = (
    Step(1, 2, 1.5, 0.1, 4, ((2, 3), (1, 5)), 0.25),
    Step(2, 2, 0.5, 0.2, 3, ((1, 4),), 0.5),
)


def test_flops_are_of_tokens_with_padding_and_of_pairs_of_them() -> None:
    found = Trained(STEPS, Shape(100, 7), 10, None, None)
    assert found.tokens == 2 * 3 + 5 + 4
    pairs = 2 * 3 + 10 + 6
    assert found.flops == (4 * 100 + 6 * 10) * 15 + 12 * 7 * pairs
    told = found.to_json()
    assert told["tokens"] == {"computed": 15, "learned": 7}
    assert (told["losses"], told["seconds"], told["steps"]) == ([1.5, 0.5], 0.8, 2)


def test_steps_are_read_as_they_were_written() -> None:
    assert steps_of("".join(step.to_line() for step in STEPS)) == [*STEPS]
