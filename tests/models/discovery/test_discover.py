"""What each kind of server tells, and what becomes of it."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from ponder.core.errors import UnknownName, UsageError
from ponder.core.problem import Message
from ponder.models import names
from ponder.models.base import Request
from ponder.models.config import Config, EndpointConfig
from ponder.models.discovery.discover import described, discover
from ponder.models.discovery.facts import Facts
from ponder.models.opening import Opened, Teller, open_model
from ponder.models.presets.providers import PROVIDERS
from tests.support import telling as servers
from tests.support.telling import Json, Ollama, Server, telling

ADDRESS = {provider.name: provider.address for provider in PROVIDERS}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS:
        for variable in (provider.address, *provider.keys):
            monkeypatch.delenv(variable, raising=False)


@contextmanager
def at(provider: str, answer: Callable[[str, str, Json], Json]) -> Iterator[Server]:
    """A server that the provider's name leads to."""
    with telling(answer) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv(ADDRESS[provider], server.url)
        yield server


def endpoint(name: str, config: Config | None = None) -> EndpointConfig:
    found = names.resolve(name, config or Config())
    assert isinstance(found, EndpointConfig)
    return found


def facts(name: str, **options: Any) -> Facts:
    return asyncio.run(discover(endpoint(name), **options))


class Listening(Teller):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, line: str) -> None:
        self.lines.append(line)


def opened(name: str, teller: Teller | None = None) -> Opened:
    return asyncio.run(open_model(name, Config(), teller or Teller()))


def test_vllm_tells_its_model_and_context() -> None:
    with at("vllm", servers.vllm) as server:
        found, listening = facts("vllm:"), Listening()
        info = opened("vllm:", listening).model.info
    assert (found.server, found.version, found.model) == ("vllm", "0.32.0", "Qwen/Qwen3-8B")
    assert (info.name, info.context) == ("vllm:Qwen/Qwen3-8B", 40960)
    assert info.capabilities == {
        "seed", "stop", "logprobs", "top_logprobs", "prefill", "native_thinking", "schema",
    }  # fmt: skip
    assert info.local
    assert listening.lines == ["vllm: is vllm:Qwen/Qwen3-8B here."]
    assert not server.bodies("/v1/chat/completions")


def test_of_several_models_the_first_is_taken_and_a_wrong_name_is_refused() -> None:
    with at("vllm", partial(servers.vllm, names=("first/model", "second/model"))) as server:
        assert facts("vllm:").model == "first/model"
        assert facts("vllm:second/model").model == "second/model"
        with pytest.raises(UnknownName, match=f"{server.url}.*did you mean 'second/model'"):
            facts("vllm:secnd/model")


def test_a_model_without_a_switch_for_thinking_has_none_to_set() -> None:
    def plain(method: str, path: str, body: Json) -> Json:
        if path == "/tokenize":
            return {"count": 2, "tokens": [1, 2], "token_strs": ["assistant", "<think>"]}
        return servers.vllm(method, path, body)

    with at("vllm", plain):
        found = facts("vllm:")
    assert found.value("native_thinking") is None
    assert found.value("opens") is True


def test_the_kind_is_what_answers_and_not_what_was_typed() -> None:
    with at("vllm", servers.llamacpp):
        found = described(endpoint("vllm:"), facts("vllm:"))
    assert found.settings["dialect"] == "llamacpp"


def test_a_proxy_that_renames_owners_is_told_by_its_addresses() -> None:
    def renamed(method: str, path: str, body: Json) -> Json:
        if path == "/v1/models":
            return servers.listing({"id": "mine", "owned_by": "acme"})
        return servers.llamacpp(method, path, body)

    with at("llamacpp", renamed):
        assert facts("llamacpp:").server == "llamacpp"


def test_llamacpp_tells_its_context_slots_and_template() -> None:
    with at("llamacpp", servers.llamacpp):
        found = facts("llamacpp:")
    said = {name: found.value(name) for name in ("context", "trained", "slots", "parameters")}
    assert said == {"context": 4096, "trained": 40960, "slots": 4, "parameters": 596049920}
    assert found.version == "b7214-1c2d3e4f"
    assert found.value("native_thinking") is True
    assert found.value("prefill") == "none"  # it thinks, and then lets nothing be continued
    assert found.value("opens") is True
    assert found.value("think_open") is None  # /props says 'none' with a parser too
    assert "n" not in found.found  # its usage counts the first choice alone


@pytest.mark.parametrize(
    ("content", "thinking", "known"),
    [
        ("To solve", None, True),
        ("To solve", "", True),
        ("</think>", None, True),
        ("", "To solve", None),
        ("42", "Six", None),
        ("\n", None, None),
        (None, None, None),
    ],
)
def test_a_few_tokens_show_if_llamacpp_takes_thinking_apart(
    content: Json, thinking: Json, known: bool | None
) -> None:
    asked: list[Json] = []

    def speaking(method: str, path: str, body: Json) -> Json:
        if path == "/v1/chat/completions":
            asked.append(body)
            message = {"content": content, "reasoning_content": thinking}
            return {"choices": [{"message": message, "finish_reason": "length"}]}
        return servers.llamacpp(method, path, body)

    with at("llamacpp", speaking):
        used = facts("llamacpp:", wake=lambda line: None)
    assert used.value("think_open") is known
    assert [body["max_tokens"] for body in asked] == [4]


def test_without_a_prompt_that_begins_to_think_or_use_of_the_model_nothing_is_generated() -> None:
    with at("llamacpp", continuing) as server:
        facts("llamacpp:any-name", wake=lambda line: None)
    assert not any("completions" in path for _, path, _ in server.asked)
    with at("llamacpp", servers.llamacpp) as server:
        facts("llamacpp:")
    assert not any("completions" in path for _, path, _ in server.asked)


def continuing(method: str, path: str, body: Json) -> Json:
    """A llama.cpp whose template lets a message be continued."""
    if path == "/apply-template":
        return {"prompt": "".join(m["content"] for m in body["messages"])}
    return servers.llamacpp(method, path, body)


def test_llamacpp_shows_that_it_continues_a_message() -> None:
    with at("llamacpp", continuing):
        found = facts("llamacpp:any-name")
    assert (found.model, found.value("prefill")) == ("any-name", "final_message")


def test_sglang_tells_its_context_and_its_parser() -> None:
    with at("sglang", servers.sglang):
        found = facts("sglang:")
    assert (found.version, found.value("context")) == ("0.5.6", 32768)
    assert found.value("native_thinking") is True
    assert found.value("prefill") == "continue_final_message"


def test_ollama_loads_the_model_and_then_knows_its_context() -> None:
    with at("ollama", Ollama()) as server:
        shown = facts("ollama:qwen3:8b", probing=False)
        assert shown.value("context") is None  # nothing was loaded to look at it
        assert (shown.value("trained"), shown.value("parameters")) == (40960, 8190735360)
        listening = Listening()
        info = opened("ollama:qwen3:8b", listening).model.info
    assert listening.lines == ["Ollama loads qwen3:8b."]
    assert (info.context, info.shape.parameters) == (4096, 8190735360)
    assert info.capabilities >= {"native_thinking", "logprobs", "prefill"}
    assert server.bodies("/api/generate") == [{"model": "qwen3:8b", "stream": False}]


def test_ollama_probes_once_what_it_does_not_tell() -> None:
    with at("ollama", Ollama(loaded=True)) as server:
        opened("ollama:qwen3:8b")
        probes = len(server.bodies("/v1/chat/completions"))
        assert probes
        opened("ollama:qwen3:8b")
        assert len(server.bodies("/v1/chat/completions")) == probes
        facts("ollama:qwen3:8b", probing=True)
        assert len(server.bodies("/v1/chat/completions")) == 2 * probes


def test_ollamas_tag_may_be_left_out_and_an_absent_model_is_pulled_by_hand() -> None:
    with at("ollama", Ollama(loaded=True)):
        assert facts("ollama:llama3.2", probing=False).model == "llama3.2:latest"
        with pytest.raises(UsageError, match="no model 'phi4': run `ollama pull phi4`"):
            facts("ollama:phi4")


def test_lmstudio_tells_the_context_that_is_loaded_and_continues_nothing() -> None:
    with at("lmstudio", servers.lmstudio):
        found = facts("lmstudio:", wake=lambda line: None)
        info = opened("lmstudio:").model.info
    assert (found.value("context"), found.value("trained")) == (8192, 40960)
    assert (found.value("prefill"), found.found["prefill"].how) == ("none", "probed")
    assert info.capabilities == {"seed", "stop"}


def test_nothing_that_answers_says_how_to_start_it() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, and not listening
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("VLLM_BASE_URL", url)
            with pytest.raises(UsageError) as caught:
                facts("vllm:")
    assert str(caught.value) == (
        f"nothing answers at {url}: start it (`vllm serve MODEL`), or say in VLLM_BASE_URL where "
        "it is."
    )


@pytest.mark.parametrize("answer", [(404, {"detail": "Not Found"}), (200, b"<html>"), (200, b"[")])
def test_a_server_of_something_else_is_named(answer: Json) -> None:
    with (
        at("vllm", lambda method, path, body: answer) as server,
        pytest.raises(UsageError, match=f"what answers at {server.url} is no server of models"),
    ):
        facts("vllm:")


def test_a_key_that_is_wanted_is_said() -> None:
    with (
        at("vllm", lambda method, path, body: (401, {"error": "Unauthorized"})),
        pytest.raises(UsageError, match="wants a key, or another one"),
    ):
        facts("vllm:")


@pytest.mark.parametrize(
    "rows",
    [
        None,
        7,
        {"data": 7},
        {"data": [7, None, {"id": 7}, {}]},
        {"data": []},
        {"data": [{"id": ""}]},
    ],
)
def test_lists_of_any_shape_are_one_sentence(rows: Json) -> None:
    with (
        at("vllm", lambda method, path, body: (200, rows)),
        pytest.raises(UsageError, match=r"is no server of models|has no model"),
    ):
        facts("vllm:")


@pytest.mark.parametrize("wrong", [None, "x", -1, 2.5, True, [], {}, 10**30])
def test_values_of_any_type_are_no_facts(wrong: Json) -> None:
    def odd(method: str, path: str, body: Json) -> Json:
        if path == "/v1/models":
            row = {"id": "m", "owned_by": "llamacpp", "meta": wrong, "max_model_len": wrong}
            return servers.listing(row)
        if path == "/props":
            settings = {"n_ctx": wrong, "params": wrong}
            return {"default_generation_settings": settings, "total_slots": wrong,
                    "chat_template": wrong, "build_info": wrong}  # fmt: skip
        return 200, wrong

    with at("llamacpp", odd):
        found = facts("llamacpp:")
    assert found.value("context") is None
    assert found.value("slots") is None


def configured(url: str, **settings: Any) -> EndpointConfig:
    settings = {"name": "x", "base_url": f"{url}/v1", "model": "Qwen/Qwen3-8B", **settings}
    return EndpointConfig("x", settings["base_url"], settings["model"], settings=settings)


def test_what_is_configured_stays() -> None:
    with telling(servers.vllm) as server:
        asked = configured(server.url, context=100, capabilities=frozenset({"stop"}), stream=False)
        found = described(asked, asyncio.run(discover(asked)))
    assert found.settings["context"] == 100
    assert found.settings["capabilities"] == {"stop"}
    assert found.settings["stream"] is False
    assert found.settings["prefill"] == "continue_final_message"
    assert found.name == "x"


VLLM = "only if continue_final_message asks for it (assumed)"


@pytest.mark.parametrize(
    ("server", "prefill", "name", "does", "write"),
    [
        (servers.vllm, "final_message", "vllm", VLLM, "continue_final_message"),
        (servers.sglang, "final_message", "sglang", VLLM, "continue_final_message"),
        (
            continuing, "continue_final_message", "llamacpp",
            "continues the last message by itself (told)", "final_message",
        ),
        (servers.vllm, "continue_final_message", "", "", ""),
        (continuing, "final_message", "", "", ""),
        (servers.vllm, "none", "", "", ""),  # somebody wants it so
        (servers.llamacpp, "final_message", "", "", ""),  # only while it thinks it does not
        (servers.vllm, None, "", "", ""),
    ],
)  # fmt: skip
def test_a_way_to_continue_that_is_not_the_servers_is_remarked(
    server: Any, prefill: str | None, name: str, does: str, write: str
) -> None:
    with telling(server) as here:
        asked = configured(here.url, **({"prefill": prefill} if prefill else {}))
        facts = asyncio.run(discover(asked, probing=False))
    assert described(asked, facts).settings.get("prefill") == (prefill or "continue_final_message")
    assert len(facts.remarks) == bool(name)
    for remark in facts.remarks:
        assert remark.startswith(f'x: prefill = "{prefill}" does not fit {name}, which continues')
        assert remark.endswith(f'{does}: write prefill = "{write}" in ponder.toml.')


def test_a_probe_shows_that_nothing_is_continued() -> None:
    with telling(servers.lmstudio) as here:
        asked = configured(here.url, model="qwen/qwen3-8b", prefill="final_message")
        assert not asyncio.run(discover(asked, probing=False)).remarks
        found = asyncio.run(discover(asked, probing=True))
        again = asyncio.run(discover(asked))  # as it is remembered
    assert (
        found.remarks
        == again.remarks
        == (
            'x: prefill = "final_message" does not fit lmstudio, which does not continue a message '
            '(probed): write prefill = "none" in ponder.toml.',
        )
    )


def test_the_remark_is_among_the_notes_of_the_receipt() -> None:
    with telling(servers.vllm) as here:
        config = Config(endpoints={"x": configured(here.url, prefill="final_message")})
        notes = asyncio.run(open_model("x", config, Teller())).notes
    assert any('write prefill = "continue_final_message" in ponder.toml' in note for note in notes)


def test_an_endpoint_of_a_file_needs_no_server_that_tells() -> None:
    with telling(lambda method, path, body: (404, None)) as server:
        asked = configured(server.url)
        assert described(asked, asyncio.run(discover(asked, probing=False))).settings == {
            **asked.settings
        }


def test_a_vendors_model_is_asked_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    def router(method: str, path: str, body: Json) -> Json:
        row = {"id": "a/b", "context_length": 1000, "supported_parameters": ["seed", "reasoning"],
               "reasoning": {"supported_efforts": ["high", "low"]}}  # fmt: skip
        return {"data": [row]} if path == "/models" else None

    monkeypatch.setenv("OPENROUTER_API_KEY", "secret")
    with at("openrouter", router) as server:
        found = described(endpoint("openrouter:a/b"), facts("openrouter:a/b"))
        again = described(endpoint("openrouter:a/b"), facts("openrouter:a/b"))
    assert found.settings == again.settings
    assert found.settings["context"] == 1000
    assert found.settings["efforts"] == ("low", "high")
    assert found.settings["capabilities"] == {"seed", "native_thinking"}
    assert server.addresses() == ["GET /models"]


def test_an_answer_comes_from_a_bare_server() -> None:
    with at("vllm", servers.vllm):
        model = opened("vllm:").model
        request = Request((Message("user", "How many is six times seven?"),), 64, seed=1)
        done = asyncio.run(model.generate(request))
    assert (done.text, done.completion_tokens) == ("It is \\boxed{42}.", 3)
