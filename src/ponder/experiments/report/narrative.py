"""A report in sentences: each conclusion follows from numbers, and says if they decide nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ponder.experiments.report.economics import Best, Equal
from ponder.experiments.report.table import ONE_SAMPLE, Config
from ponder.experiments.report.values import Headline, Tone
from ponder.experiments.report.wording import (
    UNIT_NAMES,
    around,
    between,
    configuration,
    count,
    listed,
    points,
    problems,
    quantity,
    share,
    times,
)
from ponder.experiments.stats.fits import Line, Plateau
from ponder.experiments.stats.paired import Difference

if TYPE_CHECKING:
    from ponder.experiments.report.dial.summary import Saving
    from ponder.experiments.report.difficulty import Gain
    from ponder.experiments.report.matched import Match
    from ponder.experiments.report.values import Curve, Suite

_MOST_PAIRS = 3  # sentences of one kind; the tables have the rest


def headlines(suite: Suite) -> tuple[Headline, ...]:
    """Return the conclusions of one suite, in the order in which a reader wants them."""
    return (
        *(_samples(gain, suite) for gain in suite.gains if not gain.bin),
        *_room(suite),
        *_frontier(suite),
        *_matches(suite.matches),
        *_equal(suite),
        *_learning(suite),
        *_ceilings(suite),
        *_difficulty(suite),
        *_prices(suite),
    )


def _samples(gain: Gain, suite: Suite) -> Headline:
    """Say if more samples of one method help."""
    name = configuration(gain.method, gain.n, gain.model)
    end = gain.one_sample + gain.gap.difference
    from_to = f"{share(gain.one_sample)} to {share(end)}"
    tones: dict[str, Tone] = {"helps": "good", "hurts": "bad", "undecided": "open"}
    if gain.verdict == "helps":
        text = f"{name} lifts accuracy from {from_to}."
    elif gain.verdict == "hurts":
        text = f"{name} does not help: it lowers accuracy from {from_to}."
    elif gain.gap.low == gain.gap.high == 0:
        text = f"{name} does not help: on every problem it is as right as one sample."
    else:
        text = f"Whether {name} helps, the data do not decide."
    detail = f"{points(gain.gap.difference)} points over one sample ({around(gain.gap)})."
    [curve] = [c for c in suite.curves if (c.model, c.method) == (gain.model, gain.method)]
    return Headline(
        "samples", text, " ".join([detail, *_doubling(curve, suite.unit)]), tones[gain.verdict]
    )


def _doubling(curve: Curve, unit: str) -> Iterable[str]:
    fit = curve.fits.get(unit)
    if fit is None or not isinstance(fit.line, Line):
        return
    line, bend = fit.line, fit.plateau
    if math.isfinite(line.low):
        undecided = "" if line.decided else "; the data do not decide"
        yield (
            f"Each doubling of {UNIT_NAMES[unit]}: {points(line.slope)} points "
            f"({points(line.low)} to {points(line.high)}{undecided})."
        )
    if isinstance(bend, Plateau) and bend.bend == "flattens" and line.slope > 0:
        yield (
            f"The curve flattens, towards {share(min(bend.top, 1.0))} "
            f"({share(bend.low)} to {share(bend.high)})."
        )


def _frontier(suite: Suite) -> Iterable[Headline]:
    found = suite.frontier.get(suite.unit, ())
    if not found:
        return
    last = found[-1]
    name = _config(last.config)
    if len(found) == 1:
        yield Headline(
            "budget",
            f"At every measured budget, {name} is the best.",
            f"Nothing dearer measured more than its {share(last.accuracy)} "
            f"({share(last.low)} to {share(last.high)}; {problems(suite.shared)}).",
            "plain",
        )
        return
    name += "" if _tone(last) == "plain" else ", but not decidedly"
    text = f"The most accurate is {name}, from {quantity(last.cost, suite.unit)} per problem on."
    yield Headline("budget", text, _lead(last), _tone(last))


def _lead(best: Best) -> str:
    if best.rival is None or best.ahead is None:
        return ""
    verdict = "" if best.ahead.decided else ", so the data do not decide between the two"
    return (
        f"It leads {_config(best.rival)} by {points(best.ahead.difference)} points "
        f"({around(best.ahead)}){verdict}."
    )


def _tone(best: Best) -> Tone:
    return "plain" if best.ahead is None or best.ahead.decided else "open"


def _config(config: Config) -> str:
    return configuration(config.method, config.n, config.model)


def _matches(matches: Sequence[Match]) -> Iterable[Headline]:
    """Yield one sentence for each smaller model, larger model and method."""
    pairs = dict.fromkeys((m.small, m.large, m.method) for m in matches)
    for small, large, method in pairs:
        own = [m for m in matches if (m.small, m.large, m.method) == (small, large, method)]
        [alone] = [m for m in own if m.ratio is None and not m.bin]
        name = configuration(method, alone.n, small)
        against = f"one sample of {large} ({times(alone.times)} times the parameters)"
        tone: Tone
        if alone.gap is None:
            what = "one sample" if method == "majority" else f"one sample for {method}"
            text = f"At equal inference FLOPs, {small} cannot pay {what}: {against} is cheaper."
            tone = "bad"
        elif alone.verdict == "thinking":
            text = f"At equal inference FLOPs, thinking beats parameters: {name} over {against}."
            tone = "good"
        elif alone.verdict == "parameters":
            text = f"At equal inference FLOPs, parameters beat thinking: {against} over {name}."
            tone = "bad"
        else:
            text = f"At equal inference FLOPs, {name} against {against}: the data do not decide."
            tone = "open"
        details = [] if alone.gap is None else [_measured(alone, alone.gap)]
        details += _with_pretraining(own) + _by_bin(own)
        yield Headline("match", text, " ".join(details), tone)


def _measured(match: Match, gap: Difference) -> str:
    return f"Smaller minus larger: {points(gap.difference)} points ({around(gap)})."


_SIDES = {
    "thinking": "thinking wins",
    "parameters": "parameters win",
    "undecided": "undecided",
    "unaffordable": "nothing is affordable",
}


def _with_pretraining(own: Sequence[Match]) -> list[str]:
    """Return the verdicts at matched total FLOPs, by ratio."""
    overall = [m for m in own if m.ratio is not None and not m.bin]
    if not overall:
        return []
    parts = []
    for m in sorted(overall, key=lambda m: m.ratio or 0.0):
        n = f"N = {m.n}{', all that is recorded' * unused(m)}"
        by = f", {points(m.gap.difference)}" if m.gap else ""
        parts.append(f"R = {m.ratio:g} ({n}): {_SIDES[m.verdict]}{by}")
    return [
        f"At equal total FLOPs, with R inference tokens per pretraining token: {'; '.join(parts)}."
    ]


def unused(match: Match) -> bool:
    """Return True if the budget affords twice as many samples as were recorded."""
    return match.all_recorded and match.unused >= 2


def _by_bin(own: Sequence[Match]) -> list[str]:
    found = []
    for verdict in ("thinking", "parameters"):
        bins = [m.bin for m in own if m.bin and m.ratio is None and m.verdict == verdict]
        if bins:
            found.append(f"By difficulty, {_SIDES[verdict]} on {listed(bins)}.")
    return found


def _equal(suite: Suite) -> Iterable[Headline]:
    found = suite.equal.get(suite.unit, ())
    decided = [e for e in found if e.decided]
    for e in decided[:_MOST_PAIRS]:
        least = "at least " if e.at_least else ""
        yield Headline(
            "equal",
            f"At equal accuracy ({share(e.accuracy)}), {e.dear} needs {least}{times(e.ratio)} "
            f"times the {UNIT_NAMES[e.unit]} of {e.cheap}.",
            _ratio_interval(e),
            "plain",
        )
    if found and not decided:
        yield Headline(
            "equal",
            "At equal accuracy, no two series differ decidedly in what they need.",
            f"{len(found)} pair{'s' * (len(found) > 1)} compared on {problems(suite.shared)}.",
            "open",
        )


def _learning(suite: Suite) -> Iterable[Headline]:
    """Yield, per learned model, when its learning has paid at the highest accuracy of its base."""
    found = suite.paybacks.get(suite.unit, ())
    for learned in suite.learned:
        own = [one for one in found if one.model == learned.name]
        if not own:
            yield Headline(
                "learning",
                f"{learned.name} is nowhere as right as {learned.model} for less, as far as "
                "measured: its learning is not paid for.",
                f"Learning cost {quantity(learned.cost(suite.unit), suite.unit)}.",
                "open",
            )
            continue
        best = max(own, key=lambda one: one.accuracy)
        after = f"after {'at most ' * best.at_most}{count(best.questions)} questions"
        equal = (
            f"{best.learned} is {'at least ' * best.at_most}as right as {best.instead} "
            f"({share(best.accuracy)}) for less"
        )
        yield Headline(
            "learning",
            f"{equal}: its learning is paid for {after}."
            if math.isfinite(best.high)
            else f"The data do not decide if learning pays: as measured, {equal}, and its learning "
            f"would be paid for {after}.",
            f"Learning cost {quantity(best.cost, best.unit)}; a question saves "
            f"{quantity(best.saved, best.unit)}. 95 % interval {count(best.low)} to "
            f"{count(best.high)} questions; {problems(best.problems)}.",
            "good" if math.isfinite(best.high) else "open",
        )


def saved(one: Saving) -> Headline:
    """Say which rule ends a vote soonest at next to no loss."""
    less = "as right as" if one.gap.difference >= 0 else "nearly as right as"
    return Headline(
        "dial",
        f"A vote of {one.model} that ends by {one.rule} is {less} the vote of all {one.n}, for "
        f"{share(one.share)} of its cost.",
        f"{points(one.gap.difference)} points ({around(one.gap)}). Of the rules that lose at most "
        "0.3 points here, it is the cheapest; on other problems another may be.",
        "good" if one.gap.high >= 0 else "open",
    )


def _ratio_interval(e: Equal) -> str:
    return (
        f"95 % interval {times(e.low)} to {times(e.high)}; {problems(e.problems)}; accuracy "
        f"of {_config(e.weaker)}."
    )


def _difficulty(suite: Suite) -> Iterable[Headline]:
    """Yield, per method with bins, the bins in which it helps and those in which it does not."""
    for label_ in dict.fromkeys(g.label for g in suite.gains if g.bin):
        own = [g for g in suite.gains if g.label == label_ and g.bin]
        where: dict[str, list[str]] = {"helps": [], "hurts": [], "undecided": []}
        for g in own:
            where[g.verdict].append(f"{g.bin} ({points(g.gap.difference)})")
        name = configuration(own[0].method, own[0].n, own[0].model)
        if not where["helps"] and not where["hurts"]:
            yield Headline(
                "difficulty",
                f"By difficulty: in no bin is {name} decidedly better or worse than one sample.",
                f"{len(own)} bins, the largest gain {points(max(g.gap.difference for g in own))}.",
                "open",
            )
            continue
        parts = []
        if where["helps"]:
            parts.append(f"helps on {listed(where['helps'])}")
        if where["hurts"]:
            parts.append(f"hurts on {listed(where['hurts'])}")
        rest = where["undecided"]
        yield Headline(
            "difficulty",
            f"By difficulty: {name} {'; '.join(parts)}.",
            f"Undecided on {listed(rest)}." if rest else "",
            "good" if not where["hurts"] else "plain" if where["helps"] else "bad",
        )


def _ceilings(suite: Suite) -> Iterable[Headline]:
    for c in suite.ceilings:
        if c.verdict == "within reach":
            continue
        where = f" on {c.bin}" if c.bin else ""
        solved = f"{c.solved:.3g} of {problems(c.problems)} solved by any of {c.n} samples"
        if c.verdict == "out of reach":
            text = f"Out of reach: no choice among up to {c.n} samples of {c.model} helps{where}."
            detail = f"{solved}; the 95 % interval ends at {share(c.above)}."
        else:
            text = f"None solved: {c.model}{where}, in {c.n} samples of each problem."
            detail = (
                f"{solved}; but with so few problems the 95 % interval reaches {share(c.above)}."
            )
        yield Headline("difficulty", text, detail, "bad")


def _room(suite: Suite) -> Iterable[Headline]:
    """Say how far the best real selector is from a perfect one."""
    for c in suite.ceilings:
        real = [
            p.accuracy
            for curve in suite.curves
            if curve.model == c.model and not curve.is_ceiling and curve.method != ONE_SAMPLE
            for p in curve.points
            if p.n <= c.n
        ]
        if c.bin or not real:
            continue
        top = c.solved / c.problems
        left = top - max(real)
        if left > 0:
            yield Headline(
                "samples",
                f"A perfect choice among {c.n} samples of {c.model} would reach {share(top)}.",
                f"{points(left, sign=False)} points above the best of its selectors. This is "
                "coverage: it knows the right answer, so nobody can run it.",
                "plain",
            )


def _prices(suite: Suite) -> Iterable[Headline]:
    for unit in ("usd", "flops"):
        priced = [
            (price, curve, p)
            for curve in suite.curves
            if not curve.is_ceiling
            for p in curve.points
            if (price := p.per_right_answer.get(unit)) and price.value is not None
        ]
        if not priced:
            continue
        cheap = min(priced, key=lambda row: row[0].value or math.inf)
        price, curve, point = cheap
        most = max(priced, key=lambda row: row[2].accuracy)
        name = configuration(curve.method, point.n, curve.model)
        right = f"{share(point.accuracy)} of {problems(curve.problems)} right"
        detail = f"95 % interval {between(price.low, price.high, unit)}; {right}."
        if most[1:] != cheap[1:]:
            other = configuration(most[1].method, most[2].n, most[1].model)
            detail += (
                f" With {other}, the most accurate ({share(most[2].accuracy)}), it costs "
                f"{quantity(most[0].value, unit)}."
            )
        yield Headline(
            "price",
            f"A right answer costs {quantity(price.value, unit)} at its cheapest, with {name}.",
            detail,
            "plain",
        )
