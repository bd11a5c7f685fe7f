"""What the tests share: where real data and a real model come from, who may do without, and of
which kind a test is.

Tests that need a model, data, a sandbox, a browser, reasoning-gym or the packages for training skip
with a reason where there is none. Where PONDER_REQUIRE names it, as in CI, its absence is an error.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from hypothesis import HealthCheck, settings

from ponder.core.errors import PonderError
from ponder.models import catalog
from ponder.models.home import models_dir
from ponder.models.llamacpp import LlamaCpp, open_llamacpp
from ponder.models.openvino import converted
from ponder.models.openvino.model import OpenVINO, load
from tests.support.browsers import NAMES, chromium
from tests.support.kinds import kinds_of, unmeasured
from tests.support.sandboxes import missing

# Tiny models are trained by a worker on each core, which more threads would only hold up.
os.environ.setdefault("OMP_NUM_THREADS", "1")

DATA = Path(os.environ.get("PONDER_DATA", Path(__file__).parents[2] / "shared" / "data"))
REQUIRABLE = {"model", "data", "sandbox", "browser", "train", "gym"}
TRAINING = ("torch", "transformers", "trl", "peft")
"""Packages of the extra ``dev-train``."""
_FOLDERS = itertools.count()

# A busy machine decides nothing, and neither does chance: examples may take as long as they take,
# and are the same in every run. PONDER_FUZZ looks further.
settings.register_profile(
    "untimed",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    derandomize="PONDER_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=60,
)
settings.register_profile("fast", settings.get_profile("untimed"), max_examples=20)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Pull the smallest model of the catalog once, into Ponder's home, and see that nothing is
    absent that must be there. Workers inherit what their parent found.
    """
    if hasattr(config, "workerinput"):
        return
    required = set(filter(None, os.environ.get("PONDER_REQUIRE", "").split(",")))
    if unknown := required - REQUIRABLE:
        raise pytest.UsageError(
            f"PONDER_REQUIRE names {', '.join(sorted(unknown))}; "
            f"expected some of {','.join(sorted(REQUIRABLE))}"
        )
    if "PONDER_TEST_GGUF" not in os.environ:
        try:
            os.environ["PONDER_TEST_GGUF"] = str(catalog.pull(catalog.find("smollm2-135m")))
        except PonderError as error:
            if "model" in required:
                raise pytest.UsageError(f"PONDER_REQUIRE wants a model, but {error}") from None
    if "data" in required and not DATA.is_dir():
        raise pytest.UsageError(f"PONDER_REQUIRE wants data, but there is no folder {DATA}")
    if "sandbox" in required and (reasons := missing()):
        raise pytest.UsageError(f"PONDER_REQUIRE wants every sandbox, but {'; '.join(reasons)}")
    absent = [name for name in TRAINING if importlib.util.find_spec(name) is None]
    if "train" in required and absent:
        raise pytest.UsageError(f"PONDER_REQUIRE wants training, but there is no {absent[0]}")
    if "gym" in required and importlib.util.find_spec("reasoning_gym") is None:
        raise pytest.UsageError("PONDER_REQUIRE wants reasoning-gym, which is not installed")
    if "browser" in required and chromium() is None:
        raise pytest.UsageError(f"PONDER_REQUIRE wants a browser, but there is no {NAMES[0]}")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file of which every test would be deselected by its kind need not be imported."""
    chosen = config.getoption("markexpr").split(" and ")
    name = collection_path.relative_to(Path(__file__).parent).as_posix()
    return any(f"not {kind}" in chosen for kind in kinds_of(name, ())) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its kinds, and those that coverage does without: the examples of
    hypothesis go through the same lines each time. All tests of the engine go to one worker, which
    loads it.
    """
    for item in items:
        found = kinds_of(item.nodeid, getattr(item, "fixturenames", ()))
        for kind in found:
            item.add_marker(kind)
        if item.get_closest_marker("engine"):
            item.add_marker(pytest.mark.xdist_group("engine"))
        if unmeasured(item.nodeid) or getattr(getattr(item, "obj", None), "hypothesis", None):
            item.add_marker(pytest.mark.no_cover)


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


@pytest.fixture(scope="session")
def small_engine(small_model: Path) -> Iterator[OpenVINO]:
    """That model in the embedded engine, loaded once for all tests that leave it as it was."""
    if importlib.util.find_spec("openvino_genai") is None:
        pytest.skip("needs the extra 'local'")
    model = load(small_model, name="smollm2-135m")
    yield model
    asyncio.run(model.close())


@pytest.fixture(scope="session")
def small_llamacpp(small_model: Path) -> Iterator[LlamaCpp]:
    """That model in llama.cpp, started once, on one thread: several that share a core wait for each
    other most of the time.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("needs the extra 'llamacpp'")
    model = open_llamacpp(small_model, slots=2, threads=1, context=1536)
    assert isinstance(model, LlamaCpp)
    yield model
    asyncio.run(model.close())


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the test's own. pytest numbers those of a name anew, for which it reads the names
    of all folders each time: with thousands of them, most of what a short test takes.
    """
    name = re.sub(r"\W", "_", request.node.name)[:30]
    return tmp_path_factory.mktemp(f"{name}-{next(_FOLDERS)}", numbered=False)


@pytest.fixture(autouse=True, scope="session")
def _thawed() -> Iterator[Event]:
    """Set while nothing is frozen. The collector itself would count a million objects to say so."""
    thawed, unfreeze = Event(), gc.unfreeze
    thawed.set()

    def thaw() -> None:
        unfreeze()
        thawed.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "unfreeze", thaw)
        yield thawed


@pytest.fixture(autouse=True, scope="module")
def _frozen(_thawed: Event) -> None:
    """Spare the garbage collector, and who counts objects, the million that collecting the tests
    made. A server that ended in this process has thawed them.
    """
    if _thawed.is_set():
        gc.collect()
        gc.freeze()
        _thawed.clear()


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the developer's configuration or writes into the developer's journal.

    Converted models are the developer's: each test would have to convert the small one anew.
    """
    shared = models_dir().parent / "converted"
    monkeypatch.setattr(converted, "_root", lambda: shared)
    monkeypatch.setenv("PONDER_HOME", str(tmp_path / "home"))
    config = tmp_path / "ponder.toml"
    config.touch()
    monkeypatch.setenv("PONDER_CONFIG", str(config))
