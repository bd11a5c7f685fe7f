"""The model under training: log-probabilities with a gradient, its state, its merged weights."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from ponder.core.errors import RequestRefused, UsageError
from ponder.core.problem import Message
from ponder.learning.adapting import adapted, shape
from ponder.learning.grpo.recording import Sample
from ponder.learning.rows.questions import turns
from ponder.models.base import Completion, ModelInfo, Progress, Request, silent

_SPACE = "Ġ"
"""The blank as byte-level vocabularies write it."""


class Policy:
    """A causal language model of Hugging Face with its tokenizer, under training.

    It stays in evaluation mode: nothing is dropped out, so that the policy that samples is the
    policy that learns.

    Args:
        model: a ``PreTrainedModel`` in float32.
        tokenizer: a ``PreTrainedTokenizerFast`` with a chat template.
        rank: rank of the adapters of all linear layers but the last; 0 trains all weights.
        alpha: the adapters' output is multiplied by ``alpha / rank``.
        seed: of the adapters' first weights.
    """

    def __init__(
        self, model: Any, tokenizer: Any, *, rank: int = 0, alpha: int = 32, seed: int = 0
    ) -> None:
        self.tokenizer, self.rank, self.shape = tokenizer, rank, shape(model)
        if rank:
            model = adapted(model, rank, alpha, seed)
        self.model = model.eval()
        self.trained = {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(iter(self.trained.values())).device

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of a chat up to the beginning of the reply."""
        text = self.tokenizer.apply_chat_template(
            turns(messages), add_generation_prompt=True, tokenize=False
        )
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def tokens(self, completion: Completion) -> list[int]:
        """Return the tokens of a sample; empty if they are not known."""
        pieces, found = completion.pieces or (), list[int]()
        for i, piece in enumerate(pieces):
            last = i == len(pieces) - 1 and completion.finish == "stop"
            token = self.tokenizer.eos_token_id if last and not piece else self._ids.get(piece)
            if token is None:
                return []
            found.append(token)
        return found if len(found) == len(completion.logprobs or ()) else []

    @cached_property
    def _ids(self) -> dict[bytes, int]:
        """The token of each piece of text; special ones have none."""
        known = self.tokenizer.get_vocab()
        special = set(self.tokenizer.all_special_ids)
        read = _byte_level if _SPACE in "".join(known) else _plain
        return {read(unit): i for unit, i in known.items() if i not in special}

    @cached_property
    def pieces(self) -> dict[int, bytes]:
        """The text of each token that is not special."""
        return {token: piece for piece, token in self._ids.items()}

    def logprobs(self, rows: Sequence[Sample]) -> torch.Tensor:
        """Return the log-probability of each token of each completion, [rows, tokens].

        Places after a completion's end hold 0.
        """
        longest = max(len(row.prompt) + len(row.tokens) for row in rows)
        first = min(len(row.prompt) for row in rows) - 1
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        seen = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            both = [*row.prompt, *row.tokens]
            ids[i, : len(both)] = torch.tensor(both)
            seen[i, : len(both)] = 1
        ids, seen = ids.to(self.device), seen.to(self.device)
        logits = self.model(
            input_ids=ids, attention_mask=seen, logits_to_keep=longest - first, use_cache=False
        ).logits
        found = []
        for i, row in enumerate(rows):
            start, end = len(row.prompt), len(row.prompt) + len(row.tokens)
            told = logits[i, start - 1 - first : end - 1 - first].float()
            found.append(-cross_entropy(told, ids[i, start:end], reduction="none"))
        return torch.nn.utils.rnn.pad_sequence(found, batch_first=True)

    def merged(self) -> Any:
        """Return a model of its own with the weights as trained; the policy stays as it is."""
        if not self.rank:
            return self.model
        return copy.deepcopy(self.model).merge_and_unload()

    def state(self, **more: Any) -> bytes:
        """Return the trained weights and ``more`` as the content of a file."""
        content = io.BytesIO()
        weights = {name: weight.detach().cpu() for name, weight in self.trained.items()}
        torch.save({"weights": weights, **more}, content)
        return content.getvalue()

    def load(self, content: bytes, where: object) -> dict[str, Any]:
        """Take the weights from ``state``, and return everything in it.

        Raises:
            UsageError: the content is damaged, or of another model.
        """
        try:
            kept = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
            if kept["weights"].keys() != self.trained.keys():
                raise ValueError("it is of another model")
            with torch.no_grad():
                for name, weight in self.trained.items():
                    weight.copy_(kept["weights"][name])
        except Exception as error:  # torch raises errors of many kinds on damaged files
            raise UsageError(
                f"{where} cannot be loaded: delete it, and the recorded samples are learned from "
                "again."
            ) from error
        return dict(kept)


def _plain(unit: str) -> bytes:
    return unit.replace("\u2581", " ").encode()


def _byte_level(unit: str) -> bytes:
    known = _letters()
    return bytes(known[c] for c in unit) if all(c in known for c in unit) else unit.encode()


def _letters() -> dict[str, int]:
    """Return the byte that each letter of a byte-level vocabulary stands for (Radford 2019)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + i): b for i, b in enumerate(hidden)}


class PolicyModel:
    """The policy as a ``Model``: it samples with the very weights that are trained.

    One sample after another is generated, so that none depends on those beside it.
    """

    def __init__(self, policy: Policy, name: str = "policy") -> None:
        self._policy = policy
        context = int(policy.model.config.max_position_embeddings)
        self._info = ModelInfo(
            name, frozenset({"logprobs", "seed"}), policy.shape, context, local=True
        )

    @property
    def info(self) -> ModelInfo:
        """Name, capabilities and size."""
        return self._info

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the exact number of tokens."""
        return len(self._policy.prompt(messages))

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the exact number of tokens."""
        return self.prompt_bound(messages, prefix)

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Generate one sample; the caller's loop waits (see ``Model``)."""
        if request.top_p < 1 or request.stop or request.prefix:
            raise RequestRefused("the policy samples from its whole distribution, from the start.")
        policy, end = self._policy, self._policy.tokenizer.eos_token_id
        prompt = policy.prompt(request.messages)
        room = min(request.max_tokens, self._info.context - len(prompt))
        if room < 1:
            raise RequestRefused(
                f"the prompt has {len(prompt)} tokens, and the model takes no more."
            )
        drawn = list(self._draw(prompt, room, request.temperature, request.seed))
        tokens = [token for token, _ in drawn]
        stopped = tokens[-1] == end
        return Completion(
            text=policy.tokenizer.decode(tokens, skip_special_tokens=True),
            finish="stop" if stopped else "length",
            prompt_tokens=len(prompt),
            completion_tokens=len(tokens),
            logprobs=tuple(chance for _, chance in drawn) if request.logprobs else None,
            pieces=tuple(policy.pieces.get(token, b"") for token in tokens),
        )

    def _draw(
        self, prompt: list[int], room: int, temperature: float, seed: int
    ) -> Iterator[tuple[int, float]]:
        """Yield each token with its log-probability, up to the end of the text."""
        policy, cache = self._policy, None
        made = torch.Generator().manual_seed(seed)
        fed = torch.tensor([prompt], device=policy.device)
        for _ in range(room):
            with torch.no_grad():
                out = policy.model(input_ids=fed, cache=cache, use_cache=True, logits_to_keep=1)
            cache = out.cache
            chances = out.logits[0, -1].float().log_softmax(-1).cpu()
            if temperature:
                odds = (chances / temperature).softmax(-1)
                token = int(torch.multinomial(odds, 1, generator=made))
            else:
                token = int(chances.argmax())
            yield token, min(0.0, float(chances[token]))
            if token == policy.tokenizer.eos_token_id:
                return
            fed = torch.tensor([[token]], device=policy.device)

    async def close(self) -> None:
        """Do nothing: the policy belongs to its trainer."""
