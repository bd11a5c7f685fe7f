import subprocess
import sys
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.models import config as module
from ponder.models.config import EndpointConfig, Price, load
from ponder.models.http.endpoint import Endpoint
from ponder.models.pricing import pricing

WHOLE = """
[default]
model = "work"
effort = "high"

[engine]
slots = 16
cache_gb = 2.5
device = "CPU"

[endpoints.work]
base_url = "https://api.example.com/v1"
model = "gpt-4o-mini"
key_env = "OPENAI_API_KEY"
context = 128_000
parameters = 8_000_000_000
capabilities = ["seed", "n"]
prefill = "none"
max_tokens_field = "max_completion_tokens"
stream = true
timeout = 90.5
retries = 2
concurrency = 8
price = {input = 0.15, cached_input = 0.075, cache_write = 0.2, output = 0.6}
provider = "openai"
extra_body = {top_k = 20, nested = {p = 0.1}}
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PONDER_CONFIG", str(tmp_path / "user.toml"))
    (tmp_path / "project" / "deep").mkdir(parents=True)
    (tmp_path / "user.toml").touch()
    return tmp_path / "user.toml"


@pytest.fixture
def project(user: Path) -> Path:
    return user.parent / "project" / "ponder.toml"


def test_everything_that_can_be_set(user: Path) -> None:
    user.write_text(WHOLE)
    config = load(user.parent)
    assert (config.model, config.effort) == ("work", "high")
    assert config.engine == {"slots": 16, "cache_gb": 2.5, "device": "CPU"}
    work = config.endpoints["work"]
    price = Price(Decimal("0.15"), Decimal("0.6"), Decimal("0.075"), Decimal("0.2"))
    assert (work.model, work.provider, work.price, work.trusted) == (
        "gpt-4o-mini",
        "openai",
        price,
        True,
    )
    assert work.settings == {
        "name": "work",
        "base_url": "https://api.example.com/v1",
        "model": "gpt-4o-mini",
        "key_env": "OPENAI_API_KEY",
        "context": 128_000,
        "parameters": 8_000_000_000,
        "capabilities": {"seed", "n"},
        "prefill": "none",
        "max_tokens_field": "max_completion_tokens",
        "stream": True,
        "timeout": 90.5,
        "retries": 2,
        "concurrency": 8,
        "extra_body": {"top_k": 20, "nested": {"p": 0.1}},
    }
    assert Endpoint(**work.settings).timeout == 90.5


def test_every_key_is_an_argument_of_the_endpoint() -> None:
    assert set(module._ENDPOINT) - {"price", "provider", "reward", "discover"} == {
        field.name for field in fields(Endpoint) if field.name not in ("name", "key")
    }


def test_without_files_there_are_only_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PONDER_CONFIG", raising=False)
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda *a, **k: str(tmp_path / "none"))
    assert load(tmp_path) == module.Config()
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "ponder.toml").write_text("[default]\nmodel = 'x'")
    assert load(tmp_path).model == "x"


def test_the_nearest_project_wins_value_by_value(user: Path, project: Path) -> None:
    user.write_text("[default]\nmodel = 'a'\neffort = 'low'\n[engine]\nslots = 1\nthreads = 1")
    project.write_text("[engine]\nslots = 8\n[endpoints.x]\nbase_url = 'http://x'\nmodel = 'm'")
    config = load(project.parent / "deep")
    assert (config.model, config.effort, config.engine) == ("a", "low", {"slots": 8})
    assert set(config.endpoints) == {"x"}
    (project.parent / "deep" / "ponder.toml").write_text("[default]\nmodel = 'b'")
    config = load(project.parent / "deep")
    assert (config.model, config.effort, config.engine["slots"]) == ("b", "low", 1)


@pytest.mark.parametrize(
    ("base_url", "key", "trusted"),
    [
        ("https://evil.example/v1", "key_env = 'OPENAI_API_KEY'", False),
        ("https://evil.example/v1", "", False),
        ("http://127.0.0.1:8000/v1", "key_env = 'OPENAI_API_KEY'", False),
        ("http://127.0.0.1:8000/v1", "", True),
        ("http://[::1]:8000/v1", "", True),
        ("http://localhost/v1", "", True),
        ("http://localhost.evil.example/v1", "", False),
    ],
)
def test_what_a_project_may_define(
    user: Path, project: Path, base_url: str, key: str, trusted: bool
) -> None:
    text = f"[endpoints.x]\nbase_url = '{base_url}'\nmodel = 'm'\n{key}"
    project.write_text(text)
    assert load(project.parent).endpoints["x"].trusted is trusted
    project.unlink()
    user.write_text(text)
    assert load(project.parent).endpoints["x"].trusted
    project.write_text(text)
    with pytest.raises(UsageError, match="may not redefine yours"):
        load(project.parent)


def test_a_file_that_is_both_is_the_users(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write_text("[endpoints.x]\nbase_url = 'https://x'\nmodel = 'm'")
    monkeypatch.setenv("PONDER_CONFIG", str(project))
    assert load(project.parent).endpoints["x"].trusted


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "base_ur = 'http://x'",
            "unknown key in [endpoints.x] of FILE 'base_ur': did you mean 'bas",
        ),
        ("model = ''", "[endpoints.x] model: expected a string that is not empty."),
        ("timeout = 0", "[endpoints.x] timeout: expected a number of seconds above 0."),
        ("timeout = nan", "the number nan is out of bounds"),
        ("timeout = true", "[endpoints.x] timeout: expected a number of seconds above 0."),
        ("retries = -1", "[endpoints.x] retries: expected a whole number, 0 or more."),
        ("retries = true", "[endpoints.x] retries: expected a whole number, 0 or more."),
        ("concurrency = 0", "[endpoints.x] concurrency: expected a whole number, 1 or more."),
        ("stream = 1", "[endpoints.x] stream: expected true or false."),
        ("prefill = 'yes'", "prefill: expected one of none, final_message, continue_final_message"),
        ("capabilities = 'seed'", "capabilities: expected a list of prefill, logprobs, top_log"),
        (
            "capabilities = ['sed']",
            "unknown capability in [endpoints.x] of FILE 'sed': did you mean 's",
        ),
        ("price = {input = 1}", "[endpoints.x.price] has no output: expected USD per million"),
        ("price = {}", "[endpoints.x.price] has no input: expected USD per million tokens"),
        ("price = {input = -1, output = 1}", "[endpoints.x.price] input: expected USD per million"),
        ("price = {inptu = 1}", "unknown key in [endpoints.x.price] of FILE 'inptu': did you mean"),
    ],
)
def test_what_is_wrong_in_an_endpoint(user: Path, line: str, said: str) -> None:
    key = line.split(" =")[0]
    rest = {"base_url": "'http://x'", "model": "'m'"}
    lines = [line, *(f"{k} = {v}" for k, v in rest.items() if k != key)]
    user.write_text("[endpoints.x]\n" + "\n".join(lines))
    with pytest.raises(UsageError) as caught:
        load(user.parent)
    assert said.replace("FILE", str(user)) in str(caught.value)
    assert str(user) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[defaults]", "unknown key in the file of FILE 'defaults': did you mean 'default'?"),
        ("default = 1", "FILE: default: expected a table."),
        ("[default]\nmodel = 1", "FILE: [default] model: expected a string that is not empty."),
        ("[default]\nmdel = 'x'", "unknown key in [default] of FILE 'mdel': did you mean 'model'?"),
        (
            "[engine]\nslots = [1]",
            "FILE: [engine] slots: expected a number, a string or a boolean.",
        ),
        ("[endpoints]\nx = 1", "FILE: [endpoints.x]: expected a table."),
        ("[endpoints.'a b']", "expected a name of letters, digits"),
        ("[endpoints.x]\nmodel = 'm'", "FILE: [endpoints.x] has no base_url: expected an http"),
        ("x = ", "FILE is not valid TOML: Invalid value (at end of document)."),
    ],
)
def test_what_is_wrong_in_the_file(user: Path, text: str, said: str) -> None:
    user.write_text(text)
    with pytest.raises(UsageError) as caught:
        load(user.parent)
    assert said.replace("FILE", str(user)) in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "api_key = 'sk-secret'",
        "Key = 'sk-secret'",
        "key_env = 'sk-secret'",
        "base_url = 'https://me:sk-secret@host/v1'",
        "timeout = 'sk-secret'",
    ],
)
def test_secrets_are_refused_and_never_repeated(user: Path, line: str) -> None:
    base = "" if line.startswith("base_url") else "base_url = 'http://x'\n"
    user.write_text(f"[endpoints.x]\nmodel = 'm'\n{base}{line}")
    with pytest.raises(UsageError, match=r"endpoints\.x") as caught:
        load(user.parent)
    assert "sk-secret" not in str(caught.value)


def test_files_that_cannot_be_read(user: Path, project: Path) -> None:
    user.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        load(user.parent)
    user.unlink()
    with pytest.raises(UsageError, match=r"cannot read .*user\.toml: No such file"):
        load(user.parent)


# --- prices ------------------------------------------------------------------------------------

AMOUNTS = st.decimals(0, 1000, allow_nan=False, places=9)
COUNTS = st.integers(0, 10**7)


def priced(
    price: Price | None = None,
    *,
    model: str = "m",
    provider: str = "",
    base_url: str = "https://api.example.com/v1",
) -> EndpointConfig:
    return EndpointConfig("x", base_url, model, {}, price, provider)


@given(AMOUNTS, AMOUNTS, AMOUNTS, COUNTS, COUNTS, COUNTS)
def test_a_price_table_is_exact_and_rounded_up(
    fresh: Decimal, cached: Decimal, output: Decimal, prompt: int, reused: int, completion: int
) -> None:
    cost, note = pricing(priced(Price(fresh, output, cached)))
    assert cost
    assert note == "price of 'x' from ponder.toml"
    reused = min(reused, prompt)
    usd = (
        (prompt - reused) * Fraction(fresh)
        + reused * Fraction(cached)
        + completion * Fraction(output)
    ) / 10**6
    assert cost(prompt, reused, completion) == ceil(usd * 10**12)
    assert cost(prompt, prompt + 5, completion) == cost(prompt, prompt, completion)


def test_listed_prices() -> None:
    cost, note = pricing(priced(model="gpt-4o-mini", provider="openai"))
    assert cost
    assert note.startswith("price of 'gpt-4o-mini' from genai-prices ")
    assert cost(1000, 100, 100) == 202_500_000  # 900 x 0.15 + 100 x 0.075 + 100 x 0.6 USD/M
    assert cost(1, 0, 0) == 150_000
    assert cost(0, 5, 0) == 0
    by_url, _ = pricing(priced(model="gpt-4o-mini", base_url="https://api.openai.com/v1"))
    assert by_url
    assert by_url(1000, 100, 100) == 202_500_000
    tiered, _ = pricing(priced(model="gemini-2.5-pro", provider="google"))
    assert tiered
    assert tiered(300_000, 0, 0) > 2 * tiered(150_000, 0, 0)


@pytest.mark.parametrize("provider", ["openai", "nobody", ""])
def test_an_unknown_price_is_said(provider: str) -> None:
    cost, note = pricing(priced(model="my-own-model", provider=provider))
    assert cost is None
    assert note.startswith("no price known for 'my-own-model' at ")
    assert note.endswith("set price in [endpoints.x]")


def test_a_price_list_from_the_network_is_not_used() -> None:
    from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot

    set_custom_snapshot(DataSnapshot([], from_auto_update=True))
    try:
        cost, _ = pricing(priced(model="gpt-4o-mini", provider="openai"))
    finally:
        set_custom_snapshot(None)
    assert cost


def test_the_price_list_is_loaded_only_when_needed() -> None:
    code = "import sys, ponder.models.pricing; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_byte_order_mark_is_not_part_of_the_configuration(user: Path) -> None:
    user.write_text("\ufeff[default]\nmodel = 'x'\n", encoding="utf-8")
    assert load().model == "x"


def test_how_long_a_server_keeps_runs_is_the_user_s_own_choice(user: Path, project: Path) -> None:
    user.write_text("[serve]\nkeep_days = 30\n")
    project.write_text("[default]\nmodel = 'tiny'\n")
    assert load(project.parent).keep_days == 30
    for text in ("keep_days = 0", "keep_days = 'long'", "days = 1"):
        user.write_text(f"[serve]\n{text}\n")
        with pytest.raises(UsageError, match=r"keep_days|days"):
            load(user.parent)
    user.write_text("")
    assert load(project.parent).keep_days is None
    project.write_text("[serve]\nkeep_days = 1\n")
    with pytest.raises(UsageError, match=r"your own ponder\.toml"):
        load(project.parent)
