"""Chooses the program in a reply: the block or blocks that define what the tests call.

The names that the tests call decide, or the name of the function that the question asks to
complete. The last block that defines one wins, as a corrected version comes later; a stub wins only
if there is nothing else. Blocks that it needs, because they define a name that it reads, are joined
to it in their order. For tests of inputs and outputs it is the last block that reads and prints,
with the blocks that it needs. Without either, it is the last block that defines a function, or the
last that does anything.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ponder.answers.blocks import PYTHON, Block, fenced, straight, tagged
from ponder.answers.equivalence import LONGEST_PROGRAM, parse_python
from ponder.answers.prose import statements, works
from ponder.core.collecting.collect import needed
from ponder.core.problem import AssertTests, IoTests, Problem

_MOST_PARTS = 200
_ASKED = re.compile(r"^[ \t>]*(?:async[ ]+)?def[ ]+(\w+)[ ]*\(", re.M)
_READS = re.compile(r"\binput\s*\(|\bstdin\b|\bopen\(\s*0\b|\bfileinput\b|\bos\.read\(")
_WRITES = re.compile(r"\bprint\b|\bstdout\b|\bos\.write\(")
_FEIGNS = re.compile(r"\bsys\.stdin\s*=\s*(?:io\.)?StringIO\b")
_FUTURE = re.compile(r"^from __future__ import [^\n]*\n?", re.M)
_DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def program(text: str, problem: Problem, *, truncated: bool = False) -> str | None:
    """Return the program in a reply, or None; ``truncated`` if the reply did not end."""
    groups = _groups(text, truncated)
    chosen = _certain(groups, problem)
    if chosen is not None:
        return _joined(chosen)
    return _likeliest(groups)


def has_program(text: str, problem: Problem) -> bool:
    """Return True if an unfinished reply already has its program, in closed blocks."""
    groups = _groups(text, truncated=True)
    if _certain(groups, problem) is not None:
        return True
    knows = isinstance(problem.tests, IoTests) or bool(_wanted(problem))
    return not knows and _likeliest(groups) is not None


def printing(text: str, *, truncated: bool = False) -> str | None:
    """Return the program in a reply that prints its result, else the likeliest one, or None."""
    groups = _groups(text, truncated)
    for parts in groups:
        if found := _complete(parts, silent=True):
            return _joined(found)
    return _likeliest(groups)


def blocks(text: str) -> list[str]:
    """Return the Python in a reply, each block of it by itself."""
    named, others, unmarked = _groups(text, truncated=False)
    return [part.source for part in named or others or unmarked]


# The parts of a reply -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """Code in a reply that may be the program, or belong to it."""

    source: str
    language: str = ""
    """The language that its fence names."""
    tree: ast.Module | None = field(init=False)
    defines: frozenset[str] = field(init=False, default=frozenset())
    """Names that it binds to functions, classes and values of its own."""
    imports: frozenset[str] = field(init=False, default=frozenset())
    library: frozenset[str] = field(init=False, default=frozenset())
    """Of the names that it imports, those of the standard library."""
    stubs: frozenset[str] = field(init=False, default=frozenset())
    """Functions of which it has the signature only."""
    reads: frozenset[str] = field(init=False, default=frozenset())
    """Names that it needs from elsewhere."""

    def __post_init__(self) -> None:
        tree = parse_python(self.source) if len(self.source) <= LONGEST_PROGRAM else None
        object.__setattr__(self, "tree", tree)
        if tree is None:
            return
        bound, imported, library, stubs = _bindings(tree)
        object.__setattr__(self, "defines", bound)
        object.__setattr__(self, "imports", imported)
        object.__setattr__(self, "library", library)
        object.__setattr__(self, "stubs", stubs)
        own = bound | imported | stubs | {"__name__", "__file__", "__doc__"}
        object.__setattr__(self, "reads", _globals(self.source) - own - set(dir(builtins)))

    @property
    def python(self) -> bool:
        """True if its fence names Python."""
        return PYTHON.fullmatch(self.language) is not None

    @property
    def runs(self) -> bool:
        """True if it does something when it is run, other than to define."""
        idle = (*_DEFINITION, ast.Import, ast.ImportFrom, ast.Pass)
        return any(
            not isinstance(node, idle) and any(isinstance(n, ast.Call) for n in ast.walk(node))
            for node in (self.tree.body if self.tree else ())
        )

    @property
    def has_functions(self) -> bool:
        """True if it defines a function or class, not only a stub of one."""
        body = self.tree.body if self.tree else ()
        return any(isinstance(n, _DEFINITION) and n.name not in self.stubs for n in body)

    @property
    def is_body(self) -> bool:
        """True if it is the body of a function."""
        outer = [n for n in (self.tree.body if self.tree else ()) if not isinstance(n, _DEFINITION)]
        kinds = (ast.Return, ast.Yield, ast.YieldFrom)
        return any(isinstance(part, kinds) for node in outer for part in ast.walk(node))


def _groups(text: str, truncated: bool) -> tuple[list[_Part], list[_Part], list[_Part]]:
    """Return the blocks that are Python by their fences or content, other blocks, and the rest.

    The rest is Python that stands in the text without a mark.
    """
    found = [b for b in fenced(text) if b.content.strip() and (b.closed or not truncated)]
    gaps = _gaps(text, found)
    for at, gap in gaps:
        found += [
            Block(b.language, b.content, at + b.start, at + b.end) for b in tagged(gap) if b.content
        ]
    found.sort(key=lambda block: block.start)
    named, others = list[_Part](), list[_Part]()
    for block in found[-_MOST_PARTS:]:
        source = straight(block.content)
        if not block.closed and parse_python(source) is None:  # prose follows the program
            source = next(iter(statements(source)), source)
        part = _Part(source, block.language)
        fits = part.python or (not block.language and works(part.tree))
        (named if fits and not block.inline else others).append(part)
    unmarked = list[_Part]()
    if not truncated and len(text) <= LONGEST_PROGRAM:
        for _, gap in _gaps(text, found):
            unmarked += map(_Part, statements(gap))
    return named, others, unmarked[-_MOST_PARTS:]


def _gaps(text: str, found: Iterable[Block]) -> list[tuple[int, str]]:
    """Return the text between blocks, each with its position."""
    gaps, at = list[tuple[int, str]](), 0
    for block in found:
        gaps.append((at, text[at : block.start]))
        at = max(at, block.end)
    return [(at, gap) for at, gap in (*gaps, (at, text[at:])) if gap.strip()]


def _bindings(tree: ast.Module) -> tuple[frozenset[str], ...]:
    """Return the names that a program's outermost level defines, imports, imports from the standard
    library, and only declares.
    """
    defined, imported, library, declared = set[str](), set[str](), set[str](), set[str]()
    for node in _outermost(tree.body):
        match node:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                (declared if _is_stub(node) else defined).add(name)
            case ast.Import(aliases):
                imported |= {a.asname or a.name.partition(".")[0] for a in aliases}
            case ast.ImportFrom(module, aliases, level):
                names = {a.asname or a.name for a in aliases}
                imported |= names
                if not level and module and module.partition(".")[0] in sys.stdlib_module_names:
                    library |= names
            case ast.Name(name, ast.Store()):
                defined.add(name)
    return tuple(map(frozenset, (defined, imported, library, declared - defined)))


def _outermost(nodes: Iterable[ast.AST]) -> Iterable[ast.AST]:
    """Yield the nodes that are not within a function, class or comprehension."""
    inner = (*_DEFINITION, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, inner):
            waiting += ast.iter_child_nodes(node)


def _is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    return not isinstance(node, ast.ClassDef) and all(
        isinstance(part, ast.Pass)
        or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        or (isinstance(part, ast.Raise) and "NotImplemented" in ast.dump(part))
        for part in node.body
    )


def _globals(source: str) -> set[str]:
    """Return the names that a program reads from its outermost level."""
    try:
        waiting = [symtable.symtable(source, "<reply>", "exec")]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found = set[str]()
    while waiting:
        table = waiting.pop()
        outer = table.get_type() == "module"
        found |= {
            s.get_name()
            for s in table.get_symbols()
            if s.is_referenced() and (outer or s.is_global())
        }
        waiting += table.get_children()
    return found


# The choice ---------------------------------------------------------------------------------------


def _wanted(problem: Problem) -> frozenset[str]:
    """Return the names that a program must define."""
    tests = problem.tests
    if isinstance(tests, AssertTests):
        given = parse_python(tests.preamble)
        known = frozenset[str]().union(*_bindings(given)) if given else frozenset[str]()
        names = needed(tests.code, tests.entry_point) - known - sys.stdlib_module_names
        return names | ({tests.entry_point} if tests.entry_point else frozenset())
    if tests is not None:
        return frozenset()
    question = "\n".join(m.content for m in problem.messages if m.role == "user")
    return frozenset(_ASKED.findall(question)[-1:])


def _certain(groups: Sequence[list[_Part]], problem: Problem) -> list[_Part] | None:
    """Return the parts that define what the tests call, or for inputs those that read and print."""
    tests = problem.tests
    for parts in groups:
        if isinstance(tests, IoTests):
            found = _complete(parts, silent=not any(case.input.strip() for case in tests.cases))
        else:
            found = _defining(parts, _wanted(problem))
        if found:
            return found
    completes = bool(tests.stub) if isinstance(tests, AssertTests) else tests is None
    if completes and _wanted(problem):
        bodies = [part for parts in groups[::-1] for part in parts if part.is_body]
        return bodies[-1:] or None
    return None


def _defining(parts: Sequence[_Part], wanted: frozenset[str]) -> list[_Part]:
    """Return the last definitions of the names, with all that they need."""
    chosen = set[int]()
    for name in sorted(wanted):
        defining = [i for i, part in enumerate(parts) if name in part.defines]
        imported = [i for i, part in enumerate(parts) if name in part.library]
        declared = [i for i, part in enumerate(parts) if name in part.stubs]
        chosen |= set((defining or imported or declared)[-1:])
    found = _with_needs(parts, chosen)
    bound = frozenset[str]().union(*(parts[i].defines for i in found))
    # A correction of a helper: definitions and nothing else.
    found |= {
        i
        for i in range(max(found, default=len(parts)) + 1, len(parts))
        if parts[i].has_functions and not parts[i].runs and parts[i].defines <= bound
    }
    return [parts[i] for i in sorted(found)]


def _with_needs(parts: Sequence[_Part], chosen: Iterable[int]) -> set[int]:
    """Return the parts with those that define what they read: the last before, else the first."""
    found = set(chosen)
    waiting = sorted(found)
    while waiting:
        at = waiting.pop()
        held = frozenset[str]().union(*(parts[i].defines | parts[i].imports for i in found))
        for name in sorted(parts[at].reads - held):
            others = [i for i in range(len(parts)) if i != at]
            holders = [i for i in others if name in parts[i].defines]
            holders = holders or [i for i in others if name in parts[i].imports]
            before = [i for i in holders if i < at]
            for i in before[-1:] or holders[:1]:
                if i not in found:
                    found.add(i)
                    waiting.append(i)
    return found


def _complete(parts: Sequence[_Part], *, silent: bool) -> list[_Part]:
    """Return the last part that reads and prints when it is run, with all that it needs."""

    def complete(chosen: Iterable[int]) -> bool:
        found = [parts[i] for i in chosen]
        return (
            any(part.runs for part in found)
            and (silent or any(_READS.search(part.source) for part in found))
            and any(_WRITES.search(part.source) for part in found)
        )

    for at in reversed(range(len(parts))):
        part = parts[at]
        if not part.runs or _FEIGNS.search(part.source):
            continue
        chosen = _with_needs(parts, {at})
        shown = complete(chosen - {at}) and not _READS.search(part.source)
        if complete(chosen) and not shown:
            return [parts[i] for i in sorted(chosen)]
    every = [i for i, part in enumerate(parts) if part.tree and not _FEIGNS.search(part.source)]
    return [parts[i] for i in every] if len(every) > 1 and complete(every) else []


def _likeliest(groups: Sequence[list[_Part]]) -> str | None:
    """Return the last part that defines a function, or does anything, with all that it needs."""
    named, others, unmarked = groups
    by_name = [part for part in named if part.python]
    by_content = [part for part in named if not part.python]
    inline = [part for part in others if part.python or not part.language]
    pools = ((by_name, named), (by_content, named), (unmarked, unmarked), (inline, inline))
    for parts, pool in pools:
        defining = [part for part in parts if part.has_functions]
        working = [part for part in parts if works(part.tree)]
        for part in (defining or working)[-1:]:
            return _joined([pool[i] for i in sorted(_with_needs(pool, {pool.index(part)}))])
    broken = by_name or [part for part in inline if part.tree is None]
    return broken[-1].source if broken else None


def _joined(parts: Sequence[_Part]) -> str:
    """Return one program; imports from the future come first, as Python demands."""
    if len(parts) == 1:
        return parts[0].source
    text = "\n\n".join(part.source.strip("\n") for part in parts)
    future = "".join(f"{line.strip()}\n" for line in dict.fromkeys(_FUTURE.findall(text)))
    return future + _FUTURE.sub("", text) if future else text
