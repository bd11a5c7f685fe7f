import pytest

from ponder.models.discovery.templates import opens, read
from tests.support.telling import TEMPLATE


@pytest.mark.parametrize(
    ("template", "facts"),
    [
        ("{{ messages }}", {"native_thinking": False}),
        (TEMPLATE, {"native_thinking": True, "marks": "<think>"}),
        ("{% if thinking is true %}<think>{% endif %}",
         {"native_thinking": True, "marks": "<think>"}),
        ("<|Assistant|><think>\\n", {"native_thinking": False, "marks": "<think>"}),
        ("Reasoning: {{ reasoning_effort }} <|channel|>analysis",
         {"native_thinking": True, "efforts": ("low", "medium", "high"),
          "marks": "<|channel|>analysis"}),
        ("I was thinking of you", {"native_thinking": False}),
    ],
)  # fmt: skip
def test_a_template_tells_of_thinking(template: str, facts: dict[str, object]) -> None:
    assert read(template) == facts


@pytest.mark.parametrize(
    ("prompt", "opened"),
    [
        ("assistant\n<think>\n", True),
        ("assistant\n<think>", True),
        ("[THINK]", True),
        ("assistant\n<think>\n\n</think>\n\n", False),
        ("assistant\n", False),
        ("<think> about it", False),
    ],
)
def test_a_prompt_may_open_the_thinking(prompt: str, opened: bool) -> None:
    assert opens(prompt) is opened
