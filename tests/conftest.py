"""What the tests share: where real data and a real model come from, and who may do without.

Tests that need one skip with a reason where there is none. Where PONDER_REQUIRE names it ("model",
"data"), as in CI, its absence is an error.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ponder.core.errors import PonderError
from ponder.models import catalog
from ponder.models.openvino import converted

REQUIRED = set(filter(None, os.environ.get("PONDER_REQUIRE", "").split(",")))
DATA = Path(os.environ.get("PONDER_DATA", Path(__file__).parents[2] / "shared" / "data"))


# A busy machine decides nothing: examples may take as long as they take.
settings.register_profile(
    "untimed",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("untimed")


def pytest_configure() -> None:
    """Pull the smallest model of the catalog once, into Ponder's home."""
    if "PONDER_TEST_GGUF" not in os.environ:
        try:
            os.environ["PONDER_TEST_GGUF"] = str(catalog.pull(catalog.find("smollm2-135m")))
        except PonderError as error:
            if "model" in REQUIRED:
                raise pytest.UsageError(f"PONDER_REQUIRE wants a model, but {error}") from None
    if "data" in REQUIRED and not DATA.is_dir():
        raise pytest.UsageError(f"PONDER_REQUIRE wants data, but there is no folder {DATA}")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of public benchmarks: $PONDER_DATA, or ../shared/data beside the checkout."""
    if not DATA.is_dir():
        pytest.skip(f"no benchmark data in {DATA}: set PONDER_DATA to where it is")
    return DATA


@pytest.fixture(scope="session")
def small_model() -> Path:
    """SmolLM2-135M-Instruct."""
    if "PONDER_TEST_GGUF" not in os.environ:
        pytest.skip("no model: 'ponder models pull smollm2-135m' does not succeed here")
    return Path(os.environ["PONDER_TEST_GGUF"])


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the developer's configuration or writes into the developer's journal.

    Converted models are the developer's: each test would have to convert the small one anew.
    """
    shared = catalog.models_dir().parent / "converted"
    monkeypatch.setattr(converted, "_root", lambda: shared)
    monkeypatch.setenv("PONDER_HOME", str(tmp_path / "home"))
    config = tmp_path / "ponder.toml"
    config.touch()
    monkeypatch.setenv("PONDER_CONFIG", str(config))
