"""The meaning of a ``--model``."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponder.core.errors import UnknownName, UsageError
from ponder.models import catalog
from ponder.models.config import Config, EndpointConfig
from ponder.models.names import GgufFile, SimulatedWorld, resolve


def endpoint(name: str, trusted: bool = True) -> EndpointConfig:
    return EndpointConfig(name, "http://x/v1", "m", {"name": name}, trusted=trusted)


def test_resolve(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.touch()
    config = Config(endpoints={"work": endpoint("work"), "repo": endpoint("repo", trusted=False)})
    assert resolve(None, config) == catalog.find(catalog.DEFAULT)
    assert resolve("smollm2-135m", config) == catalog.find("smollm2-135m")
    assert resolve("work", config) == config.endpoints["work"]
    assert resolve("repo", config) == config.endpoints["repo"]  # the caller said so
    assert resolve("simulated", config) == SimulatedWorld()
    assert resolve("simulated(accuracy=0.3)", config) == SimulatedWorld((("accuracy", "0.3"),))
    assert resolve(str(own), config) == GgufFile(own)
    assert resolve("a/b:c.gguf", config) == catalog.find("hf:a/b/c.gguf")
    with pytest.raises(UnknownName, match="did you mean 'smollm2-135m'"):
        resolve("smolm2-135m", config)
    with pytest.raises(UnknownName, match=r"repo, sglang:, simulated, smollm2-135m, .*, work"):
        resolve("?", config)
    with pytest.raises(UsageError, match=r"there is no file \./absent\.gguf"):
        resolve("./absent.gguf", config)
    with pytest.raises(UsageError, match="is a process reward model: it scores what another"):
        resolve("transformers(qwen, owner/model)", config)


def test_a_project_cannot_choose_its_own_untrusted_endpoint() -> None:
    config = Config(model="repo", endpoints={"repo": endpoint("repo", trusted=False)})
    with pytest.raises(UsageError, match="name it yourself"):
        resolve(None, config)
    assert resolve(None, Config("work", endpoints={"work": endpoint("work")}))
    taken = Config(endpoints={"simulated": endpoint("simulated")})
    with pytest.raises(UsageError, match="has the name of a model"):
        resolve("simulated", taken)
