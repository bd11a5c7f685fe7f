"""API keys: read, made and asked for."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.server import keys
from ponder.server.settings import Settings
from tests.support.serving import USER, answering, serving


def test_a_new_key_opens_what_its_lines_describe(tmp_path: Path) -> None:
    key, lines = keys.new("team")
    file = tmp_path / "keys.toml"
    file.write_text(f"{lines}\nmax_usd = 0.5\nday_tokens = 9\nday_usd = 1\nper_minute = 60\n")
    [known] = keys.load(file)
    assert (known.day_tokens, known.day_usd, known.per_minute) == (9, 1, 60)
    assert (known.name, known.ceiling) == ("team", Budget(usd=0.5))
    assert key not in lines
    assert keys._known({"authorization": f"bearer {key}"}, (known,)) is known
    assert keys._known({"x-api-key": key}, (known,)) is known


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no keys"),
        ("[a]\nsha256 = 'plain'", "64 hex digits"),
        (f"[a]\nsha256 = '{'0' * 64}'\nurl = 'x'", "64 hex digits"),
        (f"[a]\nsha256 = '{'0' * 64}'\nmax_usd = -1", "greater than zero"),
        (f"[a]\nsha256 = '{'0' * 64}'\nday_usd = -1", "day_usd must be a number greater"),
        (f"[a]\nsha256 = '{'0' * 64}'\nday_usd = nan", "day_usd must be a number greater"),
        (f"[a]\nsha256 = '{'0' * 64}'\nday_tokens = 1.5", "day_tokens must be a whole number"),
        (f"[a]\nsha256 = '{'0' * 64}'\nper_minute = true", "per_minute must be a whole number"),
        (f"[a]\nsha256 = '{'0' * 64}'\nmax_tokens = true", r"\[a\] the budget's tokens must be"),
        (f"['']\nsha256 = '{'0' * 64}'", "is no name of a key"),
        (f'["x\\u0000"]\nsha256 = "{"0" * 64}"', "is no name of a key"),
        (f"[a]\nsha256 = '{'0' * 64}'\n[b]\nsha256 = '{'0' * 64}'", r"\[a\] and \[b\] are one"),
        ("key = 'x'", "64 hex digits"),
        ("[a", "not TOML"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=words):
        keys.load(file)


def test_a_name_is_a_plain_word() -> None:
    with pytest.raises(UsageError, match="letters, digits"):
        keys.new("a]\n[b")


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_loopback(host: str, near: bool) -> None:
    assert keys.loopback(host) is near


async def test_nobody_asks_without_a_key(tmp_path: Path) -> None:
    key, lines = keys.new("team")
    (tmp_path / "keys.toml").write_text(lines)
    model = answering("hi")
    settings = Settings(keys=keys.load(tmp_path / "keys.toml"))
    async with serving(model, settings, key=key) as server:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {key}"}):
            for path in ("/v1/chat/completions", "/v1/chat/completions?api_key=" + key):
                body = {"model": "scripted", "messages": USER}
                said = await server.http.post(path, json=body, headers=headers)
                assert said.status_code == 401
                assert said.json()["error"]["code"] == "invalid_api_key"
                assert key not in said.text
        assert (await server.http.get("/v1/models")).status_code == 401
        assert (await server.http.get("/healthz")).status_code == 200
        assert not model.requests
        assert (await server.chat()).choices[0].message.content == "hi"
        with pytest.raises(openai.AuthenticationError):
            await server.openai.with_options(api_key="other").models.list()


async def test_a_page_of_another_place_may_not_ask() -> None:
    async with serving(answering("hi")) as server:
        body = {"model": "scripted", "messages": USER}
        codes = [
            (
                await server.http.post(
                    "/v1/chat/completions", json=body, headers={"origin": origin}
                )
            ).status_code
            for origin in ("https://evil.example", "null", "http://localhost:3000")
        ]
    assert codes == [403, 403, 200]


async def test_a_name_that_another_place_gave_this_machine_may_not_be_asked_for() -> None:
    async with serving(answering("hi")) as server:
        codes = [
            (await server.http.get("/v1/models", headers={"host": host})).status_code
            for host in ("evil.example", "evil.example:8000", "[", "localhost:8000", "[::1]:8000")
        ]
    assert codes == [403, 403, 403, 200, 200]
