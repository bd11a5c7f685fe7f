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
        "server/test_app.py::test_a_real_model",
        "server/messages/test_stream.py::test_a_real_model",
        "test_small_model.py",
    ),
    "sandbox": (
        "experiments/suites/grading/",
        "sandbox/",
        "strategies/test_program.py::test_a_sandbox_runs_it",
        "strategies/test_program.py::test_sympy_is_there",
        "verifiers/execution/",
    ),
    "process": (
        "answers/test_equivalence.py",
        "answers/test_hostile_text.py",
        "answers/test_mathworker.py",
        "cli/evaluation/test_command.py::test_ctrl_c",
        "cli/test_hostile.py::test_on_a_real_terminal",
        "cli/commands/test_batch.py::test_a_killed_process",
        "cli/commands/test_kill.py",
        "cli/commands/test_review.py::test_the_command_in_a_process",
        "cli/evaluation/test_kill.py",
        "cli/test_main.py",
        "cli/learning/test_grpo.py::test_a_killed_command",
        "cli/pool/test_record.py::test_a_recording_killed",
        "cli/commands/test_report.py::test_the_missing_extra",
        "cli/commands/test_runs.py",
        "cli/commands/test_mcp.py::test_a_session",
        "cli/commands/test_mcp.py::test_a_signal",
        "cli/commands/test_serve.py::test_a_signal",
        "cli/commands/test_solve.py::test_a_closed_stdin",
        "cli/commands/test_solve.py::test_the_question_comes",
        "cli/commands/test_solve.py::test_ctrl_c",
        "cli/tree/test_page.py::test_a_browser",
        "server/operation/test_accounts.py::test_systemd",
        "server/operation/test_spending.py::test_a_server_that_is_killed",
        "server/operation/test_spending.py::test_what_a_killed",
        "cli/views/test_live.py",
        "experiments/pools/test_file.py::test_without_numpy",
        "experiments/pools/test_importing.py::test_the_commands",
        "learning/sft/test_training.py::test_a_killed_training",
        "learning/sft/test_worker.py",
        "models/test_catalog.py::test_a_killed_pull",
        "models/test_catalog.py::test_a_hub_with_another_version",
        "models/test_catalog.py::test_of_two_processes",
        "models/test_catalog.py::test_pulls_from_packages",
        "models/test_catalog.py::test_the_commands",
        "models/openvino/test_converted.py::test_killed_between",
        "runtime/test_engine.py::test_children_of_many_runs",
        "runtime/test_journal.py::test_several_processes_write",
        "server/responses/test_kill.py",
        "server/responses/test_store.py::test_a_response_that_nothing",
        "planning/test_styles.py::test_every_example_has",
        "server/runs/test_kill.py",
        "server/test_programs.py",
        "strategies/test_cancel_each.py",
        "strategies/test_kill_each.py",
        "test_docs.py",
        "test_fuzz.py::test_a_finding_is_kept",
        "test_fuzz.py::test_a_table_has_a_line",
        "test_fuzz.py::test_an_unknown_reader",
        "util/test_worker.py",
        "verifiers/human/test_verifier.py::test_a_second_process",
        "verifiers/learned/test_verifier.py::test_it_needs_the_standard_library_alone",
    ),
    "slow": (
        "answers/test_extract.py::test_a_long_hostile_reply_is_read_to_its_end",
        "cli/test_hostile.py::test_hostile_files_and_replies",
        "cli/test_hostile.py::test_without_the_rule_it_fails",
        "cli/commands/test_report.py::test_a_copy_of_a_pool",
        "cli/commands/test_report.py::test_a_page_numbers_and_pictures",
        "cli/commands/test_report.py::test_a_pool_and_a_results_store",
        "cli/commands/test_report.py::test_the_documented_examples",
        "cli/commands/test_review.py::test_judgements_are_a_pool",
        "cli/commands/test_verifier.py",
        "core/test_refs.py::test_every_reference_can_be_written",
        "experiments/suites/test_registry.py",
        "cli/evaluation/test_command.py",
        "cli/pool/test_verify.py",
        "cli/test_overcharged.py",
        "experiments/pools/test_importing.py",
        "experiments/report/test_page.py",
        "experiments/test_gold_stays_out.py::test_no_solution_and_no_hidden_test",
        "experiments/test_gold_stays_out.py::test_nothing_below_experiments",
        "experiments/training/test_train.py::test_cross_fitting",
        "experiments/training/test_train.py::test_the_file_says_what_scikit_learn_says",
        "experiments/training/test_train.py::test_three_problems_of_a_label",
        "experiments/tuning/test_fitting.py::test_published_samples",
        "experiments/tuning/test_measuring.py::test_the_budget_of_everything",
        "models/reward/test_endpoint.py",
        "models/anthropic/test_fixture.py",
        "models/discovery/",
        "models/gemini/test_fixture.py",
        "models/http/test_received.py::test_a_bomb",
        "models/openai/fixtures/",
        "models/test_hostile_replies.py",
        "models/openai/test_faults.py::test_the_key_is_never_shown",
        "models/http/test_received.py::test_a_line_that_comes_byte_by_byte",
        "learning/sft/test_rounds.py",
        "learning/sft/test_training.py",
        "learning/sft/test_worker.py::test_a_model",
        "cli/learning/test_grpo.py",
        "learning/grpo/test_policy.py",
        "learning/grpo/test_samplers.py",
        "learning/grpo/test_training.py",
        "learning/grpo/test_trl.py",
        "learning/test_environments.py",
        "learning/weights/",
        "learning/rows/test_exporting.py::test_a_suite_for_evaluation",
        "learning/test_rewards.py::test_rewards_are_in_the_order",
        "learning/rows/test_sources.py::test_a_pool_of_a_suite",
        "planning/test_difficulty.py::test_what_is_drawn_from_one_urn",
        "planning/test_trust.py::test_training_runs_nothing",
        "runtime/handlers/test_admission.py::test_cancelled_calls_leak_nothing",
        "runtime/handlers/test_admission.py::test_grants_follow",
        "runtime/handlers/test_headroom.py::test_no_limit_is_passed",
        "runtime/handlers/test_recorded.py::test_a_replay_delivers",
        "runtime/handlers/test_recorded.py::test_a_run_resumed_after_any_prefix",
        "runtime/test_budget_property.py",
        "runtime/test_engine.py::test_many_runs_share_connections",
        "runtime/test_run_with_faults.py::test_one_bad_sample_in_eight",
        "server/test_malformed.py::test_no_malformed_request",
        "server/test_openapi.py::test_the_server_does_as",
        "strategies/test_all_resume.py",
        "strategies/test_pruned.py::test_a_steered_run",
        "strategies/test_beam_search.py::test_the_filter_converges",
        "test_foreign_files.py",
        "test_fuzz.py::test_a_reader_says_what_is_wrong",
    ),
}
"""The beginnings of the names of tests, within ``tests``, by kind."""

UNMEASURED: tuple[str, ...] = (
    "models/http/test_received.py::test_a_line_that_comes_byte_by_byte",
    "models/test_hostile_replies.py",
    "runtime/handlers/test_admission.py::test_cancelled_calls_leak_nothing",
    "runtime/handlers/test_admission.py::test_grants_follow",
    "runtime/handlers/test_recorded.py::test_a_run_resumed_after_any_prefix",
    "runtime/test_budget_property.py",
    "runtime/test_run_with_faults.py::test_one_bad_sample_in_eight",
    "sandbox/test_crossing.py::test_what_a_program_returns",
    "strategies/test_all_resume.py",
    "strategies/test_beam_search.py::test_the_filter_converges",
    "strategies/test_edges.py::test_whatever_the_budget",
    "strategies/test_kill_each.py",
    "strategies/test_pruned.py",
    "strategies/test_strategies.py::test_exact_",
    "test_docs.py",
    "test_foreign_files.py::test_a_model_of_a_terabyte_of_nothing_ends",
    "test_foreign_files.py::test_damage_of_any_kind",
    "test_fuzz.py",
    "test_house.py",
    "test_state.py",
)
"""Tests that go through the same lines very often, without coverage, which doubles their time:
shorter tests go through those lines, too.
"""


def unmeasured(name: str) -> bool:
    """True if coverage does without this test."""
    return name.removeprefix("tests/").startswith(UNMEASURED)


def kinds_of(name: str, fixtures: Collection[str]) -> set[str]:
    """The kinds of a test with such fixtures."""
    found = {
        kind
        for kind, beginnings in KINDS.items()
        if name.removeprefix("tests/").startswith(beginnings)
    }
    return found | ({"engine"} if "small_model" in fixtures else set())
