"""The training loop: LoRA (Hu 2021) by AdamW (Loshchilov 2017), with the loss on completions alone.

A loop of our own over PEFT's adapters, in place of TRL's ``SFTTrainer``. A training must go on
after a kill as if nothing had happened. Here a checkpoint is one file that is replaced at once;
that of transformers' ``Trainer`` is a folder, which a kill can leave half written. Besides,
``datasets`` would copy each file of rows into a cache of its own. The loss of a step is
``SFTTrainer``'s: the mean over the completions' tokens of all rows of the step.

The last layer, whose output is a whole vocabulary for each token, is applied to the tokens that are
learned and to no others, some hundreds at a time, and again when gradients are computed: memory.
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from ponder.core.errors import PonderError, UsageError
from ponder.learning.adapting import adapted, shape
from ponder.learning.sft.data import Example
from ponder.learning.sft.outcome import Step, Trained, steps_of
from ponder.learning.sft.settings import Settings, rate, steps, together
from ponder.util.files import replaced

AT_ONCE = 256
"""Tokens whose probabilities over the vocabulary are in memory at once."""
LONGEST_GRADIENT = 1.0
"""Length to which the gradient of a step is shortened."""
PAUSE = 60.0
"""Seconds between checkpoints: the most of a training that a kill costs."""


@dataclass(slots=True)
class Training:
    """A training of the adapters that are put into ``model``; ``run`` merges them into it."""

    model: Any
    examples: Sequence[Example]
    settings: Settings
    folder: Path
    """The folder of ``checkpoint.pt`` and ``log.jsonl``."""
    held_out: Sequence[Example] = ()
    tell: Callable[[int, int, int, float], None] = lambda done, of, resumed, loss: None
    """Called before the first step and after each: the steps that are done, all, and those that an
    earlier attempt made; and the last loss, 0 if there is none.
    """
    pause: float = PAUSE

    def run(self) -> Trained:
        """Train from the last checkpoint, or from the start, to the end, and merge.

        Raises:
            UsageError: the folder has a checkpoint of another training.
            PonderError: the loss is no number any more.
            OSError: the disk refuses a checkpoint.
        """
        device = "cuda" if torch.cuda.is_available() else "cpu"
        size = shape(self.model)
        settings = self.settings
        model = adapted(self.model.to(device), settings.rank, settings.alpha, settings.seed)
        learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
        optimizer = torch.optim.AdamW(learned.values(), lr=self.settings.rate, weight_decay=0.0)
        log, before = self._resumed(learned, optimizer)
        if before is None and self.held_out:
            before = self._mean(self.held_out)
        log = self._steps(learned, optimizer, log, before)
        after = self._mean(self.held_out) if self.held_out else None
        model.merge_and_unload()
        adapters = sum(p.numel() for p in learned.values())
        return Trained(tuple(log), size, adapters, before, after)

    def _steps(
        self, learned: dict[str, Any], optimizer: Any, log: list[Step], before: float | None
    ) -> list[Step]:
        lengths = [len(one.tokens) for one in self.examples]
        plan = steps(lengths, self.settings)
        resumed, saved = len(log), time.monotonic()
        self.tell(resumed, len(plan), resumed, log[-1].loss if log else 0.0)
        for number in range(resumed, len(plan)):
            began = time.monotonic()
            groups = together(plan[number], lengths)
            tokens = sum(_learned(self.examples[row]) for row in plan[number])
            pace = rate(number, len(plan), self.settings.rate)
            for group in optimizer.param_groups:
                group["lr"] = pace
            total = 0.0
            for rows in groups:
                loss = self._loss([self.examples[row] for row in rows]) / tokens
                loss.backward()
                total += loss.item()
            if not math.isfinite(total):
                raise PonderError(
                    f"the loss of step {number + 1} is {total}: try a lower learning rate."
                )
            torch.nn.utils.clip_grad_norm_(learned.values(), LONGEST_GRADIENT)
            optimizer.step()
            optimizer.zero_grad()
            computed = tuple((len(rows), lengths[rows[0]]) for rows in groups)
            seconds = round(time.monotonic() - began, 3)
            log.append(Step(number + 1, len(plan), total, pace, tokens, computed, seconds))
            with self._log.open("a", encoding="utf-8") as file:
                file.write(log[-1].to_line())
            if time.monotonic() - saved >= self.pause or number + 1 == len(plan):
                self._save(learned, optimizer, log, before)
                saved = time.monotonic()
            self.tell(number + 1, len(plan), resumed, total)
        return log

    # Loss -----------------------------------------------------------------------------------------

    def _loss(self, group: Sequence[Example]) -> Any:
        """Return the sum of the losses of the learned tokens of some rows.

        Rows are filled up on the right. A token sees none after it, so what fills needs no mask.
        """
        device = self.model.device
        width = max(len(one.tokens) for one in group)
        ids = torch.tensor([(*o.tokens, *[0] * (width - len(o.tokens))) for o in group])
        places = [
            (row, at)
            for row, one in enumerate(group)
            for at in range(len(one.tokens) - _learned(one), len(one.tokens))
        ]
        rows, ats = torch.tensor(places).T.to(device)
        ids = ids.to(device)
        low = self.settings.precision == "bfloat16"
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=low):
            hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
            seen, wanted = hidden[rows, ats - 1], ids[rows, ats]
            parts = zip(seen.split(AT_ONCE), wanted.split(AT_ONCE), strict=True)
            losses = [
                checkpoint(self._summed, *part, use_reentrant=False, preserve_rng_state=False)
                for part in parts
            ]
            return torch.stack(losses).sum()

    def _summed(self, seen: Any, wanted: Any) -> Any:
        return cross_entropy(self.model.lm_head(seen).float(), wanted, reduction="sum")

    def _mean(self, examples: Sequence[Example]) -> float:
        lengths = [len(one.tokens) for one in examples]
        with torch.no_grad():
            total = sum(
                self._loss([examples[row] for row in rows]).item()
                for rows in together(range(len(examples)), lengths)
            )
        return float(total) / sum(map(_learned, examples))

    # Checkpoints ----------------------------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def _log(self) -> Path:
        return self.folder / "log.jsonl"

    def _identity(self) -> str:
        """Return a hash of all that the outcome depends on, but for the model."""
        rows = [[one.start, *one.tokens] for one in self.examples]
        return sha256(json.dumps([self.settings.to_json(), rows]).encode()).hexdigest()

    def _save(
        self, learned: dict[str, Any], optimizer: Any, log: Sequence[Step], before: float | None
    ) -> None:
        held = {
            "identity": self._identity(),
            "adapters": {name: p.detach() for name, p in learned.items()},
            "optimizer": optimizer.state_dict(),
            "log": "".join(one.to_line() for one in log),
            "before": before,
        }
        packed = io.BytesIO()  # so that a full disk is an OSError
        torch.save(held, packed)
        replaced(self._file, [packed.getbuffer()], kept=True)

    def _resumed(self, learned: dict[str, Any], optimizer: Any) -> tuple[list[Step], float | None]:
        """Return the log of the steps that were made, and the loss before them."""
        log: list[Step] = []
        before = None
        if self._file.exists():
            held = torch.load(self._file, weights_only=True)
            if held["identity"] != self._identity():
                raise UsageError(
                    f"{self._file} is of a training on other rows or with other settings: choose "
                    "another folder, or remove that file."
                )
            with torch.no_grad():
                for name, parameter in learned.items():
                    parameter.copy_(held["adapters"][name])
            optimizer.load_state_dict(held["optimizer"])
            log, before = steps_of(held["log"]), held["before"]
        # Steps after it are made again.
        replaced(self._log, (one.to_line().encode() for one in log), kept=True)
        return log, before


def _learned(example: Example) -> int:
    """Return the number of tokens that are learned; the first of all has none that foretells it."""
    return len(example.tokens) - max(1, example.start)
