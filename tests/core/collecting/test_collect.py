"""Tests that a source holds: collected as their framework would, or refused in one sentence."""

from __future__ import annotations

import pytest

from ponder.core.collecting.collect import collect
from ponder.core.errors import UsageError
from ponder.core.problem import AssertTests, IoCase, IoTests, Message, Problem, read_tests

NOTHING = [
    "# assert f(1) == 2",
    "pass",
    "import math\nimport os",
    "x = 1\ny = x + 1",
    "assert True",
    "assert 1 == 1, 'fine'",
    "assert 'f(1) == 2'",
    "if False:\n    assert f(1) == 2",
    "if 0:\n    pass\nelif None:\n    assert f(1)",
    "while 0:\n    assert f(1) == 2",
    "for x in []:\n    assert f(x)",
    "for x in range(0):\n    assert f(x)",
    "def helper():\n    assert f(1) == 2",
    "def test_a():\n    f(1)",
    "def test_a():\n    pass",
    "def test_a():\n    return\n    assert f(1) == 2",
    "def outer():\n    def test_a():\n        assert f(1) == 2",
    "class Helper:\n    def test_a(self):\n        assert f(1) == 2",
    "import unittest\nclass A(unittest.TestCase):\n    pass\nunittest.main()",
    "import unittest\nclass A(unittest.TestCase):\n    @unittest.skip('later')\n"
    "    def test_a(self):\n        self.assertEqual(f(1), 2)",
    "import pytest\n@pytest.mark.skip\ndef test_a():\n    assert f(1) == 2",
    "import pytest\n@pytest.mark.parametrize('x', [])\ndef test_a(x):\n    assert f(x) == 2",
    "if __name__ == '__main__':\n    print(f(1))",
    "if __name__ != '__main__':\n    assert f(1) == 2",
    "def f_equal(a, b):\n    return a == b\nf_equal(f(1), 2)",
    "def assert_equal(a, b):\n    return a == b\nassert_equal(f(1), 2)",
    "f(1)\nprint(f(2))",
    '"""Says how f works."""',
]


@pytest.mark.parametrize("code", NOTHING)
def test_tests_that_assert_nothing_are_refused(code: str) -> None:
    with pytest.raises(UsageError, match=r"^the tests assert nothing: .*\.$"):
        read_tests({"kind": "assert", "code": code, "entry_point": "f"})
    with pytest.raises(UsageError, match="the tests assert nothing"):
        Problem((Message("user", "f?"),), "code", tests=AssertTests(code, "f"))


@pytest.mark.parametrize(
    "code",
    [
        "assert (f(1) == 2, 'message')",
        "def test_a():\n    assert (f(1) == 2, 'message')",
        "assert [f(1) == 2]",
        "assert {f(1)}",
        "assert (f(x) == x for x in (1, 2))",
        "assert f(1) == 2 or True",
        "assert lambda: f(1) == 2",
        "assert f'{f(1)} is right'",
        "assert f(2) == 4\nassert (f(1) == 2, 'message')",
    ],
)
def test_a_condition_that_is_always_true_is_refused(code: str) -> None:
    line = code.count("\n") + 1
    with pytest.raises(UsageError, match=rf"^the tests assert what is always true in line {line} "):
        collect(code, "f")


@pytest.mark.parametrize(
    "code",
    [
        "def f(n):\n    return n\nassert f(1) == 1",
        "x = [1, 2]\nassert sum(x) == 3",
        "import math\nassert math.sqrt(4) == 2",
        "f = lambda n: n\nassert f(2) == 2",
        "class A:\n    def g(self):\n        return 1\nassert A().g() == 1",
    ],
)
def test_tests_of_themselves_are_refused(code: str) -> None:
    with pytest.raises(UsageError, match="the tests never use the program"):
        collect(code, "f")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def test_a(tmp_path):\n    assert f(tmp_path)", "needs the fixture 'tmp_path'"),
        ("def test_a(case, capsys):\n    assert f(case)", "needs the fixture 'case'"),
        ("class TestA:\n    def test_a(self, case):\n        assert f(case)", "fixture 'case'"),
        ("import pytest\n@pytest.fixture(autouse=True)\ndef g():\n    yield\ndef test_a():\n"
         "    assert f(1)", "fixture 'g'"),
        ("import pytest\n@pytest.mark.usefixtures('g')\ndef test_a():\n    assert f(1)",
         "fixture 'usefixtures'"),
        ("import pytest\nassert f(1) == pytest.approx(2)", "need `pytest.approx`"),
        ("from pytest import approx as near\nassert f(1) == near(2)", "need `pytest.approx`"),
        ("import pytest as p\nwith p.raises(ValueError) as e:\n    f(1)", r"pytest\.raises"),
        ("import pytest\ndef test_a():\n    pytest.skip('x')\n    assert f(1)", "pytest.skip"),
        ("from hypothesis import given\nassert f(1)", "need `hypothesis`"),
        ("async def test_a():\n    assert await f(1) == 2", "test_a is asynchronous"),
        ("class TestA:\n    async def test_a(self):\n        assert f(1)", "is asynchronous"),
        ("import unittest\nclass A(unittest.IsolatedAsyncioTestCase):\n    def test_a(self):\n"
         "        self.assertEqual(f(1), 2)", "A is asynchronous"),
        ("import pytest\n@pytest.mark.parametrize('x', [1])\nclass TestA:\n"
         "    def test_a(self, x):\n        assert f(x)", "parametrize the class TestA"),
        ("import pytest\n@pytest.mark.parametrize('x', [1], indirect=True)\ndef test_a(x):\n"
         "    assert f(x)", "parametrize test_a in a way"),
        ('"""\n>>> f(1)\nhello\n"""', r"expects printed text"),
        ("assert f(", "are not valid Python: .* in line 1"),
        ("assert f(1) == 0x" + "f" * 5000, "cannot be read"),
        ("assert f(1) == " + "-" * 500 + "1", "cannot be read"),
        ("assert f(1) == '\0'", "are not valid Python|cannot be read"),
    ],
)  # fmt: skip
def test_what_needs_more_of_a_framework_is_refused(code: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        collect(code, "f")
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def test_a_check_that_nobody_calls_needs_the_name_of_the_function() -> None:
    code = "def check(candidate):\n    assert candidate(1) == 2"
    with pytest.raises(UsageError, match="define check\\(candidate\\) and never call it"):
        collect(code)
    assert [unit.claim for unit in collect(code, "f")] == ["check(f)"]
    called = collect(f"{code}\ncheck(f)", "f")
    assert [unit.claim for unit in called] == ["check(f)"]


@pytest.mark.parametrize(
    ("code", "claims"),
    [
        ("def test_a():\n    assert f(1)\ndef test_b():\n    assert f(2)", ["test_a", "test_b"]),
        ("def test_a():\n    assert f(1)\ntest_a()", ["test_a()"]),
        ("def test_a():\n    assert f(1)\nif __name__ == '__main__':\n    test_a()\n    print(1)",
         ["test_a()", "the statements after the tests"]),
        ("def test_a():\n    assert f(1)\ndef main():\n    test_a()\nmain()", ["main()"]),
        ("def test_a():\n    assert f(1)\nfor t in [test_a]:\n    t()",
         ["for t in [test_a]: t()"]),
        ("import pytest\n@pytest.mark.parametrize('a, b', [(1, 2), [3, 4]])\n"
         "@pytest.mark.parametrize('c', (5, pytest.param(6, id='x')))\n"
         "def test_a(a, b, c):\n    assert f(a, b, c)",
         ["test_a(a=1, b=2, c=5)", "test_a(a=1, b=2, c=6)", "test_a(a=3, b=4, c=5)",
          "test_a(a=3, b=4, c=6)"]),
        ("class TestA:\n    def test_a(self):\n        assert f(1)\n"
         "class TestB(TestA):\n    def test_b(self):\n        assert f(1)",
         ["TestA.test_a", "TestB.test_a", "TestB.test_b"]),
        ("from solution import f as g\nassert g(1) == 2", ["g(1) == 2"]),
        ("import solution\nassert solution.f(1) == 2", ["f(1) == 2"]),
        ('"""\n>>> x = 1\n>>> f(x)\n2\n"""', ["x = 1", "f(x)"]),
        ("import doctest\ndef g(n):\n    '''\n    >>> f(1)\n    2\n    '''\nassert f(2) == 3\n"
         "doctest.testmod()", ["f(2) == 3", "f(1)"]),
        ("def g(n):\n    '''\n    >>> f(1)\n    2\n    '''\nassert f(2) == 3", ["f(2) == 3"]),
    ],
)  # fmt: skip
def test_tests_are_collected_as_their_framework_would(code: str, claims: list[str]) -> None:
    assert [unit.claim for unit in collect(code, "f")] == claims


@pytest.mark.parametrize("outputs", [[""], ["", " \n"], ["\n\n", "\t"]])
def test_outputs_that_are_all_empty_are_no_tests(outputs: list[str]) -> None:
    cases = [{"input": "1", "output": text} for text in outputs]
    with pytest.raises(UsageError, match="every expected output is empty"):
        read_tests({"kind": "io", "cases": cases})
    with pytest.raises(UsageError, match="every expected output is empty"):
        Problem((Message("user", "f?"),), "code", tests=IoTests(()))
    both = IoTests((IoCase("", ""), IoCase("1", "1")))
    assert read_tests({"kind": "io", "cases": [{"input": "", "output": ""},
                                               {"input": "1", "output": "1"}]}) == both  # fmt: skip


@pytest.mark.parametrize(
    "target", ["1e999999999", "1e1000", float("inf"), float("nan"), "9" * 201, "1/0", True, "x"]
)
def test_a_target_beyond_measure_is_refused(target: object) -> None:
    with pytest.raises(UsageError, match="invalid tests"):
        read_tests({"kind": "arithmetic", "numbers": [1], "target": target})
