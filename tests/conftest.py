"""What the tests share: where real data and a real model come from, and who may do without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ponder.core.errors import PonderError
from ponder.models import catalog

REQUIRED = set(filter(None, os.environ.get("PONDER_REQUIRE", "").split(",")))


def absent(what: str, reason: str) -> None:
    """Skip with a reason, unless this environment says that ``what`` must be there."""
    if what in REQUIRED:
        pytest.fail(f"{reason} (and PONDER_REQUIRE says that it must not be missing)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of public benchmarks: $PONDER_DATA, or ../shared/data beside the checkout."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("PONDER_DATA", default))
    if not (folder / "gsm8k" / "test.jsonl").is_file():
        absent("data", f"no benchmark data in {folder}: set PONDER_DATA to where it is")
    return folder


@pytest.fixture(scope="session")
def small_model() -> Path:
    """The smallest model of the catalog, pulled once into Ponder's home."""
    entry = catalog.find("smollm2-135m")
    try:
        return catalog.pull(entry)
    except PonderError as error:
        absent("model", f"cannot pull {entry.name}: {error}")
        raise


@pytest.fixture(autouse=True)
def _own_home(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test reads the developer's configuration or writes into the developer's journal."""
    if "small_model" in request.fixturenames:
        request.getfixturevalue("small_model")
    else:
        monkeypatch.setenv("PONDER_HOME", str(tmp_path / "home"))
    config = tmp_path / "ponder.toml"
    config.touch()
    monkeypatch.setenv("PONDER_CONFIG", str(config))
