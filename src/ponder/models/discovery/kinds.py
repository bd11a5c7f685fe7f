"""The kinds of servers that speak Chat Completions, and what each can do that it does not tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ponder.models.base import Capability
from ponder.models.http.asking import Answer, Json


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of server."""

    name: str
    owner: str
    """Its ``owned_by`` in the list of models."""
    address: str
    """An address that only this kind has."""
    capabilities: tuple[Capability, ...]
    prefill: str = ""
    """Its way to continue a message; '' if that has to be probed."""

    def recognises(self, answer: Answer) -> bool:
        """Return True if the answer at ``address`` is this kind's."""
        told = answer.table
        return {
            "vllm": "version" in told,
            "sglang": "model_path" in told,
            "llamacpp": "default_generation_settings" in told,
            "ollama": "models" in told,
            "lmstudio": "data" in told,
        }[self.name]


KINDS = (
    Kind(
        "vllm", "vllm", "/version", ("seed", "stop", "logprobs", "top_logprobs", "n", "schema"),
        "continue_final_message",
    ),
    Kind(
        "sglang", "sglang", "/get_model_info",
        ("seed", "stop", "logprobs", "top_logprobs", "n", "schema"),
        "continue_final_message",
    ),
    Kind(
        "llamacpp", "llamacpp", "/props", ("seed", "stop", "logprobs", "top_logprobs", "schema"),
        "final_message",
    ),
    Kind("lmstudio", "organization_owner", "/api/v0/models", ("seed", "stop")),
    Kind("ollama", "library", "/api/tags", ("seed", "stop")),
)  # fmt: skip


def of_list(rows: Sequence[dict[str, Json]]) -> Kind | None:
    """Return the kind that the list of models shows."""
    owners = {row.get("owned_by") for row in rows if isinstance(row.get("owned_by"), str)}
    return next((kind for kind in KINDS if kind.owner in owners), None)
