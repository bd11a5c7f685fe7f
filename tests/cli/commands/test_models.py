"""``ponder models list`` and ``ponder models show``, and from a bare server to an answer."""

import io
import json
import os
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ponder.cli.root import run as ponder
from ponder.models.presets.providers import PROVIDERS
from tests.support import telling as servers
from tests.support.telling import Json, Ollama, Server, telling


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider of the developer's: every address leads to a port where nothing listens."""
    for provider in PROVIDERS:
        monkeypatch.setenv(provider.address, "http://127.0.0.1:1")
        for variable in provider.keys:
            monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with telling(servers.vllm) as server:
        monkeypatch.setenv("VLLM_BASE_URL", server.url)
        yield server


@dataclass
class Done:
    stdout: str
    stderr: str


def run(*arguments: str, code: int = 0) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        assert ponder(list(arguments)) == code, out.getvalue() + err.getvalue()
    return Done(out.getvalue(), err.getvalue())


def shown(*arguments: str) -> Any:
    return json.loads(run("models", *arguments, "--json").stdout)


def test_from_a_bare_server_to_an_answer(vllm: Server) -> None:
    done = json.loads(run("solve", "6 x 7?", "--model", "vllm:", "--json", "--seed", "1").stdout)
    assert done["answer"] == "42"
    asked = vllm.bodies("/v1/chat/completions")
    assert {body["model"] for body in asked} == {"Qwen/Qwen3-8B"}
    [row] = done["receipt"]["items"]
    assert (row["model"], row["calls"]) == ("vllm:Qwen/Qwen3-8B", len(asked))


def test_a_name_with_colons_works_after_an_at_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    with telling(Ollama(loaded=True)) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        members = 'strategies=direct@ollama:qwen3:8b, "direct"@"ollama:llama3.2:latest"'
        run("solve", "6 x 7?", "--model", "simulated", "--strategy", "mixture", "--set", members)
        asked = {body["model"] for body in server.bodies("/v1/chat/completions")}
    assert asked == {"qwen3:8b", "llama3.2:latest"}


def test_the_list_has_what_can_be_asked_now(vllm: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    path = os.environ["PONDER_CONFIG"]
    Path(path).write_text(
        f'[endpoints.mine]\nbase_url = "{vllm.url}/v1"\nmodel = "Qwen/Qwen3-8B"\n'
        f'[endpoints.other]\nbase_url = "{vllm.url}/v1"\nmodel = "x"\n'
        '[endpoints.gone]\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "x"\n'
        '[endpoints.paid]\nbase_url = "https://api.deepseek.com/v1"\nmodel = "x"\nkey_env = "K"\n'
    )
    found = {row["name"]: row for row in shown("list")}
    states = {name: row["state"] for name, row in found.items() if "address" in row}
    assert states == {
        "mine": "ready", "other": "absent", "gone": "silent", "paid": "unasked",
        "vllm:Qwen/Qwen3-8B": "ready", "openai:MODEL": "unasked",
    }  # fmt: skip
    assert found["openai:MODEL"]["note"] == "OPENAI_API_KEY is set"
    assert "smollm2-135m" in found
    assert "secret" not in run("models", "list").stdout


def test_vendors_are_asked_for_their_lists_only_if_that_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lists(method: str, path: str, body: Json) -> Json:
        if path == "/v1/models?limit=1000":
            return {"data": [{"id": "claude-a"}], "has_more": False}
        if path == "/v1beta/models?pageSize=1000":
            return {"models": [{"name": "models/gemini-a"}]}
        return [{"id": "a/b"}] if path == "/v1/models" else None

    with telling(lists) as server:
        for name, key in (("anthropic", "ANTHROPIC_API_KEY"), ("gemini", "GEMINI_API_KEY"),
                          ("together", "TOGETHER_API_KEY")):  # fmt: skip
            monkeypatch.setenv(key, "secret")
            [provider] = [one for one in PROVIDERS if one.name == name]
            suffix = "/v1" if name == "together" else ""
            monkeypatch.setenv(provider.address, server.url + suffix)
        names = [row["name"] for row in shown("list") if "address" in row]
        assert names == ["anthropic:MODEL", "gemini:MODEL", "together:MODEL"]
        assert not server.asked
        names = [row["name"] for row in shown("list", "--remote") if "address" in row]
    assert names == ["anthropic:claude-a", "gemini:gemini-a", "together:a/b"]


def test_a_projects_endpoint_is_not_asked_by_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cloned").mkdir()
    monkeypatch.chdir(tmp_path / "cloned")
    Path("ponder.toml").write_text(
        '[endpoints.far]\nbase_url = "http://evil.invalid/v1"\nmodel = "m"\n'
    )
    [row] = [row for row in shown("list") if row["name"] == "far"]
    assert row["state"] == "unasked"


def test_show_says_how_each_thing_is_known(vllm: Server) -> None:
    found = shown("show", "vllm:")
    assert (found["name"], found["server"]) == ("vllm:Qwen/Qwen3-8B", "vllm 0.32.0")
    assert found["facts"]["context"] == {"value": 40960, "how": "told", "source": "/v1/models"}
    able = found["capabilities"]
    assert able["n"] == {"value": True, "how": "assumed", "source": "vllm", "used": False}
    assert able["prefill"]["way"] == "continue_final_message"
    assert found["lacks"]["beam_search"] == []
    assert found["price_note"] == "vllm:Qwen/Qwen3-8B is local: no dollars."
    text = run("models", "show", "vllm:").stdout
    assert "told (/v1/models)" in text
    assert "40,960" in text
    assert not vllm.bodies("/v1/chat/completions")  # nothing was generated to show it


def test_show_probes_when_it_is_asked_to(vllm: Server) -> None:
    found = shown("show", "vllm:", "--probe")
    assert found["capabilities"]["seed"]["how"] == "probed"
    assert vllm.bodies("/v1/chat/completions")
    done = run("models", "show", "simulated", "--probe", code=2)
    assert "simulated is no endpoint: there is nothing to probe" in done.stderr


def test_show_has_the_price_and_what_strategies_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    found = shown("show", "openai:gpt-4.1-mini")
    assert found["price"] == {"input": 0.4, "cached_input": 0.1, "output": 1.6}
    assert found["lacks"]["self_consistency"] == []
    assert "prefill" in found["lacks"]["beam_search"]
    text = run("models", "show", "openai:gpt-4.1-mini").stdout
    assert "lack prefill: confident, beam_search" in text
    assert "secret" not in text


@pytest.mark.parametrize("name", ["smollm2-135m", "simulated"])
def test_show_knows_the_models_of_this_machine(name: str) -> None:
    assert shown("show", name)["capabilities"]["prefill"]["value"] is True
    assert "strategies that work" in run("models", "show", name).stdout


def test_errors_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("models", "show", "vllm:", code=2)
    assert "nothing answers at http://127.0.0.1:1: start it" in done.stderr
    done = run("models", "show", "mistral:m", code=2)
    assert "MISTRAL_API_KEY, which is not set" in done.stderr
    assert "Traceback" not in done.stderr
