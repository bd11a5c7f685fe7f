"""Facts that local servers tell of a model: each kind has addresses of its own.

None of it generates a token. Ollama and LM Studio load a model when it is first used, and only then
know its context; ``wake`` has Ollama load it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ponder.core.errors import UnknownName, UsageError
from ponder.models.discovery import templates
from ponder.models.discovery.facts import Facts, names
from ponder.models.discovery.kinds import KINDS, Kind, of_list
from ponder.models.http.asking import Asker, Json
from ponder.models.sound import count

QUESTION = {"role": "user", "content": "How many is six times seven?"}
PREFIX = "Six times seven is"
LOADING = 600.0
"""Seconds that a server may take to load a model."""
FEW = 4
"""Tokens that show if a server takes thinking apart."""


async def tell(
    ask: Asker, model: str, *, hint: str, wake: Callable[[str], None] | None = None
) -> Facts:
    """Return what the server tells of one of its models; an empty name is its first.

    ``hint`` is what a person can do if nothing answers. ``wake`` receives a line before a model is
    loaded; None loads none.

    Raises:
        UsageError: nothing answers there, or what answers has no models.
        UnknownName: it has no model of that name.
    """
    listing, where = await ask.get("models"), str(ask.root)
    if not listing.status:
        why = f" ({listing.why})" if listing.why else ""
        raise UsageError(f"nothing answers at {where}{why}: {hint}.")
    if listing.status in (401, 403):
        raise UsageError(f"{where} wants a key, or another one (it answered {listing.status}).")
    rows = listing.rows("data")
    kind = of_list(rows) or (await _recognised(ask) if rows else None)
    if not rows and kind is None:
        raise UsageError(
            f"what answers at {where} is no server of models that is known here (status "
            f"{listing.status} at {ask.base.path}/models): {hint}."
        )
    ids = names(rows)
    row = _chosen(rows, model, kind, where)
    facts = Facts(kind.name if kind else "", "", row.get("id", "") or model, ids)
    facts = facts.having("told", "/v1/models", context=count(row.get("max_model_len")) or None)
    if kind is None:
        return facts
    facts = facts.having("assumed", kind.name, **dict.fromkeys(kind.capabilities, True))
    if kind.prefill:
        facts = facts.having("assumed", kind.name, prefill=kind.prefill)
    facts = facts.having("assumed", kind.name, dialect=kind.name)
    more = await _MORE[kind.name](ask, facts.model, row, wake)
    return _replaced(facts.joined(more), more)


def _replaced(facts: Facts, more: Facts) -> Facts:
    return Facts(facts.server, more.version, facts.model, facts.models, facts.found)


async def _recognised(ask: Asker) -> Kind | None:
    """Return the kind by an address that it alone has: proxies rename their models' owners."""
    answers = await ask.all(*(kind.address for kind in KINDS))
    told = zip(KINDS, answers, strict=True)
    return next((kind for kind, answer in told if kind.recognises(answer)), None)


def _chosen(rows: Sequence[Json], model: str, kind: Kind | None, where: str) -> dict[str, Json]:
    ids = names(rows)
    if not model:
        if not ids:
            raise UsageError(f"the server at {where} has no model: load one there, or name one.")
        return next(row for row in rows if row.get("id") == ids[0])
    tagged = model if ":" in model.rpartition("/")[2] else f"{model}:latest"
    for row in rows:
        if row.get("id") == model or (kind and kind.name == "ollama" and row.get("id") == tagged):
            return dict(row)
    if kind and kind.name == "llamacpp":  # it has one, under whatever name it is asked
        return {**(rows[0] if rows else {}), "id": model}
    if kind and kind.name == "ollama":
        raise UsageError(f"Ollama has no model {model!r}: run `ollama pull {model}`.")
    raise UnknownName(f"model at {where}", model, ids)


Wake = Callable[[str], None] | None


async def _vllm(ask: Asker, model: str, row: dict[str, Json], wake: Wake) -> Facts:
    asked: dict[str, Json] = {"model": model, "messages": [QUESTION], "return_token_strs": True}
    quiet = {**asked, "chat_template_kwargs": {"enable_thinking": False}}
    version = await ask.get("/version")
    plain, switched = await ask.post("/tokenize", asked), await ask.post("/tokenize", quiet)
    facts = Facts(version=_text(version.table.get("version")))
    if not plain.table or not switched.table:
        return facts
    thinks = plain.table.get("tokens") != switched.table.get("tokens")
    facts = facts.having("told", "/tokenize", native_thinking=thinks or None)
    pieces = plain.table.get("token_strs")
    if isinstance(pieces, list):
        end = "".join(piece for piece in pieces[-8:] if isinstance(piece, str))
        opened = templates.opens(end.replace("Ċ", "\n"))
        facts = facts.having("told", "/tokenize", opens=opened)
    return facts


async def _sglang(ask: Asker, model: str, row: dict[str, Json], wake: Wake) -> Facts:
    told = (await ask.get("/get_server_info")).table
    facts = Facts(version=_text(told.get("version")))
    context = count(told.get("context_length")) or None
    facts = facts.having("told", "/get_server_info", context=context)
    if isinstance(told.get("reasoning_parser"), str):
        facts = facts.having("told", "/get_server_info", native_thinking=True)
    return facts


async def _llamacpp(ask: Asker, model: str, row: dict[str, Json], wake: Wake) -> Facts:
    told = (await ask.get("/props")).table
    meta = row.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    facts = Facts(version=_text(told.get("build_info"))).having(
        "told",
        "/v1/models",
        parameters=count(meta.get("n_params")) or None,
        trained=count(meta.get("n_ctx_train")) or None,
    )
    defaults = told.get("default_generation_settings")
    context = count(defaults.get("n_ctx")) if isinstance(defaults, dict) else None
    slots = count(told.get("total_slots"))
    facts = facts.having("told", "/props", context=context or None, slots=slots or None)
    if isinstance(told.get("chat_template"), str):
        facts = facts.having("told", "/props", **templates.read(told["chat_template"]))
    rendered = (await ask.post("/apply-template", {"messages": [QUESTION]})).table.get("prompt")
    if isinstance(rendered, str):
        opens = templates.opens(rendered)
        facts = facts.having("told", "/apply-template", opens=opens)
        if opens and wake:
            facts = await _parsed(ask, model, facts)
    return await _continued(ask, facts)


async def _parsed(ask: Asker, model: str, facts: Facts) -> Facts:
    """Add that the server does not take the thinking apart which its prompt begins, if so.

    No address tells it: a few tokens do.
    """
    body = {"model": model, "messages": [QUESTION], "max_tokens": FEW, "temperature": 0}
    answer = await ask.post("chat/completions", body, LOADING)
    message = next(iter(answer.rows("choices")), {}).get("message")
    said = message if isinstance(message, dict) else {}
    apart = said.get("reasoning_content") or not _text(said.get("content")).strip()
    return facts if apart else facts.having("probed", "", think_open=True)


async def _continued(ask: Asker, facts: Facts) -> Facts:
    """Add the way to continue a message, as the server's own prompt shows it."""
    turns = [QUESTION, {"role": "assistant", "content": PREFIX}]
    answer = await ask.post("/apply-template", {"messages": turns})
    prompt = answer.table.get("prompt")
    if answer.status == 400:  # some templates think, and then do not let a message be continued
        return facts.having("told", "/apply-template", prefill="none")
    if not isinstance(prompt, str):
        return facts
    way = "final_message" if prompt.endswith(PREFIX) else "none"
    return facts.having("told", "/apply-template", prefill=way)


async def _ollama(ask: Asker, model: str, row: dict[str, Json], wake: Wake) -> Facts:
    version, shown = await ask.get("/api/version"), await ask.post("/api/show", {"model": model})
    facts = Facts(version=_text(version.table.get("version")))
    if _newer(facts.version, (0, 12, 11)):
        facts = facts.having("assumed", "ollama", logprobs=True, top_logprobs=True)
    able = shown.table.get("capabilities")
    if isinstance(able, list):
        thinks = "thinking" in able
        levels = ("low", "medium", "high") if thinks else None
        facts = facts.having("told", "/api/show", native_thinking=thinks, efforts=levels)
        sees, calls = "vision" in able, "tools" in able
        facts = facts.having("told", "/api/show", images=sees, tools=calls)
    info = shown.table.get("model_info")
    info = info if isinstance(info, dict) else {}
    trained = next((count(v) for k, v in info.items() if k.endswith(".context_length")), None)
    size = count(info.get("general.parameter_count"))
    facts = facts.having("told", "/api/show", trained=trained or None, parameters=size or None)
    context = await _loaded(ask, model)
    if context is None and wake:
        wake(f"Ollama loads {model}.")
        await ask.post("/api/generate", {"model": model, "stream": False}, LOADING)
        context = await _loaded(ask, model)
    return facts.having("told", "/api/ps", context=context or None)


async def _loaded(ask: Asker, model: str) -> int | None:
    """Return the context with which Ollama has loaded the model; None if it has not."""
    for row in (await ask.get("/api/ps")).rows("models"):
        if model in (row.get("name"), row.get("model")):
            return count(row.get("context_length"))
    return None


async def _lmstudio(ask: Asker, model: str, row: dict[str, Json], wake: Wake) -> Facts:
    answer = await ask.get("/api/v0/models")
    facts = Facts()
    for found in answer.rows("data"):
        if found.get("id") == model:
            longest = count(found.get("max_context_length"))
            loaded = count(found.get("loaded_context_length"))
            facts = facts.having(
                "told", "/api/v0/models", context=loaded or longest or None, trained=longest or None
            )
    return facts


_More = Callable[[Asker, str, dict[str, Json], Wake], Awaitable[Facts]]
_MORE: dict[str, _More] = {
    "vllm": _vllm,
    "sglang": _sglang,
    "llamacpp": _llamacpp,
    "ollama": _ollama,
    "lmstudio": _lmstudio,
}


def _newer(version: str, than: tuple[int, ...]) -> bool:
    """Return True if a version is at least ``than``."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3]) >= than


def _text(value: Any) -> str:
    return value[:64] if isinstance(value, str) else ""
