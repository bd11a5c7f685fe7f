"""The session that a strategy is given: verbs that request, verbs of search, and steering.

The search tree is a fold of events (``core.search``). ``tree`` begins one; ``expand`` grows, scores
and records; ``visit``, ``drop`` and ``revise`` record the strategy's decisions. ``offer`` and
``select`` let an observer intervene.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import NoReturn, TypeVar, cast

from ponder.core import choice
from ponder.core.errors import ModelError, RunFailed
from ponder.core.outlook import Outlook
from ponder.core.problem import Problem
from ponder.core.record.effects import Call, Steer
from ponder.core.record.events import (
    Decided,
    Dropped,
    Expanded,
    Forked,
    Judged,
    Revised,
    Steered,
    Visited,
    VoteChanged,
    Weighed,
)
from ponder.core.record.search import TWIN, Node, Tree
from ponder.core.record.steering import Accepted, Action
from ponder.core.sessions.asking import Asking
from ponder.core.sessions.run import Belief
from ponder.core.steps import Step
from ponder.core.trace import Score, Trace
from ponder.core.worth import Economy

N = TypeVar("N", Node, Trace)
Grow = Callable[["Session", Trace], Awaitable[Trace]]
"""Continues a trace, on a session of its own."""
Judge = Callable[[Sequence[Trace]], Awaitable[list[tuple[Trace, Score]]]]
"""Scores traces; lost ones are left out."""
Choose = Callable[[Sequence[Node]], list[Node]]
"""Chooses the nodes that a search keeps."""


class Session(Asking):
    """The verbs of a strategy. Use ``gather`` and ``as_completed`` for all concurrency."""

    _offers = 0

    # Search --------------------------------------------------------------------------------------

    def tree(self, problem: Problem) -> Tree:
        """Return the current search tree; the first call begins it."""
        if self._run.tree is None:
            self._run.tree = Tree.of(problem)
        return self._run.tree

    def node(self, name: str) -> Node:
        """Return a node of the current tree."""
        assert self._run.tree is not None, "call tree() first"
        return self._run.tree[name]

    async def expand(
        self,
        nodes: Sequence[Node],
        fan: int = 1,
        step: Step | None = None,
        *,
        grow: Grow | None = None,
        judge: Judge | None = None,
        unlike: bool = False,
    ) -> list[Node]:
        """Expand each node ``fan`` times, score the new nodes, and return them in their parents'
        order.

        A node is continued by one ``step`` or by ``grow``, and scored by the run's verifier or by
        ``judge``. Lost children are left out; a finished trace is returned once, unchanged. With
        ``unlike``, nodes with the same text are merged. An observer may steer first: prune the
        nodes to expand, edit them, or add branches.

        Raises:
            LimitReached: the budget did not allow even one.
        """
        parents = {node.id: node for node in await self.offer(nodes)}
        more = self._run.steering.granted
        unit = step or Step()
        branches = [
            partial(_grown, start=node.trace, step=unit, grow=grow)
            for node in parents.values()
            for _ in range(1 if node.done else fan + more(node.id))
        ]
        traces = await self.gather(branches)
        if unlike:
            traces = self._unlike(traces)
        pairs = await (judge or self._judge)(traces)
        added = [(t, score) for t, score in pairs if score not in self.node(t.id).scores]
        if added:  # by the strategy itself, or for what it saw further on
            self._run.tell(Judged(tuple(t.id for t, _ in added), tuple(s for _, s in added)))
        for name, node in parents.items():
            if not node.done:
                came = tuple(trace.id for trace in traces if trace.parent == name)
                self._run.tell(Expanded(name, came))
        return [self.node(trace.id) for trace, _ in pairs]

    async def _judge(self, traces: Sequence[Trace]) -> list[tuple[Trace, Score]]:
        return list(zip(traces, await self.score(traces), strict=True))

    def _unlike(self, traces: Sequence[Trace]) -> list[Trace]:
        """Return the first of the traces that say the same."""
        first: dict[str, Trace] = {}
        for trace in traces:
            first.setdefault(trace.turn, trace)
        twins = tuple(trace.id for trace in traces if first[trace.turn] is not trace)
        if twins:
            self._run.tell(Dropped(twins, TWIN))
        return list(first.values())

    def visit(self, node: Node, value: float) -> None:
        """Add a value in [0, 1] to a node and to all of its ancestors."""
        self._run.tell(Visited(node.id, value))

    def revise(self, trace: Trace, of: Trace) -> None:
        """Record that a trace revises an earlier one."""
        self._run.tell(Revised(trace.id, of.id))

    def drop(self, nodes: Sequence[N], why: str, *, but: Sequence[N] = ()) -> list[N]:
        """Drop all nodes except ``but``. Returns the nodes that stay: those in ``but`` and the
        pinned.
        """
        stay = list(but)
        kept = {node.id for node in stay}
        steering = self._run.steering
        pinned = [n for n in nodes if n.id in steering.pinned and n.id not in kept]
        kept |= {n.id for n in pinned} | steering.pruned | steering.forks.keys()
        lost = tuple(node.id for node in nodes if node.id not in kept)
        if lost:
            self._run.tell(Dropped(lost, why))
        return stay + pinned

    async def select(
        self, nodes: Sequence[Node], choose: Choose, why: str = "outranked"
    ) -> list[Node]:
        """Let an observer intervene, ``drop`` all nodes but those that are chosen of the rest, and
        return these, finished ones too.
        """
        await self._ask([node.trace for node in nodes], self._next(), choose(nodes))
        rest = [node for node in nodes if self.heir(node.trace) is not None]
        stay = self.drop(rest, why, but=choose(rest))
        return self._heirs(stay if rest else nodes)

    # Steering ------------------------------------------------------------------------------------

    async def offer(self, frontier: Sequence[Node]) -> list[Node]:
        """Let an observer intervene, and return the frontier to continue with: ``elsewhere`` if all
        of it was pruned.
        """
        await self._ask([node.trace for node in frontier], self._aside(), frontier)
        return self._heirs(frontier)

    async def steer(self, traces: Sequence[Trace]) -> list[Trace]:
        """Let an observer intervene, and return the complete traces to continue with.

        A trace whose text was edited is continued from the edited text.
        """
        return [trace for _, trace in await self.steered(traces)]

    async def steered(
        self, traces: Sequence[Trace], models: Sequence[str] = ()
    ) -> list[tuple[int, Trace]]:
        """Do the same, and return each trace with the place of the one that it is or replaces.

        ``models`` names the model of each, where that is not the run's own for all: an edited text
        is continued by the model that wrote it.
        """
        await self._ask(traces, self._aside(), traces)
        stay: list[tuple[int, Trace]] = []
        for at, trace in enumerate(traces):
            heir = self.heir(trace)
            if heir is not None and heir is not trace:
                with suppress(ModelError):  # a lost one is left out
                    stay.append((at, await self.grow(heir, model=models[at] if models else "")))
            elif heir is not None:
                stay.append((at, trace))
        return stay

    async def spare(self, problem: Problem) -> Trace:
        """Draw a chain in the place of those that were all pruned.

        Raises:
            RunFailed: none was pruned, so no sample arrived.
        """
        return await self.grow(Trace.empty(problem)) if self._run.steering.pruned else self.fail()

    def heir(self, trace: Trace) -> Trace | None:
        """Return the trace, or the edited one that replaced it; None if it was pruned."""
        return self._run.heir(trace)

    def standing(self, nodes: Sequence[Node]) -> list[Node]:
        """Return the nodes that were neither pruned nor edited."""
        return [node for node in nodes if self._run.stands(node.trace)]

    def elsewhere(self) -> Node:
        """Return the node to go on from if the whole frontier was pruned: the best end of what is
        left of this session's tree, or the root.
        """
        tree = self._run.tree
        assert tree is not None
        own = [node for name, node in tree.nodes.items() if name and self._owns(name)]
        left = [node for node in self.standing(own) if node.why != TWIN]
        inner = {node.parent for node in left}
        best = choice.best(node.judged for node in left if node.id not in inner)
        return tree[best[0].id] if best else tree.root

    def granted(self) -> int:
        """Return the number of samples that a person has added since the last call."""
        return self._run.steering.granted()

    def _heirs(self, frontier: Sequence[Node]) -> list[Node]:
        """Return a frontier after steering: without pruned nodes, with edited and added ones, and
        never empty if it was not.
        """
        steering, tree = self._run.steering, self._run.tree
        assert tree is not None
        if not steering.active:
            return list(frontier)
        wanted = [name for name in steering.more if name in tree and self._owns(name)]
        names = dict.fromkeys([*(node.id for node in frontier), *wanted])
        heirs = [self.heir(tree[name].trace) for name in names]
        stay = dict.fromkeys(heir.id for heir in heirs if heir is not None)
        return [tree[name] for name in stay] or [self.elsewhere() for _ in names][:1]

    def _owns(self, name: str) -> bool:
        """True if this session or one of its children made the node, or the one it replaces."""
        assert self._run.tree is not None
        made = self._run.tree[name].origin or name
        return not self._path or made.startswith(f"{self._path}.")

    def _aside(self) -> str:
        """Return a path that takes no verb's place, so that steering changes no seed."""
        self._offers += 1
        return self._at(f"s{self._offers - 1}")

    async def _ask(
        self, traces: Sequence[Trace], path: str, kept: Sequence[Node] | Sequence[Trace]
    ) -> None:
        """Let an observer act, and carry out the actions. The search goes on from the ``kept``."""
        tree = self._run.tree
        known = {trace.id: trace for trace in traces}
        effect = Steer(tuple(traces), tree.nodes.keys() if tree else known.keys())
        actions = cast(tuple[Action, ...], await self._run.perform(Call(path, effect)))
        for i, action in enumerate(actions):
            trace = known.get(action.node)
            if trace is None and tree is not None and action.node in tree:
                trace = tree[action.node].trace
            hint = action.kind == "hint"
            at = tuple(one.id for one in kept if not one.done) if hint else ()
            self._run.tell(Steered(action, at))
            await self._obey(action, trace, f"{path}.{i}", offered=action.node in known)

    async def _obey(self, action: Action, trace: Trace | None, path: str, *, offered: bool) -> None:
        run, steering = self._run, self._run.steering
        match action.kind:
            case "hint":
                steering.hints.append(action.text.strip())
            case "more":
                steering.more[action.node] = steering.more.get(action.node, 0) + action.count
            case "pin":
                steering.pinned.add(action.node)
            case "prune":
                steering.pruned.add(action.node)
                beneath = (
                    run.tree.below(action.node) if run.tree and action.node in run.tree else ()
                )
                names = tuple(node.id for node in beneath) or (action.node,)
                run.tell(Dropped(names, f"pruned{_by(action)}"))
            case "edit" if trace is not None:
                steering.forks[trace.id] = trace.forked(path, action.text)
                run.tell(Forked(path, action.text, trace.id))
                if not offered:  # the search has left it behind, and goes on from here as well
                    steering.more.setdefault(path, 0)
                run.tell(Dropped((trace.id,), f"edited{_by(action)}"))
            case "accept" if trace is not None:
                raise Accepted(await self.conclude(trace))

    # Choosing, and the answer --------------------------------------------------------------------

    def first(self, traces: Sequence[Trace]) -> Trace:
        """Return the trace that was requested first.

        Raises:
            RunFailed: there is none.
        """
        return min(traces, key=lambda t: t.order) if traces else self.fail()

    def best(self, scored: Iterable[Node | tuple[Trace, Score]]) -> tuple[Trace, Score]:
        """Return the best trace that stands and its score, as defined in ``core.choice``.

        Raises:
            RunFailed: there is no trace.
        """
        pairs = [pair for pair in map(_judged, scored) if self._run.stands(pair[0])]
        return choice.best(pairs) or self.fail()

    def fail(self) -> NoReturn:
        """End the strategy, since no sample arrived.

        Raises:
            RunFailed: always; its cause is the last loss, if a request to the model failed.
        """
        why = f": {self._run.lost}" if self._run.lost else ""
        raise RunFailed(f"no sample came back{why}") from self._run.lost

    def unbeatable(self, scored: Node | tuple[Trace, Score]) -> bool:
        """True if nothing can rank above it: it stands, with an answer and the highest possible
        score.

        Never true of a listwise verifier, whose highest score is only relative.
        """
        trace, score = _judged(scored)
        highest = not self.listwise and trace.answer is not None and (score.value or 0.0) >= 1
        return highest and self._run.stands(trace)

    def settle(self, ended: Sequence[Node] | Sequence[tuple[Trace, Score]]) -> bool:
        """Propose the best of the finished traces; True if nothing can beat it."""
        best = choice.best(pair for pair in map(_judged, ended) if self._run.stands(pair[0]))
        if best is None:
            return False
        self.propose(best[0], best[1].value)
        return self.unbeatable(best)

    async def conclude(self, ended: Trace | Sequence[Node]) -> Trace:
        """Return a trace, or the best of some nodes, after greedily forcing an answer if it has
        none. If all of the nodes were pruned, ``elsewhere`` is continued to its end.

        Raises:
            RunFailed: there is no node.
        """
        if isinstance(ended, Trace):
            return await super().conclude(ended)
        if self._run.steering.active and not self.standing(ended):
            whole = Step((), self.length)
            return await super().conclude(await self.advance(self.elsewhere().trace, step=whole))
        return await super().conclude(self.best(ended)[0])

    @property
    def outlook(self) -> Outlook | None:
        """The forecast of votes on the run's problem; None if there is none."""
        return self._run.outlook

    @property
    def economy(self) -> Economy:
        """The prices of further samples, and the worth of a right answer."""
        return self._run.economy

    def believe(self, probability: float, basis: str, samples: int) -> None:
        """Set the probability that the proposed answer is right, given that many samples;
        ``basis`` is the data behind it, '' for a stated prior.
        """
        self._run.belief = Belief(probability, basis, samples)

    def decide(self, what: str, why: str) -> None:
        """Record a choice of the strategy, with its reason."""
        self._run.tell(Decided(what, why))

    def vote(self, tally: Sequence[tuple[str, float]], remaining: int) -> None:
        """Publish the state of the vote."""
        self._run.publish(VoteChanged(tuple(tally), remaining))

    def weigh(self, decision: Weighed) -> None:
        """Publish the decision between the problem's choices."""
        self._run.tell(decision)


async def _grown(child: Session, start: Trace, step: Step, grow: Grow | None) -> Trace:
    return await (grow(child, start) if grow else child.advance(start, step=step))


def _judged(scored: Node | tuple[Trace, Score]) -> tuple[Trace, Score]:
    return scored.judged if isinstance(scored, Node) else scored


def _by(action: Action) -> str:
    return f" by {action.by}" if action.by else ""


Part = Callable[[Session, Problem], Awaitable[Trace]]
"""A strategy with its knobs."""
