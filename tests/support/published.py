"""Requests that a server's own document describes, and answers as it says: schemathesis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
"""``not_a_server_error`` is left to the first: a failing model is a status that is declared."""


def conform(
    document: Mapping[str, Any], url: str, examples: int, known: Mapping[str, Sequence[str]]
) -> int:
    """Ask every operation with data that fits and data that does not; returns how often.

    ``known`` are values of parameters of paths for which there is something.

    Raises:
        AssertionError: an answer is not as the document says.
    """
    asked = 0
    schema = schemathesis.openapi.from_dict(dict(document))
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode.is_negative and not operation.body:
                continue

            fits, names = mode.is_positive, [one.name for one in operation.path_parameters]
            there = {name: st.sampled_from(known[name]) for name in names if name in known}
            placed: st.SearchStrategy[dict[str, str]] = (
                st.just({}) | st.fixed_dictionaries(there) if fits and there else st.just({})
            )

            @given(case=operation.as_strategy(generation_mode=mode), place=placed)
            @settings(
                max_examples=examples,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=[*HealthCheck],
            )
            def ask(case: Any, place: dict[str, str]) -> None:
                nonlocal asked
                asked += 1
                if place:
                    case.path_parameters = {**case.path_parameters, **place}
                said = case.call(base_url=url, timeout=60)
                case.validate_response(said, checks=CHECKS)

            ask()
    return asked
