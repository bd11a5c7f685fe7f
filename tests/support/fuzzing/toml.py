"""``ponder.toml``, of a cloned project and of the user."""

from __future__ import annotations

import os
from unittest import mock

from hypothesis import strategies as st

from ponder.core.errors import PonderError
from ponder.models import config
from tests.support.fuzzing import Reader
from tests.support.fuzzing.hostile import hostile, words
from tests.support.fuzzing.places import file_of

VALID = b"""
[default]
model = "big"
effort = "high"

[engine]
threads = 4

[endpoints.big]
base_url = "https://big.example/v1"
model = "m"
key_env = "BIG_KEY"
timeout = 60
capabilities = ["seed", "stop"]
reward = "qwen"

[endpoints.big.price]
input = 0.15
cached_input = 0.075
output = 0.60
"""
KEYS = [
    "model",
    "effort",
    "base_url",
    "key_env",
    "timeout",
    "capabilities",
    "price.input",
    "reward",
    "api_key",
    "default.model",
    "engine",
    "endpoints",
    "endpoints.big",
    "max_concurrency",
    "'\\u001b[2J'",
    '"\\u202e"',
]
VALUES = [
    "1",
    "-1",
    "1e400",
    "1e999999999",
    "-inf",
    "nan",
    "0x" + "f" * 5000,
    "9" * 5000,
    "[" * 2000,
    "[" * 200 + "]" * 200,
    "{a=" * 500,
    "true",
    '""',
    '"\\u001b[2J"',
    "1979-05-27T07:32:00Z",
    "9999-99-99",
    "[1, 'a']",
    "{}",
    '"https://x:99999/v1"',
    '"http://[::1"',
    "'''",
    '"\\ud800"',
    "1e-999999",
    "a.b.c",
]
line = st.one_of(
    st.builds(
        lambda key, value: f"{key} = {value}".encode(),
        st.sampled_from(KEYS),
        st.sampled_from(VALUES),
    ),
    st.sampled_from(VALID.splitlines()),
    st.sampled_from(VALID.splitlines()),
    words.map(lambda text: f"[endpoints.{text}]".encode(errors="surrogatepass")),
    st.just(b"a" + b".a" * 3000 + b" = 1"),
)


def read(data: bytes) -> None:
    """As a project's file, and as the user's."""
    with file_of(data, config.FILE) as path:
        empty = path.with_name("empty.toml")
        empty.touch()
        with mock.patch.dict(os.environ, {"PONDER_CONFIG": str(empty)}):
            config.load(path.parent)
        with mock.patch.dict(os.environ, {"PONDER_CONFIG": str(path)}):
            config.load(path.parent)


READER = Reader(
    hostile(VALID, more=st.lists(line, max_size=12).map(b"\n".join)), read, (VALID,), (PonderError,)
)
