"""The program in a reply: fences of every sort, and which of several blocks it is."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import Any

import pytest

from ponder.answers.blocks import fenced
from ponder.answers.extract import closed, extract
from ponder.answers.programs import blocks
from ponder.core.problem import AssertTests, IoCase, IoTests, Message, Problem

ADD = "def add(a, b):\n    return a + b"
WRONG = "def add(a, b):\n    return a - b"
TESTS = AssertTests("assert add(1, 2) == 3", "add")
SUM = IoTests((IoCase("1 2\n", "3\n"),))


def asked(tests: Any = None, question: str = "Write add(a, b).") -> Problem:
    return Problem((Message("user", question),), "code", tests=tests)


def fence(code: str, language: str = "python", mark: str = "```") -> str:
    return f"{mark}{language}\n{code}\n{mark}"


def result(source: str | None) -> object:
    """What ``add(1, 2)`` gives."""
    assert source is not None
    namespace: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, "<program>", "exec", dont_inherit=True), namespace)
        return namespace["add"](1, 2)


def printed(source: str | None, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the program prints for the input ``1 2``."""
    assert source is not None
    monkeypatch.setattr(sys, "stdin", io.StringIO("1 2\n"))
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(source, "<program>", "exec", dont_inherit=True), {"__name__": "__main__"})
    return out.getvalue()


FENCES = {
    "plain": fence(ADD),
    "no language": fence(ADD, ""),
    "tildes": fence(ADD, mark="~~~"),
    "four backticks": fence(ADD, mark="````"),
    "five tildes, no language": fence(ADD, "", "~~~~~"),
    "closing fence glued to code": f"```python\n{ADD}```",
    "closing fence glued, then prose on the line": f"```python\n{ADD}``` This adds.",
    "closing fence glued, then prose below": f"```python\n{ADD}```\nThis adds.\n",
    "closing fence glued to a comment": f"```python\n{ADD}  # the sum```\nDone.",
    "closing fence before prose on its line": f"```python\n{ADD}\n```This adds them.",
    "opening fence glued to code": f"```{ADD}\n```",
    "opening fence and language glued to code": f"```python {ADD}\n```",
    "language glued to code": f"```python{ADD}\n```",
    "language and import glued": f"```pythonimport math\n{ADD}\n```",
    "everything on one line": "```python def add(a, b): return a + b```",
    "one line without a language": "```def add(a, b): return a + b```",
    "opening fence glued to prose": f"Here it is: {fence(ADD)}",
    "opening fence glued to prose and code": f"Here: ```python {ADD}\n```",
    "unclosed": f"```python\n{ADD}",
    "unclosed, then prose": f"```python\n{ADD}\n\nThis function adds two numbers, as asked.",
    "unclosed tildes": f"~~~\n{ADD}\n",
    "unclosed, then another": f"```python\n{WRONG}\n\nBetter:\n{fence(ADD)}",
    "closing fence only": f"{ADD}\n```\nThis adds.",
    "closing fence only, at the end": f"{ADD}\n```",
    "longer closing fence": f"```python\n{ADD}\n`````",
    "windows line ends": fence(ADD).replace("\n", "\r\n"),
    "byte-order mark": f"```python\n\ufeff{ADD}\n```",
    "spaces after the fences": f"```python  \n{ADD}\n```  \n",
    "in a list": "1. So:\n\n   ```python\n   def add(a, b):\n       return a + b\n   ```\n",
    "in a list, by tabs": "- ```python\n\tdef add(a, b):\n\t    return a + b\n\t```",
    "on the list's own line": "- ```python\n  def add(a, b):\n      return a + b\n  ```",
    "in a quotation": "> ```python\n> def add(a, b):\n>     return a + b\n> ```",
    "code indented, fence not": "```python\n    def add(a, b):\n        return a + b\n```",
    "within markdown": f"````markdown\n# Answer\n{fence(ADD)}\n````",
    "within markdown of equal fences": f"```markdown\n{fence(ADD)}\n```",
    "docstring with a block": (
        '```python\ndef add(a, b):\n    """Add.\n\n    ```python\n    add(1, 2)\n    ```\n    """\n'
        "    return a + b\n```"
    ),
    "docstring with a bare block": (
        "```python\ndef add(a, b):\n    '''\n```\nadd(1, 2)\n```\n    '''\n    return a + b\n```"
    ),
    "docstring with one fence": (
        '```python\ndef add(a, b):\n    """\n    ```\n    """\n    return a + b\n```\nand so on'
    ),
    "string that holds fences": (
        f'```python\nMARK = "```"\nTEXT = """\n```python\nx\n```\n"""\n{ADD}\n```'
    ),
    "string that ends in a fence": f"```python\nMARK = '\\n```'\n{ADD}\n```\n",
    "comment that holds fences": f"```python\n# ```\n# add(1, 2)\n# ```\n{ADD}\n```",
    "comment that quotes": f"```python\n# call ```add(1, 2)``` for it\n{ADD}\n```",
    "apostrophe in a comment": f"```python\n# it's the sum\n{ADD}\n```\nIt's done.\n```\n3\n```",
    "tildes within backticks": f'```python\nLINE = """\n~~~\n"""\n{ADD}\n```',
    "code tags": f"<code>{ADD}</code>",
    "code tags on lines": f"The function:\n<code>\n{ADD}\n</code>\nIt adds.",
    "pre and code tags": f'<pre><code class="language-python">{ADD}</code></pre>',
    "escaped in tags": (
        "<pre><code>def add(a, b):\n    if a &lt; b:\n        return b + a\n"
        "    return a + b\n</code></pre>"
    ),
    "square tags": f"[PYTHON]\n{ADD}\n[/PYTHON]\n[TESTS]\nassert add(1, 2) == 4\n[/TESTS]",
    "LaTeX": f"\\begin{{lstlisting}}[language=Python]\n{ADD}\n\\end{{lstlisting}}",
    "minted": f"\\begin{{minted}}{{python}}\n{ADD}\n\\end{{minted}}",
    "no fence": ADD,
    "no fence, prose before": f"Sure, here is the function:\n\n{ADD}\n",
    "no fence, prose around": f"Sure, here it is:\n\n{ADD}\n\nIt is the sum of both (of a, b).",
    "no fence, usage behind": f"{ADD}\n\nExample usage:\nprint(add(1, 2))  # Output: 3\n",
    "no fence, imports and helpers": (
        f"The code:\n\nimport math\nfrom functools import lru_cache\n\n@lru_cache\n{ADD}\n\nNote"
    ),
    "no fence, a blank line within": "Here:\ndef add(a, b):\n\n    c = a\n\n    return c + b\nEnd.",
    "no fence, indented as Markdown's code": (
        "Here is it:\n\n    def add(a, b):\n        return a + b\n\nThat is all."
    ),
    "no fence, else at the margin": (
        "So:\nif True:\n    def add(a, b):\n        return a + b\nelse:\n    add = None\nDone."
    ),
    "no fence, two parts": f"First a helper:\nONE = 1\nThen:\n{ADD} * ONE\n",
    "no fence, a comment at the margin": (
        "Here:\ndef add(a, b):\n# the sum\n    c = a + b\n    return c\n\nDone."
    ),
    "no fence, a string at the margin": (
        f'Here:\n{ADD}\n\nNOTE = """\nIt adds.\n"""\n\nThat is all, it is done.'
    ),
    "no fence, a heading": f"# Solution\n\n{ADD}\n\n# Explanation\n\nIt adds.",
    "no fence beside a block of output": f"{ADD}\n\nIt prints:\n\n```\n3\n```\n",
    "lambda": fence("add = lambda a, b: a + b"),
    "a fence of its own in prose": f"Use ```add(1, 2)``` to call it.\n\n{fence(ADD)}",
}


@pytest.mark.parametrize("name", FENCES)
def test_a_program_is_found_however_it_is_fenced(name: str) -> None:
    assert result(extract(FENCES[name], asked(TESTS))) == 3


@pytest.mark.parametrize("name", FENCES)
def test_a_program_is_found_without_tests(name: str) -> None:
    assert result(extract(FENCES[name], asked())) == 3


@pytest.mark.parametrize(
    "tag",
    [
        "python", "Python", "PYTHON", "py", "py3", "python3", "Python3", "python 3", "python3.11",
        "python-3", "{python}", "{.python}", "{.python .numberLines}", ".python", "python,linenos",
        'python title="add.py"', "python {linenos=true}", "python:add.py", "add.py", "solution.py",
        "python # add", "lang-python", "language-python", "ipython3", "pypy3", "cython", "sage",
        "code", "text", "plaintext", "txt", "tool_code", "ruby", "c++", "Solution", "python copy",
        "jupyter", "py:line-numbers", "python=", "python showLineNumbers",
    ],
)  # fmt: skip
def test_every_tag(tag: str) -> None:
    assert extract(f"So:\n{fence(ADD, tag)}\nDone.", asked(TESTS)) == ADD


PLUS = "def plus(a, b):\n    return a + b"
USE = "print(add(1, 2))"
CHOICES = {
    "usage behind": [ADD, USE],
    "usage before": [USE, ADD],
    "usage with a variable": [ADD, "result = add(1, 2)\nprint(result)"],
    "usage that imports it": [ADD, "from solution import add\n\nprint(add(1, 2))"],
    "usage as a session": [ADD, ">>> add(1, 2)\n3"],
    "tests behind": [ADD, "assert add(1, 2) == 3\nassert add(0, 0) == 0"],
    "unittest behind": [
        ADD,
        "import unittest\n\nclass TestAdd(unittest.TestCase):\n    def test_add(self):\n"
        "        self.assertEqual(add(1, 2), 3)",
    ],
    "pytest behind": [ADD, "from add import add\n\ndef test_add():\n    assert add(1, 2) == 3"],
    "main behind": [ADD, "def main():\n    print(add(1, 2))\n\nmain()"],
    "timing behind": [ADD, "import timeit\nprint(timeit.timeit(lambda: add(1, 2), number=1))"],
    "a corrected version": [WRONG, ADD],
    "two corrections": [WRONG, "def add(a, b):\n    return a", ADD],
    "a corrected version with usage": [WRONG, USE, ADD, USE],
    "a stub before": ["def add(a, b):\n    pass", ADD],
    "a stub behind": [ADD, 'def add(a, b):\n    """Add."""\n    ...'],
    "a stub that raises": [ADD, "def add(a, b):\n    raise NotImplementedError"],
    "a draft that is no Python": [ADD, "def add(a, b):\n    return a +"],
    "imports apart": ["import operator", "def add(a, b):\n    return operator.add(a, b)"],
    "a constant apart": ["ZERO = 0", "def add(a, b):\n    return a + b + ZERO"],
    "a helper before": [PLUS, "def add(a, b):\n    return plus(a, b)"],
    "a helper behind": ["def add(a, b):\n    return plus(a, b)", PLUS],
    "helpers of helpers": [
        "import math",
        "def total(x):\n    return math.fsum(x)",
        "def plus(a, b):\n    return total([a, b])",
        "def add(a, b):\n    return int(plus(a, b))",
        USE,
    ],
    "a corrected helper": [
        "def plus(a, b):\n    return a - b\n\ndef add(a, b):\n    return plus(a, b)",
        "def plus(a, b):\n    return a + b",
    ],
    "a corrected main that needs the helper": [
        "def plus(a, b):\n    return a + b\n\ndef add(a, b):\n    return plus(b, b)",
        "def add(a, b):\n    return plus(a, b)",
    ],
    "a base class before": [
        "class Base:\n    def plus(self, a, b):\n        return a + b",
        "class Adder(Base):\n    pass\n\ndef add(a, b):\n    return Adder().plus(a, b)",
    ],
    "imports from the future": [
        "from __future__ import annotations\ndef plus(a: X, b: X) -> X:\n    return a + b",
        "from __future__ import annotations\ndef add(a: X, b: X) -> X:\n    return plus(a, b)",
    ],
    "another function behind": [ADD, "def subtract(a, b):\n    return a - b"],
    "a function of the library": ["from operator import add", USE],
    "bound to another": ["def plus(a, b):\n    return a + b\n\nadd = plus"],
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_blocks_that_define_what_the_tests_call(name: str) -> None:
    reply = "\n\nThen:\n\n".join(map(fence, CHOICES[name]))
    assert result(extract(reply, asked(TESTS))) == 3
    question = "Complete it.\n\n```python\ndef add(a, b):\n```"
    assert result(extract(reply, asked(question=question))) == 3


def test_a_demonstration_is_not_part_of_the_program() -> None:
    reply = f"{fence(ADD)}\n\nExample usage:\n\n{fence(USE)}\n\nOutput:\n\n{fence('3', '')}"
    assert extract(reply, asked(TESTS)) == ADD
    assert extract(reply, asked()) == ADD


def test_tests_may_call_several_names() -> None:
    tests = AssertTests("assert add(1, 2) == 3\nassert Counter(2).step() == 3")
    counter = "class Counter:\n    def __init__(self, n):\n        self.step = lambda: n + 1"
    reply = "\n".join(map(fence, [WRONG, counter, ADD, USE]))
    source = extract(reply, asked(tests))
    assert result(source) == 3
    assert "class Counter" in str(source)


def test_a_name_of_the_preamble_is_not_the_programs() -> None:
    tests = AssertTests("assert helped(add(1, 2)) == 3", "add", "def helped(x):\n    return x\n")
    reply = "\n".join(map(fence, [ADD, "def helped(x):\n    return 0"]))
    assert extract(reply, asked(tests)) == ADD


@pytest.mark.parametrize(
    "reply",
    [
        "    c = a + b\n    return c",
        "c = a + b\n    return c",
        "for _ in [0]:\n        c = a + b\n    return c",
        fence("    c = a + b\n    return c"),
        fence("c = a + b\nreturn c"),
        fence(" \n    c = a + b\n    return c\n  "),
        "\n".join(map(fence, ["    c = a + b\n    return c", USE])),
        "```python\n    c = a + b\n    return c```",
    ],
)
def test_a_body_completes_the_stub(reply: str) -> None:
    stub = 'def add(a, b):\n    """Add."""\n'
    source = extract(reply, asked(AssertTests("assert add(1, 2) == 3", "add", "", stub)))
    assert source is not None
    body = "\n".join(f"    {line}" for line in source.split("\n"))
    assert result(stub + body) == 3


PROGRAM = "a, b = map(int, input().split())\nprint(a + b)"
SOLVE = "def solve():\n    a, b = map(int, input().split())\n    print(a + b)"
PROGRAMS = {
    "one": [PROGRAM],
    "corrected": ["a, b = map(int, input().split())\nprint(a - b)", PROGRAM],
    "an example behind": [PROGRAM, "print(1 + 2)"],
    "function and call apart": [SOLVE, "solve()"],
    "function and main apart": [SOLVE, 'if __name__ == "__main__":\n    solve()'],
    "called with an example": [f"{SOLVE}\n\nsolve()", "print(solve.__name__)"],
    "fed with an example": [
        f"{SOLVE}\n\nsolve()",
        'import io, sys\nsys.stdin = io.StringIO("5 6")\nsolve()',
    ],
    "in steps": [
        "import sys\ndata = sys.stdin.read().split()",
        "def solve(data):\n    return sum(map(int, data))",
        "print(solve(data))",
    ],
    "in steps, then whole": [
        "import sys",
        "data = sys.stdin.read().split()",
        "import sys\ndata = sys.stdin.read().split()\nprint(sum(map(int, data)))",
    ],
    "pure function, then the program": [ADD, f"{ADD}\n\nprint(add(*map(int, input().split())))"],
    "pure function, then its use": [ADD, "print(add(*map(int, input().split())))"],
    "pure function, program, example": [ADD, "print(add(*map(int, input().split())))", USE],
    "a faster way to read, behind": [PROGRAM, "import sys\ninput = sys.stdin.readline"],
    "tests behind": [f"{SOLVE}\n\nsolve()", "import subprocess\nsubprocess.run(['x'], input='1')"],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_for_standard_input(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = "\n\nThen:\n\n".join(map(fence, PROGRAMS[name]))
    reply += f"\n\nInput:\n{fence('1 2', '')}\nOutput:\n{fence('3', '')}"
    assert printed(extract(reply, asked(SUM)), monkeypatch) == "3\n"


def test_a_program_that_reads_nothing_for_empty_inputs() -> None:
    tests = IoTests((IoCase("", "3\n"),))
    assert extract(f"{fence('print(3)')}\n{fence('3', 'text')}", asked(tests)) == "print(3)"


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("Note: this is prose.", None),
        ("Explanation\n\nSolution (recursive)\n\nOutput: 3", None),
        ("add is b, or not", None),
        ("<code>add</code> is the name", None),
        (fence("ls -l", "bash"), None),
        (fence("42", "text"), None),
        (fence("", "python"), None),
        ("```", None),
        ("~~~", None),
        ("I cannot do ~~~that~~~.", None),
        (fence("def add(a, b):\n    return a +"), "def add(a, b):\n    return a +"),
    ],
)
def test_no_program(reply: str, found: str | None) -> None:
    assert extract(reply, asked(TESTS)) == found


@pytest.mark.parametrize(
    ("reply", "holds"),
    [
        (fence(ADD), True),
        (f"```python\n{ADD}\n", False),
        (f"{fence(USE)}\n", False),
        (f"{fence(ADD)}\n```python\nprint(", True),
        (ADD, False),
    ],
)
def test_an_unfinished_reply_has_its_program_in_closed_blocks(reply: str, holds: bool) -> None:
    assert closed(reply, asked(TESTS)) is holds
    assert (extract(reply, asked(TESTS), truncated=True) == ADD) is holds


def test_positions_of_blocks() -> None:
    text = f"a\n{fence(ADD)}\nb ```c``` d"
    first, second = fenced(text)
    assert text[first.start : first.end] == fence(ADD)
    assert (second.content, second.inline) == ("c", True)
    assert text[second.start : second.end] == "```c```"


def test_all_blocks_of_a_reply_that_is_no_program() -> None:
    one, two = "assert add(1, 2) == 3", "assert add(0, 0) == 0"
    assert blocks(f"{fence(one)}\nand\n{fence(two)}\n{fence('3', 'text')}") == [one, two]


@pytest.mark.parametrize(
    "part",
    [
        "```", "```python\n", "```\n", '"""', "~~~\n", "<code>", "'''\n```", "# ```\n",
        "```python\nx = '''\n```\n", "> ", "@\n", "def f(\n", "import x\n", "x = (\n\n",
    ],
)  # fmt: skip
def test_long_hostile_replies_are_read(part: str) -> None:
    extract(part * (100_000 // len(part)), asked(TESTS))
