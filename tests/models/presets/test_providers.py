"""Names of providers: addresses and keys out of the environment, and nothing out of a project."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UnknownName, UsageError
from ponder.core.text.refs import parse
from ponder.models import names
from ponder.models.config import Config, EndpointConfig, load
from ponder.models.opening import Teller, open_model
from ponder.models.presets import providers
from ponder.models.presets.providers import PROVIDERS
from tests.support.telling import Json, telling, vllm

HOSTED = [provider for provider in PROVIDERS if not provider.local]
LOCAL = [provider for provider in PROVIDERS if provider.local]


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS:
        for variable in (provider.address, *provider.keys):
            monkeypatch.delenv(variable, raising=False)


def named(name: str) -> EndpointConfig:
    found = names.resolve(name, Config())
    assert isinstance(found, EndpointConfig)
    return found


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda p: p.name)
def test_a_name_is_an_endpoint_without_configuration(provider: providers.Provider) -> None:
    found = named(f"{provider.name}:some-model")
    assert (found.base_url, found.model) == (provider.base_url, "some-model")
    assert found.settings["name"] == found.name == f"{provider.name}:some-model"
    assert found.settings.get("api", "chat") == provider.api
    assert found.settings.get("local", False) is provider.local


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("ollama:qwen3:8b", "qwen3:8b"),
        ("ollama:hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M",
         "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M"),
        ("openrouter:deepseek/deepseek-r1:free", "deepseek/deepseek-r1:free"),
        ("openai:ft:gpt-4o-mini:acme::abc", None),
        ("openai:ft:gpt-4o-mini:acme:x:abc", "ft:gpt-4o-mini:acme:x:abc"),
        ("lmstudio:qwen/qwen3-8b@q4_k_m", "qwen/qwen3-8b@q4_k_m"),
        ("vllm:", ""),
        ("llamacpp:/home/me/models/qwen3-8b-q8_0.gguf", "/home/me/models/qwen3-8b-q8_0.gguf"),
    ],
)  # fmt: skip
def test_a_model_keeps_its_colons_and_slashes(name: str, model: str | None) -> None:
    if model is None:
        with pytest.raises(UsageError, match="a model's name has letters"):
            named(name)
    else:
        assert named(name).model == model


@pytest.mark.parametrize("name", ["gemini:../v1/files", "ollama:a b", "xai:a?b", "xai:a#b",
                                  "openai:a\nb", "openai:%2e%2e", "openai:" + "a" * 300,
                                  "gemini:a/./b", "gemini:a\\b"])  # fmt: skip
def test_a_model_cannot_change_the_address(name: str) -> None:
    with pytest.raises(UsageError, match="a model's name has letters"):
        named(name)


def test_a_vendor_needs_a_model() -> None:
    with pytest.raises(UsageError, match="'openai:' names no model: say which one, openai:MODEL"):
        named("openai:")


def test_a_name_without_its_colon_is_suggested() -> None:
    with pytest.raises(UnknownName, match="did you mean 'ollama:'"):
        names.resolve("ollama", Config())


@pytest.mark.parametrize("name", ["ollama:qwen3:8b", "openrouter:a/b:free", "vllm:"])
def test_the_one_grammar_reads_names_with_colons(name: str) -> None:
    assert parse(f"judge@{name}").model == name
    assert parse(f"judge({name}, k=5)").args[0].text == name
    assert parse(str(parse(f'direct@"{name}"'))).model == name


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:1234", "http://127.0.0.1:1234/v1"),
        (":1234", "http://127.0.0.1:1234/v1"),
        ("[::]:1234", "http://127.0.0.1:1234/v1"),
        ("[::1]", "http://[::1]:11434/v1"),
        ("gpu-box", "http://gpu-box:11434/v1"),
        ("http://gpu-box", "http://gpu-box:80/v1"),
        ("https://gpu-box", "https://gpu-box:443/v1"),
        ("https://gpu-box/ollama", "https://gpu-box:443/ollama"),
        ("http://gpu-box:1/", "http://gpu-box:1/v1"),
    ],
)
def test_ollamas_address_is_read_as_its_client_reads_it(
    said: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", said)
    assert named("ollama:m").base_url == url


@given(st.text(max_size=30))
def test_any_text_of_ollama_host_is_an_address_or_one_sentence(said: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.environ", {"OLLAMA_HOST": said.replace("\0", "")})
        try:
            assert named("ollama:m").base_url.startswith(("http://", "https://"))
        except UsageError as error:
            assert "OLLAMA_HOST must be an address" in str(error)  # noqa: PT017


def test_addresses_are_those_of_the_vendors_own_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9/")
    assert named("openai:m").base_url == "http://127.0.0.1:9"
    assert named("anthropic:m").base_url == "http://127.0.0.1:9/v1"
    assert named("gemini:m").base_url == "http://127.0.0.1:9/v1beta"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:secret@x/v1")
    with pytest.raises(UsageError, match="OPENAI_BASE_URL must be an address") as caught:
        named("openai:m")
    assert "secret" not in str(caught.value)


def test_of_two_keys_the_one_that_is_set_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert named("gemini:m").settings["key_env"] == "GOOGLE_API_KEY"
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    assert named("gemini:m").settings["key_env"] == "GEMINI_API_KEY"
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    assert named("gemini:m").settings["key_env"] == "GOOGLE_API_KEY"
    assert "key_env" not in named("vllm:m").settings
    monkeypatch.setenv("VLLM_API_KEY", "k")
    assert named("vllm:m").settings["key_env"] == "VLLM_API_KEY"


@pytest.mark.parametrize("provider", HOSTED, ids=lambda p: p.name)
def test_a_missing_key_is_named(provider: providers.Provider) -> None:
    with pytest.raises(UsageError, match=rf"{provider.keys[0]}, which is not set: export"):
        asyncio.run(open_model(f"{provider.name}:m", Config(), Teller()))


# -- a project's ponder.toml may come with a repository that was cloned ----------------------------


def project(tmp_path: Path, text: str) -> Config:
    folder = tmp_path / "cloned"
    folder.mkdir()
    (folder / "ponder.toml").write_text(text)
    return load(folder)


def test_a_projects_default_sends_keys_to_the_vendor_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    config = project(
        tmp_path,
        '[default]\nmodel = "openai:gpt-5-mini"\n[endpoints.openai]\nmodel = "x"\n'
        'base_url = "http://evil.example/v1"\n',
    )
    found = names.resolve(None, config)
    assert isinstance(found, EndpointConfig)
    assert (found.base_url, found.settings["key_env"]) == (
        "https://api.openai.com/v1", "OPENAI_API_KEY",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["openai:gpt-5-mini", "openai:", "vllm:"])
def test_a_project_cannot_define_a_providers_name(tmp_path: Path, name: str) -> None:
    table = f'[endpoints."{name}"]\nbase_url = "http://evil.example/v1"\nmodel = "m"'
    with pytest.raises(UsageError, match="expected a name of letters"):
        project(tmp_path, table)


def test_a_projects_endpoint_at_a_vendors_address_gets_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    text = '[endpoints.x]\nbase_url = "https://api.openai.com/v1"\nmodel = "m"'
    found = names.resolve("x", project(tmp_path, text))
    assert isinstance(found, EndpointConfig)
    assert "key_env" not in found.settings


def test_a_projects_default_asks_the_users_own_address_with_the_users_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = project(tmp_path, '[default]\nmodel = "vllm:"')
    monkeypatch.setenv("VLLM_API_KEY", "secret")

    def redirecting(method: str, path: str, body: Json) -> Json:
        return 307, "http://127.0.0.1:1/v1/models"

    with telling(vllm) as mine, telling(redirecting) as other:
        monkeypatch.setenv("VLLM_BASE_URL", mine.url)
        asyncio.run(open_model(config.model, config, Teller()))
        assert {headers["authorization"] for headers in mine.headers} == {"Bearer secret"}
        monkeypatch.setenv("VLLM_BASE_URL", other.url)
        with pytest.raises(UsageError, match="is no server of models"):
            asyncio.run(open_model(config.model, config, Teller()))
