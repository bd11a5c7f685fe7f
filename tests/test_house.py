"""The order of the house: what the files of ``src`` and ``tests`` keep to, read off the files."""

from __future__ import annotations

import ast
import itertools
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kinds import KINDS, UNMEASURED

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "ponder"
TESTS = ROOT / "tests"
LONGEST = 400
"""Lines that no file of ``src`` has more of."""
SMALL = 80
"""Lines up to which a file needs no test of its name."""
IMPORTED_AS = {"opentelemetry-sdk": "opentelemetry", "scikit-learn": "sklearn"}
COVERED_BY = {
    "answers/arithmetic.py": "verifiers/test_checkers.py",
    "answers/blocks.py": "answers/test_programs.py",
    "answers/schemas.py": "answers/test_hostile_text.py",
    "answers/symbolic.py": "answers/test_equivalence.py",
    "answers/worker.py": "answers/test_mathworker.py",
    "cli/learning/command.py": "cli/learning/test_export.py",
    "cli/learning/teaching.py": "cli/learning/test_sft.py",
    "cli/pool/command.py": "cli/pool/test_record.py",
    "learning/grpo/learning.py": "cli/learning/test_grpo.py",
    "cli/root.py": "cli/test_main.py",
    "cli/views/frontier.py": "cli/views/test_screen.py",
    "cli/views/models.py": "cli/commands/test_models.py",
    "cli/views/runs.py": "cli/commands/test_runs.py",
    "strategies/votes/self_consistency.py": "strategies/test_strategies.py",
    "strategies/climbing/rungs.py": "strategies/climbing/test_auto.py",
    "runtime/job.py": "runtime/test_runner.py",
    "core/sessions/asking.py": "core/sessions/test_session.py",
    "core/collecting/assertions.py": "core/collecting/test_collect.py",
    "core/collecting/docs.py": "core/collecting/test_collect.py",
    "core/collecting/frameworks.py": "verifiers/execution/test_frameworks.py",
    "core/collecting/rewriting.py": "core/collecting/test_collect.py",
    "core/record/effects.py": "core/test_values.py",
    "core/errors.py": "core/test_values.py",
    "core/record/events.py": "core/record/test_search.py",
    "core/problem.py": "core/test_values.py",
    "core/sessions/run.py": "core/sessions/test_session.py",
    "core/record/steering.py": "strategies/test_steering.py",
    "core/steps.py": "runtime/test_steps.py",
    "core/trace.py": "core/test_values.py",
    "experiments/evals/export.py": "experiments/evals/test_store.py",
    "experiments/evals/figures.py": "experiments/evals/test_store.py",
    "experiments/pools/merging.py": "experiments/pools/test_file.py",
    "experiments/pools/recorder.py": "experiments/pools/test_recording.py",
    "experiments/pools/samples.py": "experiments/pools/test_file.py",
    "experiments/pools/regrading.py": "cli/pool/test_record.py",
    "experiments/pools/verifying.py": "cli/pool/test_verify.py",
    "experiments/tuning/results.py": "experiments/tuning/test_inputs.py",
    "experiments/report/charts.py": "experiments/report/test_page.py",
    "experiments/report/difficulty.py": "experiments/report/test_economics.py",
    "experiments/report/figures.py": "experiments/report/test_page.py",
    "experiments/report/load.py": "cli/commands/test_report.py",
    "experiments/report/matched.py": "experiments/report/test_economics.py",
    "experiments/report/panels.py": "experiments/report/test_page.py",
    "experiments/report/narrative.py": "experiments/report/test_findings.py",
    "experiments/report/wording.py": "experiments/report/test_findings.py",
    "experiments/report/tables.py": "experiments/report/test_page.py",
    "experiments/report/values.py": "experiments/report/test_findings.py",
    "experiments/stats/columns.py": "experiments/stats/test_estimators.py",
    "experiments/stats/subsets.py": "experiments/stats/test_estimators.py",
    "experiments/suites/base.py": "experiments/suites/test_registry.py",
    "experiments/suites/game24.py": "experiments/suites/test_puzzles.py",
    "experiments/suites/grading/gold.py": "experiments/suites/grading/test_grade.py",
    "experiments/suites/grading/gym.py": "experiments/suites/grading/test_grade.py",
    "experiments/suites/hub.py": "experiments/suites/test_files.py",
    "experiments/suites/reasoning_gym.py": "experiments/suites/test_files.py",
    "experiments/suites/rows.py": "experiments/suites/test_files.py",
    "experiments/tuning/candidates.py": "experiments/tuning/test_fitting.py",
    "experiments/tuning/samples.py": "experiments/tuning/test_fitting.py",
    "experiments/training/data.py": "experiments/training/test_train.py",
    "experiments/training/evaluation.py": "experiments/training/test_train.py",
    "experiments/training/metrics.py": "experiments/training/test_train.py",
    "learning/weights/architectures.py": "learning/weights/test_loading.py",
    "learning/cost.py": "learning/sft/test_outcome.py",
    "learning/extra.py": "cli/learning/test_grpo.py",
    "learning/sft/searching.py": "learning/sft/test_rounds.py",
    "models/base.py": "models/fakes/test_scripted.py",
    "models/http/asking.py": "models/discovery/test_discover.py",
    "models/discovery/facts.py": "models/discovery/test_discover.py",
    "models/discovery/reachable.py": "cli/commands/test_models.py",
    "models/discovery/servers.py": "models/discovery/test_discover.py",
    "models/fetch.py": "models/test_catalog.py",
    "models/gguf/metadata.py": "models/openvino/test_model.py",
    "models/http/callers.py": "models/openai/test_client.py",
    "models/http/client.py": "models/openai/test_client.py",
    "models/http/endpoint.py": "models/openai/test_client.py",
    "models/http/links.py": "models/openai/test_client.py",
    "models/http/wire.py": "models/openai/test_client.py",
    "models/opening.py": "models/test_config.py",
    "models/openvino/messages.py": "models/openvino/test_model.py",
    "models/openvino/engine.py": "models/openvino/test_model.py",
    "models/reward/formats.py": "models/reward/test_endpoint.py",
    "planning/problems.py": "test_api.py",
    "planning/outlooks.py": "strategies/climbing/test_auto.py",
    "planning/spec.py": "test_api.py",
    "server/telling/answered.py": "server/chat/test_handlers.py",
    "server/body.py": "server/chat/test_handlers.py",
    "server/chat/body.py": "server/chat/test_handlers.py",
    "server/chat/form.py": "server/chat/test_handlers.py",
    "server/errors.py": "server/chat/test_handlers.py",
    "server/mcp/body.py": "server/mcp/test_tools.py",
    "server/document/operations.py": "server/document/test_openapi.py",
    "server/document/examples.py": "server/document/test_openapi.py",
    "server/document/replies.py": "server/document/test_openapi.py",
    "server/serve.py": "cli/commands/test_serve.py",
    "server/asking/served.py": "server/test_app.py",
    "server/messages/blocks.py": "server/messages/test_tools.py",
    "server/messages/body.py": "server/messages/test_handlers.py",
    "server/messages/form.py": "server/messages/test_handlers.py",
    "server/messages/turns.py": "server/messages/test_handlers.py",
    "server/asking/own_thinking.py": "server/messages/test_handlers.py",
    "server/operation/logs.py": "server/test_watch.py",
    "policies/bandit.py": "policies/test_search.py",
    "runtime/answered.py": "test_batching.py",
    "runtime/handlers/live.py": "runtime/test_runner.py",
    "runtime/inbox.py": "cli/commands/test_runs.py",
    "runtime/records.py": "runtime/test_journal.py",
    "runtime/result.py": "runtime/test_runner.py",
    "runtime/stack.py": "runtime/test_runner.py",
    "sandbox/base.py": "sandbox/test_sandbox.py",
    "sandbox/bubblewrap.py": "sandbox/test_sandbox.py",
    "sandbox/child.py": "sandbox/test_endings.py",
    "sandbox/choice.py": "sandbox/test_sandbox.py",
    "sandbox/monty.py": "sandbox/test_sandbox.py",
    "sandbox/monty_beyond.py": "sandbox/test_crossing.py",
    "sandbox/monty_child.py": "sandbox/test_crossing.py",
    "sandbox/peers.py": "sandbox/test_wire.py",
    "sandbox/pool.py": "sandbox/test_parts.py",
    "sandbox/process.py": "sandbox/test_sandbox.py",
    "sandbox/regex.py": "sandbox/test_parts.py",
    "sandbox/seccomp.py": "sandbox/test_parts.py",
    "sandbox/threads.py": "sandbox/test_sandbox.py",
    "server/live/live.py": "server/runs/test_events.py",
    "server/runs/shown.py": "server/runs/test_listing.py",
    "server/responses/body.py": "server/responses/test_handlers.py",
    "server/responses/form.py": "server/responses/test_handlers.py",
    "server/responses/items.py": "server/responses/test_handlers.py",
    "server/responses/live.py": "server/responses/test_handlers.py",
    "server/responses/outcome.py": "server/responses/test_writer.py",
    "server/responses/wishes.py": "server/responses/test_handlers.py",
    "strategies/search/ab_mcts.py": "strategies/search/test_trees.py",
    "strategies/votes/confident.py": "strategies/test_sequential.py",
    "strategies/deciding/looking.py": "strategies/deciding/test_decide.py",
    "strategies/search/mcts.py": "strategies/search/test_trees.py",
    "strategies/votes/mixture.py": "strategies/test_sequential.py",
    "strategies/search/particle_filter.py": "strategies/search/test_beam_search.py",
    "strategies/registry.py": "strategies/test_knobs.py",
    "strategies/search/tree_of_thoughts.py": "strategies/search/test_trees.py",
    "strategies/search/verify_and_backtrack.py": "strategies/test_sequential.py",
    "strategies/declaring.py": "strategies/test_knobs.py",
    "util/sqlite.py": "runtime/test_journal.py",
    "verification.py": "cli/commands/test_score.py",
    "verifiers/base.py": "verifiers/test_registry.py",
    "verifiers/combined.py": "verifiers/test_registry.py",
    "verifiers/execution/counting.py": "verifiers/execution/test_codet.py",
    "verifiers/execution/examples.py": "verifiers/execution/test_verifier.py",
    "verifiers/execution/program.py": "verifiers/execution/test_verifier.py",
    "verifiers/generative/template.py": "verifiers/generative/test_verifier.py",
    "verifiers/judge/asking.py": "verifiers/judge/test_verifier.py",
    "verifiers/learned/features.py": "verifiers/learned/test_verifier.py",
    "verifiers/learned/scorer.py": "verifiers/learned/test_verifier.py",
    "verifiers/process/rollouts.py": "verifiers/process/test_verifier.py",
}
"""The test of a file that has none of its name."""


def imports(path: Path) -> Iterator[str]:
    """The full name of every module, or name in one, that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def length(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def own_test(file: str) -> Path:
    """The test that is found by a file's name."""
    path = TESTS / file
    return path.with_name(f"test_{path.name}")


FILES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))


def test_every_imported_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(x for e in extras if e != "dev" for x in extras[e])]
    names = [re.split(r"[\[<>=! ]", line)[0] for line in lines]
    declared = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}
    ours = sys.stdlib_module_names | {"ponder"}
    used = {name.partition(".")[0] for file in FILES for name in imports(SOURCE / file)}
    assert used - ours <= declared


def test_no_test_module_imports_another() -> None:
    found = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in TESTS.rglob("*.py")
        for name in imports(path)
        if re.search(r"^tests\.(.*\.)?test_", name)
    }
    assert not found, "what tests share goes into tests/support"


def test_test_modules_have_a_package_so_that_two_may_have_one_name() -> None:
    folders = {path.parent for path in TESTS.rglob("test_*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


def test_no_file_is_too_long() -> None:
    assert not [file for file in FILES if length(SOURCE / file) > LONGEST]


SHORT = {"best_of_n": 30, "self_consistency": 30, "ab_mcts": 60, "beam_search": 60, "dvts": 60}
SHORT |= {"mcts": 60, "particle_filter": 60, "tree_of_thoughts": 60, "verify_and_backtrack": 60}
"""Most lines of a strategy's function, signature included, without docstring and comments."""


def lines_of_code(path: Path, name: str) -> int:
    text = path.read_text(encoding="utf-8")
    [function] = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.AsyncFunctionDef) and node.name == name
    ]
    strings = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    said = {at for one in strings for at in range(one.lineno, (one.end_lineno or 0) + 1)}
    own = range(function.lineno, (function.end_lineno or 0) + 1)
    rows = text.splitlines()
    return sum(
        bool(row := rows[at - 1].strip()) and not row.startswith("#")
        for at in own
        if at not in said
    )


@pytest.mark.parametrize("name", SHORT)
def test_a_strategy_is_short(name: str) -> None:
    [path] = (SOURCE / "strategies").rglob(f"{name}.py")
    assert 5 < lines_of_code(path, name) <= SHORT[name]


def test_the_test_of_a_file_is_found_by_its_name_or_in_the_table() -> None:
    unnamed = {
        file
        for file in FILES
        if length(SOURCE / file) > SMALL
        and not Path(file).name.startswith("__")
        and not own_test(file).exists()
    }
    assert sorted(unnamed - COVERED_BY.keys()) == [], (
        "name its test, in COVERED_BY or by the file's name"
    )


@pytest.mark.parametrize("file", COVERED_BY)
def test_an_entry_of_the_table_is_of_use(file: str) -> None:
    assert (SOURCE / file).exists()
    assert (TESTS / COVERED_BY[file]).exists()
    assert not own_test(file).exists(), "it has a test of its own: drop the entry"


@pytest.mark.parametrize("beginning", [*itertools.chain(*KINDS.values()), *UNMEASURED])
def test_what_is_marked_exists(beginning: str) -> None:
    file, _, test = beginning.partition("::")
    assert (TESTS / file).exists()
    assert not test or f"def {test}" in (TESTS / file).read_text("utf-8")
