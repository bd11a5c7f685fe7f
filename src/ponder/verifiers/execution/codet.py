"""CodeT: the model writes tests, and solutions and tests vote for each other.

Chen 2022, 'CodeT: Code Generation with Generated Tests' (arXiv 2207.10397), section 2: dual
execution agreement. Every solution is run on every test. Solutions that pass exactly the same tests
are one consensus set; its score is the number of its solutions times the number of the tests that
they pass. Here that is divided by (all solutions x all tests), so that 1 means: every solution
passes every test.

Assumptions: wrong solutions are wrong in different ways, and a wrong test passes few solutions.
Equal programs are several solutions, as in the paper, where each sample is one, but they are run
once. The paper's prompts end in ``assert``; a chat model is asked for assertions instead. Tests
that do not call a function of some solution are left out, and no test counts twice.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ponder.answers.equivalence import parse_python
from ponder.answers.extract import code_blocks
from ponder.core.collecting.assertions import always_true, constant
from ponder.core.problem import AssertTests, Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.sandbox.base import Outcome, Sandbox, Script
from ponder.verifiers.base import Tooled
from ponder.verifiers.execution.program import program
from ponder.verifiers.execution.verifier import NO_PROGRAM, once_each
from ponder.verifiers.naming import Arguments

REPLIES = 4
MOST_TESTS = 64
ASK = (
    "Do not solve this. Write ten test cases for a correct solution instead, edge cases among "
    "them: one ```python block with one line `assert FUNCTION(ARGUMENTS) == RESULT` for each, and "
    "nothing else in it."
)


def codet(given: Arguments) -> CodeT:
    """Return ``codet(REPLIES)``; REPLIES is the number of replies with tests to ask the model for.

    Raises:
        UsageError: REPLIES is invalid.
    """
    return CodeT(given.whole(0, REPLIES, high=64), name=given.name)


@dataclass(frozen=True, slots=True)
class CodeT(Tooled):
    """A verifier that has the run's own model write tests, in ``replies`` replies."""

    replies: int = REPLIES
    sandbox: Sandbox | None = None
    name: str = "codet"
    listwise: bool = True

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return one score per trace.

        Raises:
            UsageError: no sandbox works here, and the tools are not ``unsafe``.
            LimitReached: the budget does not allow even one reply with tests.
        """
        solutions = [trace.answer.text for trace in traces if trace.answer is not None]
        if problem.answer_type != "code" or not solutions:
            why = "the answer is not a program" if problem.answer_type != "code" else NO_PROGRAM
            return [Score(None, self.name, why) for _ in traces]
        where = self.sandbox or await self.tools.sandbox()
        asked = question(problem)

        async def ask(child: Session) -> Trace:
            return await child.grow(Trace.empty(asked), role="verify")

        replies = await session.gather([ask] * self.replies)
        tests = written([reply.text for reply in replies], functions(solutions))
        if not tests:
            why = "the model wrote no test that could be read"
            return [Score(None, self.name, why) for _ in traces]
        public = problem.tests if isinstance(problem.tests, AssertTests) else None
        units = Script(tests, f"import math\n{public.preamble if public else ''}")

        async def judge(answer: str) -> frozenset[int] | None:
            return passed(await where.test(program(answer, public), units))

        found = await once_each(traces, judge)
        return agreement(
            [None if t.answer is None else found[t.answer.key] for t in traces],
            len(tests),
            self.name,
        )


def question(problem: Problem) -> Problem:
    """Return the request for tests of the problem's function."""
    *before, last = problem.messages
    return Problem((*before, replace(last, content=f"{last.content.strip()}\n\n{ASK}")), "code")


def functions(solutions: Sequence[str]) -> frozenset[str]:
    """Return the names that the solutions define at module level."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    trees = [parse_python(text) for text in solutions]
    nodes = [node for tree in trees if tree for node in tree.body]
    return frozenset(node.name for node in nodes if isinstance(node, kinds))


def written(replies: Sequence[str], names: frozenset[str]) -> tuple[str, ...]:
    """Return the assertions in the replies that call one of the functions.

    Each once, at most 64.
    """
    found: dict[str, None] = {}
    for reply in replies:
        text = "\n".join(code_blocks(reply))
        tree = parse_python(text)
        if tree is None:  # truncated, or with a broken line: read as much as possible
            lines = [parse_python(line.strip()) for line in text.split("\n")]
            nodes = [node for part in lines if part for node in part.body]
        else:
            nodes = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
        for node in nodes:
            test = as_assertion(node)
            if test is not None and _calls(test, names) and (source := _source(test)):
                found[source] = None
    return tuple(found)[:MOST_TESTS]


_METHODS: dict[str, ast.cmpop] = {
    "assertEqual": ast.Eq(), "assertNotEqual": ast.NotEq(), "assertIn": ast.In(),
    "assertNotIn": ast.NotIn(), "assertIs": ast.Is(), "assertGreater": ast.Gt(),
    "assertLess": ast.Lt(),
}  # fmt: skip


def as_assertion(node: ast.stmt) -> ast.Assert | None:
    """Return the statement as an assertion that can fail; unittest's methods become ``assert``."""
    match node:
        case ast.Assert(test=test) if not (always_true(test) or constant(test)):
            return node
        case ast.Expr(ast.Call(ast.Attribute(attr=name), [left, right, *_])) if name in _METHODS:
            return ast.Assert(ast.Compare(left, [_METHODS[name]], [right]))
        case ast.Expr(ast.Call(ast.Attribute(attr="assertTrue"), [test, *_])):
            return as_assertion(ast.Assert(test))
        case ast.Expr(ast.Call(ast.Attribute(attr="assertFalse"), [test, *_])):
            return as_assertion(ast.Assert(ast.UnaryOp(ast.Not(), test)))
    return None


def _source(test: ast.Assert) -> str | None:
    try:
        return ast.unparse(test)
    except (ValueError, RecursionError):  # too many digits, or nested too deeply
        return None


def _calls(node: ast.Assert, names: frozenset[str]) -> bool:
    """Return True if a test calls a solution and needs nothing else."""
    used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    local = {
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    foreign = {name for name in used - names - local if not hasattr(builtins, name)}
    return bool(used & names) and not isinstance(node.test, ast.Name) and foreign <= {"math"}


def passed(outcomes: Sequence[Outcome]) -> frozenset[int] | None:
    """Return the tests that a solution passes.

    None if the sandbox could run none of them on it.
    """
    if all(outcome.verdict == "unsupported" for outcome in outcomes):
        return None
    return frozenset(i for i, outcome in enumerate(outcomes) if outcome.passed)


def agreement(passing: Sequence[frozenset[int] | None], tests: int, name: str) -> list[Score]:
    """Score by dual execution agreement. ``passing`` lists, per trace, the tests that it passes.

    None means that the trace has no runnable solution: it abstains and does not count as one.
    """
    sizes = Counter(found for found in passing if found is not None)
    total = sizes.total()

    def score(found: frozenset[int] | None) -> Score:
        if found is None:
            return Score(None, name, "there is no program that could be run")
        value = sizes[found] * len(found) / (total * tests)
        detail = f"{sizes[found]} of {total} solutions agree on {len(found)} of {tests} tests"
        return Score(value, name, detail)

    return [score(found) for found in passing]
