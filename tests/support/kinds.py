"""Of which kind a test is, so that a quick answer can do without some. The table is one for all:
what a file costs is seen best beside the others.
"""

from __future__ import annotations

from collections.abc import Collection

KINDS: dict[str, tuple[str, ...]] = {
    "engine": (
        "models/openvino/test_model.py",
        "models/reward/test_hf.py",
        "models/test_llamacpp.py",
        "test_small_model.py",
    ),
    "sandbox": (
        "experiments/suites/grading/",
        "sandbox/",
        "verifiers/execution/",
    ),
    "process": (
        "answers/test_equivalence.py",
        "answers/test_hostile_text.py",
        "answers/test_mathworker.py",
        "cli/evaluation/test_command.py::test_ctrl_c",
        "cli/commands/test_kill.py",
        "cli/evaluation/test_kill.py",
        "cli/test_main.py",
        "cli/pool/test_record.py::test_a_recording_killed",
        "cli/commands/test_runs.py",
        "cli/commands/test_solve.py::test_a_closed_stdin",
        "cli/commands/test_solve.py::test_ctrl_c",
        "cli/views/test_live.py",
        "models/test_catalog.py::test_a_killed_pull",
        "models/test_catalog.py::test_of_two_processes",
        "strategies/test_cancel_each.py",
        "strategies/test_kill_each.py",
        "test_docs.py",
        "util/test_worker.py",
    ),
    "slow": (
        "answers/test_extract.py::test_work_on_a_hostile_reply",
        "cli/commands/test_report.py::test_the_documented_examples",
        "cli/commands/test_review.py::test_judgements_are_a_pool",
        "cli/commands/test_verifier.py",
        "core/test_refs.py::test_every_reference_can_be_written",
        "models/openai/fixtures/",
        "planning/test_trust.py::test_training_runs_nothing",
        "runtime/handlers/test_admission.py::test_cancelled_calls_leak_nothing",
        "runtime/handlers/test_admission.py::test_grants_follow",
        "runtime/handlers/test_recorded.py::test_a_replay_delivers",
        "runtime/handlers/test_recorded.py::test_a_run_resumed_after_any_prefix",
        "runtime/test_budget_property.py",
        "strategies/test_all_resume.py",
        "strategies/test_beam_search.py::test_the_filter_converges",
        "test_foreign_files.py",
    ),
}
"""The beginnings of the names of tests, within ``tests``, by kind."""


def kinds_of(name: str, fixtures: Collection[str]) -> set[str]:
    """The kinds of a test with such fixtures."""
    found = {
        kind
        for kind, beginnings in KINDS.items()
        if name.removeprefix("tests/").startswith(beginnings)
    }
    return found | ({"engine"} if "small_model" in fixtures else set())
