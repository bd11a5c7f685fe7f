"""What a run may cost at most, and what the documents say of operation."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ponder.cli.commands.serve import serve
from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO, Cost
from ponder.core.problem import Message, Problem
from ponder.models.base import ModelInfo, Shape
from ponder.models.config import Config
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.models.opening import Opened
from ponder.planning.spec import Spec
from ponder.planning.wishes import spec
from ponder.runtime.engine import Engine
from ponder.server import keys
from ponder.server.asking.asked import Planned
from ponder.server.errors import ApiError
from ponder.server.operation.accounts import Operation, beside, most
from ponder.server.operation.gate import Gate
from tests.support.keyed import DAILY, limited
from tests.support.serving import answering, serving

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "serve-operation.md").read_text("utf-8")
LEFT = Cost(10**6, PICO)


def price(prompt: int, cached: int, completion: int, stored: int = 0, hour: int = 0) -> int:
    return 2 * prompt + 10 * completion


def model(*, local: bool = False) -> Opened:
    info = ModelInfo("m", EVERYTHING, Shape(1), local=local)
    return Opened(Scripted(lambda request: "x", info=info), None if local else price)


def asked(strategy: str, budget: Budget | None = None, **more: Any) -> Spec:
    problem = Problem((Message("user", "How many is six times seven?"),))
    made = spec(problem, model="m", effort="low", strategy=strategy, knobs={"length": 100}, **more)
    return replace(made, budget=budget or Budget())


def test_one_sample_costs_its_prompt_and_its_length() -> None:
    used = model()
    plan = asked("direct")
    prompt = used.model.prompt_bound(plan.problem.shown)
    assert most(plan, used, LEFT) == Cost(prompt + 100, 2 * prompt + 10 * 100)
    assert most(asked("direct", Budget(tokens=50)), used, LEFT) == Cost(50, 2 * prompt + 1000)
    assert most(plan, used, Cost(30, 7)) == Cost(30, 7)


@pytest.mark.parametrize(
    ("budget", "cost"),
    [
        (Budget(tokens=1000), Cost(1000, 10_000)),
        (Budget(tokens=1000, usd=5e-9), Cost(1000, 5000)),
        (Budget(usd=5e-9), Cost(LEFT.tokens, 5000)),
        (Budget(), LEFT),
        (Budget(seconds=1), LEFT),
    ],
)
def test_a_search_costs_its_budget_or_all_that_is_left(budget: Budget, cost: Cost) -> None:
    assert most(asked("self_consistency", budget), model(), LEFT) == cost


def test_this_machine_s_models_cost_no_dollars_unless_others_are_asked() -> None:
    budget = Budget(tokens=1000)
    assert most(asked("self_consistency", budget), model(local=True), LEFT) == Cost(1000, 0)
    judged = asked("best_of_n", budget, verifier="judge(other)")
    assert most(judged, model(local=True), LEFT) == Cost(1000, LEFT.picousd)
    mixed = replace(asked("mixture", budget), knobs={**asked("mixture").knobs, "models": "other"})
    assert most(mixed, model(), LEFT) == Cost(1000, LEFT.picousd)


async def test_a_resumed_run_keeps_its_plan_and_is_not_refused(tmp_path: Path) -> None:
    planned = Planned(asked("self_consistency", Budget(tokens=5000)), "low", False, "")
    async with Engine(Config()) as engine:
        operation = Operation(engine, limited(tmp_path), Gate(1, 1), lambda event, facts: None)
        book = operation.spending
        assert book is not None
        with operation.run("team", planned, model()) as running:
            assert running.planned.spec.budget.tokens == DAILY.day_tokens == 1000
        assert book.spent("team") == Cost()
        book.book(DAILY, Cost(1000))
        with pytest.raises(ApiError, match="used up"), operation.run("team", planned, model()):
            raise AssertionError
        with operation.run("team", planned, model(), resumed=True) as running:
            assert running.planned is planned
        assert book.spent("team") == Cost(1000)
        operation.close()


def test_spending_is_recorded_beside_the_journal(tmp_path: Path) -> None:
    assert beside(tmp_path / "runs.sqlite") == tmp_path / "spending.sqlite"
    assert beside(False) == beside(True)


# Documents ----------------------------------------------------------------------------------------


def test_the_example_of_a_file_of_keys(tmp_path: Path) -> None:
    [example] = [b for b in re.findall(r"```text\n(.*?)```", TEXT, re.S) if "sha256" in b]
    (tmp_path / "keys.toml").write_text(example)
    [key] = keys.load(tmp_path / "keys.toml")
    assert key.ceiling == Budget(tokens=50_000, usd=0.05, seconds=120)
    assert (key.day_tokens, key.day_usd, key.per_minute) == (2_000_000, 5.0, 60)


async def test_the_table_of_figures_names_them_all() -> None:
    async with serving(answering("hi")) as server:
        text = (await server.http.get("/metrics")).text
    kinds = re.findall(r"^# TYPE (\w+) \w+$", text, re.M)
    named = set(re.findall(r"`(ponder_\w+)`", TEXT))
    assert named == {name for name in kinds if not name.endswith("_created")}


def test_the_options_of_the_unit_and_of_the_image_exist() -> None:
    options = {name for param in serve.params for name in param.opts}
    unit = (DOCS / "ponder.service").read_text("utf-8")
    image = (DOCS / "Containerfile").read_text("utf-8")
    [line] = re.findall(r"^ExecStart=(.*)$", unit, re.M)
    words = shlex.split(line) + re.findall(r'"([^"]+)"', image.partition("ENTRYPOINT")[2])
    lines = [one for one in TEXT.splitlines() if "ponder serve --" in one]
    words += [word for one in lines for word in re.findall(r"--[\w-]+", one)]
    assert {"--keys", "--keep-days", "--traces", "--journal"} <= {*words}
    assert {word for word in words if word.startswith("--")} <= options


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("needs systemd")
    text = (DOCS / "ponder.service").read_text("utf-8")
    unit = tmp_path / "ponder.service"
    unit.write_text(text.replace("/opt/ponder/bin/ponder", "/bin/true"))
    said = subprocess.run([tool, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
