"""Cases from the field and their neighbours: what models write, and the value that it has.

Sources: the issue trackers of Math-Verify, lm-evaluation-harness, lighteval and others. The inputs
are our own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ponder.answers.extract import extract
from ponder.answers.mathworker import MathWorker
from ponder.core.problem import AnswerType, Message, Problem
from ponder.experiments.suites.grading.gold import Reference
from ponder.experiments.suites.grading.grade import grade

Row = tuple[AnswerType, str, list[str], list[str]]
"""Answer type, gold answer, right replies, wrong replies."""


@pytest.fixture(scope="module")
def worker() -> Iterator[MathWorker]:
    worker = MathWorker(timeout=60.0)
    yield worker
    worker.end()


def problem(answer_type: AnswerType) -> Problem:
    return Problem((Message("user", "?"),), answer_type)


# Within a box
BOXED: dict[str, list[Row]] = {
    "exact values": [
        ("math", r"\frac{1}{2004!}", ["1/2004!"], [r"\frac{1}{2006!}"]),
        ("math", "n=2,3,4", [], ["n=1,2,3"]), ("math", "D=(0,1)", [], ["D=(0,1.5)"]),
        ("math", r"19, 46, \text{ and } 82", [], ["21, 36, and 82"]),
        ("math", r"\frac{2^{2005}+1}{3 \cdot 2^{2006}}", [], [r"\frac{1}{3 \cdot 2^{2006}}"]),
        ("math", r"1 - \frac{1}{\mathrm{e}}", [], [r"1 + \frac{1}{\mathrm{e}}"]),
        ("math", r"\pm 2021", [], ["2021"]), ("math", "12:00", ["12:00"], []),
        ("math", r"1, 2, \ldots, n", [r"1,2,\ldots,n"], [r"1, 3, 5, \ldots, 2n-1"]),
        ("math", r"1:2:3:\ldots", [], [r"1:4:9:\ldots"]), ("math", "4", [], [r"4\sqrt(2)"]),
        ("math", r"4\sqrt{2}", [r"4\sqrt(2)"], []),
        ("math", r"(\frac{1}{2^{99}}, 1)", [], [r"(\frac{1}{2^{98}}, 1)"]),
        ("math", r"\frac{x}{2^{99}}", [], [r"\frac{x}{2^{98}}"]),
        ("math", r"\frac{\sqrt{2}}{2^{99}}", [r"\frac{1}{\sqrt{2}\cdot 2^{98}}"],
          [r"\frac{\sqrt{3}}{2^{99}}"]),
        ("math", "10^{-30}", ["1e-30"], [r"2\cdot 10^{-30}"]),
        ("math", r"6.63\times10^{-34}", [r"6.63 \cdot 10^{-34}"], []),
        ("math", "0", [], ["0.0000001", "10^{-20}"]), ("math", r"\frac13", ["0.333333"], ["0.33"]),
        ("math", r"\frac16", ["0.1666667"], []), ("math", "0.5", [r"50\%"], []),
        ("math", r"\frac12", [r"50\%"], []), ("math", r"50\%", ["0.5"], []),
        ("math", "50", [r"50\%"], []), ("math", r"\pi", ["3.14159265"], ["3.14", r"\frac{22}{7}"]),
        ("math", r"\{10^{-9}, 1\}", [], [r"\{2\cdot10^{-9}, 1\}"]),
        ("math", "e^{-50}", [], ["e^{-51}"]), ("math", "10^{50}", [], ["10^{50}+1"]),
        ("math", "0.0001", [], ["0.0002"]),
        ("math", "10^{-7}", ["0.0000001", r"1\times10^{-7}"], []),
        ("math", r"1.6\times10^{-19}", [], [r"1.6\times10^{-18}"]),
        ("math", r"\frac{1}{10^{12}}", [], ["0"]), ("math", r"\frac{1}{3^{40}}", ["3^{-40}"], []),
        ("math", "0.000000123", ["1.23e-7"], []), ("number", "0.0000001", [], ["0.0000002"]),
        ("number", "0.001", ["0.0010"], []),
        ("math", r"\left(\frac12\right)^{100}", ["2^{-100}"], ["2^{-101}"]),
        ("math", "2.718281828", ["e"], []), ("math", "2.718", [], ["e"]),
        ("math", r"\frac{1}{7}", ["0.142857"], []), ("math", r"\frac{2}{3}", [], ["0.667"]),
        ("math", "66.67", [], [r"\frac{200}{3}"]), ("math", "1-2^{-60}", [], ["1"]),
        ("math", r"\frac{10^{20}+1}{10^{20}}", [], ["1"]), ("math", "1.0000001", ["1"], []),
        ("math", "x=10^{-9}", [], [r"x=2\cdot10^{-9}"]),
        ("math", "[0,10^{-9}]", [], [r"[0,2\cdot10^{-9}]"]),
        ("math", r"\begin{pmatrix}10^{-9}\\1\end{pmatrix}", [],
          [r"\begin{pmatrix}2\cdot 10^{-9}\\1\end{pmatrix}"]),
        ("math", "(1,2)", ["(1.0,2)"], []), ("math", r"(\frac13,1)", ["(0.333333,1)"], []),
        ("math", "10^{-9}x", [], ["10^{-8}x"]), ("math", "10^{-9}i", [], ["10^{-8}i"]),
        ("math", "3+10^{-20}i", [], ["3"]),
    ],
    "ratios": [
        ("math", "3:2", ["3:2", "6:4", r"\frac32"], ["2:3"]), ("math", "2:3", ["10:15"], []),
        ("math", "1:2:3", ["2:4:6"], ["3:2:1", r"\frac16"]),
    ],
    "times": [
        ("math", "12:30", ["12:30 PM"], []), ("math", "12:30 PM", [], ["12:30 AM"]),
        ("math", "2:30 PM", ["14:30"], []),
        ("math", r"2:30\text{ p.m.}", [r"2{:}30 \text{ PM}"], []),
        ("math", r"3\text{ PM}", [], [r"3 \text{ AM}"]),
        ("math", r"3:00\text{ PM}", [r"3 \text{ PM}"], []), ("number", "3", ["3 PM"], []),
        ("number", "12", [], ["12:30"]), ("math", "5:06", [], ["5:6"]),
        ("math", "9:05", ["09:05"], []), ("math", "23:59", ["11:59 PM"], []),
        ("math", "6:30", [], ["18:30", "6.5"]), ("math", "10:30", [], [r"10\frac12"]),
        ("math", r"7:15\text{ a.m.}", ["7:15"], []), ("math", "12:00", [], ["12"]),
        ("math", "1:30:00", ["1:30"], []), ("math", "3:4:5", ["3:4:5"], ["5:4:3"]),
        ("math", "5 : 3", ["5:3"], []), ("math", r"\frac{5}{3}", ["5:3"], []),
        ("math", "5:3", [], [r"5 \text{ to } 3"]), ("math", "12:00 noon", ["12:00 PM"], []),
        ("math", r"12:00\text{ midnight}", [], ["12:00 PM"]), ("math", r"8\colon 30", ["8:30"], []),
        ("math", "2:1", [], ["1:2"]),
    ],
    "undefined values": [
        ("math", r"\frac{0}{0}", [], [r"\frac{1}{0}"]), ("math", "1/0", [], ["2/0", r"\infty"]),
        ("math", r"\infty", [r"\infty", "∞"], [r"-\infty", r"\frac10"]),
        ("number", "1", [], ["1/0"]), ("math", r"\text{undefined}", [], [r"\frac{1}{0}"]),
        ("math", "0", [r"\frac{0}{5}"], ["0/0"]), ("math", r"\frac{x}{0}", [], [r"\frac{y}{0}"]),
        ("math", r"\frac{1}{0}", [r"\frac{1}{0}"], []),
        ("math", r"\tan\frac{\pi}{2}", [], [r"\frac10"]),
        ("math", r"\frac{1}{1-1}", [], [r"\frac{2}{1-1}"]), ("math", r"\log 0", [], [r"\frac10"]),
        ("math", "0^0", ["1"], []), ("math", "5", [], [r"\frac{5}{0}"]),
        ("math", r"\frac{\infty}{\infty}", [], ["1"]), ("math", r"\infty-\infty", [], ["0"]),
    ],
    "upright letters": [
        ("number", "5", [], [r"3+2\mathrm{i}"]), ("math", "3+2i", [r"3+2\mathrm{i}"], []),
        ("math", "2e", [r"2\mathrm{e}"], []), ("math", "-1", [r"\mathrm{e}^{\mathrm{i}\pi}"], []),
        ("number", "2", [], ["2e", r"2\mathrm{e}", r"2\mathrm{i}", "2i", "2π"]),
        ("math", "2i", [r"2\operatorname{i}", r"2\text{i}"], []),
        ("math", "e", [r"\mathrm{e}"], []), ("math", "i", [r"\mathrm{i}"], []),
        ("math", "5", [r"5 \mathrm{cm}"], [r"5\mathrm{e}", r"5\mathrm{i}^2"]),
        ("math", r"\pi i", [r"\pi\mathrm{i}"], []), ("math", "e^2", [r"{\rm e}^2"], []),
        ("math", r"\cos\theta+i\sin\theta", [r"\cos\theta+\mathrm{i}\sin\theta"], []),
        ("math", r"\mathrm{e}^{x}", ["e^x"], []), ("math", r"\frac{\mathrm{e}}{2}", ["e/2"], []),
        ("math", r"\mathrm{i}", [], ["-i"]), ("math", r"3-4\mathrm{i}", [], ["3+4i"]),
        ("math", r"\ln\mathrm{e}", ["1"], []), ("math", r"2\mathrm{e}^{-1}", [r"\frac2e"], []),
        ("number", "4", [], [r"4\mathrm{i}"]), ("math", r"\mathrm{e}\mathrm{i}", ["ei"], []),
        ("math", "2+3i", [r"2+3\mathit{i}"], []), ("math", "-5", [r"5\mathrm{i}^2"], []),
        ("math", r"1+\mathrm{e}", [], ["1"]), ("math", r"\mathrm{Re}(z)", [], [r"\mathrm{Im}(z)"]),
        ("math", r"2\pi", [], ["2"]),
    ],
    "words of scale": [
        ("number", "5000000", ["5 million", "$5M", "5-million", r"5 \mathrm{million}"], ["5 Mio"]),
        ("math", "5000000", [r"\$5\text{ million}"], []), ("number", "2500", ["2.5k"], []),
        ("number", "36", ["3 dozen"], []), ("number", "200000", ["2 hundred thousand"], []),
        ("math", "5 million", ["5{,}000{,}000", r"5 \times 10^6"], []),
        ("math", r"5\text{ million}", ["5 million"], []),
        ("number", "1200000", ["1.2 Million people"], []),
        ("number", "5", ["5 millimeters", "5 m", "5 kg", "5 km", "5 Mio"], ["5 billion",
          "5 millions", "5 million 200 thousand"]),
        ("number", "3000000000", [r"3~\text{billion}"], []),
        ("math", "5 thousand", [], ["5 million"]), ("number", "2000000", ["$2-million"], []),
        ("number", "1000000", ["1 million"], []), ("number", "1", [], ["1 million dollars"]),
        ("number", "1.5", [], ["1.5 billion"]), ("math", r"2\text{ hundred}", ["200"], []),
        ("number", "0.3", ["3 tenths"], []), ("number", "3", [], ["3 tenths"]),
        ("number", "24", ["2 dozen eggs"], []), ("number", "5000", ["5K"], []),
        ("number", "100000", ["1 lakh"], []), ("math", r"5\text{ thousand}", ["5000"], []),
        ("math", r"5\,\text{million dollars}", ["5000000"], []),
        ("number", "5200000", ["5 million 200 thousand"], []),
        ("math", r"1.5\text{ million}", ["1500000"], []),
        ("number", "-5000000", ["-5 million"], []), ("number", "500000", [], ["half a million"]),
    ],
    "characters": [
        ("number", "2.5", ["2½"], []), ("number", "0.5", ["½", "1⁄2", "٠.٥"], []),
        ("math", r"\frac34", ["¾"], []), ("number", "10", [], ["10⁻³"]),
        ("number", "0.001", ["10⁻³"], []), ("math", "x_1", ["x₁"], ["x₂"]),
        ("math", "10^4", ["10⁴"], []), ("math", r"\sqrt2", ["√2"], []),
        ("math", r"2\sqrt3", ["2√3"], []), ("math", r"\sqrt{10}", ["√10"], []),
        ("math", r"\sqrt{x+1}", ["√(x+1)"], []), ("number", "1024", ["2¹⁰"], []),
        ("math", r"\frac12", ["¹⁄₂"], []), ("math", "2x^2", ["2x²"], []),
        ("math", r"\sqrt[3]{8}", ["∛8"], []), ("number", "12", ["１２"], []),
        ("math", "x", ["𝑥"], []), ("math", r"\frac{\pi}{2}", ["½π"], []),
        ("math", "x^{-1}", ["x⁻¹"], []), ("math", "x^{10}", ["x¹⁰"], []),
        ("number", "6", ["3!"], []), ("number", "3", ["√9"], ["3!"]), ("math", "120", ["5!"], []),
        ("math", "5", [], ["5!"]), ("number", "3.25", ["3¼"], []), ("number", "-0.5", ["−½"], []),
        ("number", "-1000", ["−10³"], []), ("number", "5", [], ["5²"]),
        ("math", "a_{12}", ["a₁₂"], []), ("math", "2^{n}", ["2ⁿ"], []),
        ("math", "x^2+y^2", ["x²+y²"], []), ("math", r"\sqrt{3}/2", ["√3/2"], []),
        ("math", r"\sqrt[3]{5}", ["∛5"], []), ("number", "24", ["4!"], []),
        ("math", r"\frac{7!}{3!}", ["840"], []), ("math", "n!", [], ["n"]),
        ("number", "0.2", ["⅕"], []), ("math", "5/8", ["⅝"], []), ("math", r"\pi r^2", ["πr²"], []),
        ("math", "90", ["90°"], []), ("math", r"\ge 3", ["≥3"], []),
        ("math", r"1\frac12", ["1½"], []), ("number", "75", ["75％"], []),
        ("number", "1234", ["1 234"], []), ("math", "-3", ["﹣3"], []),
        ("math", r"x \in \mathbb{R}", ["x ∈ ℝ"], []), ("math", r"\frac{3}{4}", ["3⁄4"], []),
        ("math", "10^{-3}", ["10⁻³"], []), ("math", r"6.02\times10^{23}", ["6.02×10²³"], []),
        ("math", r"2\sqrt[3]{4}", ["2∛4"], []),
    ],
    "powers": [
        ("number", "30000", [r"3 \times 10^4", "3×10⁴", "3e4"], []), ("number", "3", [], ["3×10⁴"]),
    ],
    "bases": [
        ("math", "1010_2", ["1010_2", "1010_{2}", "(1010)_2", "1010₂", r"1010_{\text{two}}",
          "1010"], ["10", "1010_{10}", "1011_2"]),
        ("math", "10", ["1010_2"], []), ("number", "1010", [], ["1010_2"]),
        ("math", "FF_{16}", [r"\text{FF}_{16}", "FF"], []), ("math", "2516_8", [], ["2516_9"]),
        ("math", "10_{2}", [], ["10_{3}"]), ("math", "A7_{16}", ["A7_{16}"], []),
        ("math", "101_2", ["0101_2"], []), ("math", "12_3", [], ["5"]), ("math", "5", ["12_3"], []),
        ("math", "101_{two}", ["101_2"], []), ("math", r"110_{\text{2}}", ["110_2"], []),
        ("math", r"\varnothing", [r"\left\{\right\}"], []), ("math", r"\{0\}", [], [r"\emptyset"]),
        ("math", r"\text{no solution}", [], [r"\emptyset"]),
        ("math", r"0.1\overline{23}", [r"0.1\dot2\dot3"], []),
        ("math", r"1.\overline{6}", [r"\frac53"], []),
        ("math", r"-0.\overline{3}", [r"-\frac13"], []),
        ("math", r"0.\overline{12}", [r"\frac{12}{99}"], ["0.12"]), ("math", "{}_5C_2", [], ["10"]),
        ("math", r"\binom{10}{3}", ["120"], []), ("math", r"\tbinom{4}{2}", ["6"], []),
        ("math", r"2\binom52", ["20"], []), ("math", r"\frac{\binom52}{2}", ["5"], []),
        ("math", r"\binom{5}{2}", [r"\binom{5}{3}"], []), ("math", "6", [r"\binom{4}2"], []),
        ("math", r"\sqrt[3]{2}", [r"\sqrt[3]2"], []),
    ],
    "notation": [
        ("math", r"\emptyset", ["∅", r"\{\}"], [r"\{\emptyset\}", "0"]),
        ("math", r"\{\}", [r"\{ \}"], []),
        ("math", r"\frac13", [r"0.\dot3", r"0.\dot{3}", "0.(3)"], []),
        ("math", r"\frac17", [r"0.\dot{1}4285\dot{7}"], []),
        ("math", r"\frac16", [r"0.1\overline{6}", r"0.1\bar6"], []),
        ("math", "1", [r"0.\overline{9}"], []), ("math", r"0.\overline{3}", [], ["0.3"]),
        ("math", "10", [r"\binom{5}{2}", r"\dbinom52", r"{5 \choose 2}"], []),
        ("math", r"\binom{n}{2}", [r"\frac{n(n-1)}{2}"], []),
        ("math", r"\frac12", [r"\tfrac12", r"\frac1{2}", r"\cfrac{1}{2}"], []),
        ("math", "5000", [r"5\,000", "5,000", "5{,}000"], []),
        ("math", r"\sqrt{5}", [r"\sqrt5"], []),
        ("math", r"\frac{\sqrt3}{2}", [r"\frac{\sqrt{3}}{2}"], []),
    ],
    "boxes": [
        ("number", "18", [r"\text{18 dollars}", r"\text{\$18 per day}", r"\mathbf{18}",
          r"\textbf{18 dollars}", r"\$18.00", r"18\frac{\text{m}}{\text{s}}",
          r"18\text{ m}/\text{s}", r"18\ \mathrm{m/s^2}", "18 (dollars)",
          r"18 \text{ dollars per day}", r"\text{about } 18 \text{ dollars}"], []),
        ("math", "18", [r"\text{18 dollars}", r"\text{\$18}", r"\text{18}\text{ dollars}",
          r"18~\text{cm}^2"], []),
        ("number", "1800", [r"\text{1,800 dollars}"], []),
        ("math", r"\text{Tuesday}", ["Tuesday"], []),
    ],
    "readings": [
        ("number", "81", ["3^4"], []), ("number", "3", [r"\lfloor 3.7\rfloor"], ["3^4"]),
        ("number", "5", ["|-5|", "10/2", r"\approx 5"], ["5, 6", "5 or 6", r"5 \pm 1", "> 5",
          "x > 5", "5-10", "5 to 10"]),
        ("number", "2", [r"\log_2 4", r"\frac{10}{5}"], [r"2\cdot4"]),
        ("number", "8", [r"2\cdot4"], []), ("number", "10", [], ["10/2"]),
        ("number", "12", [], ["12,5"]), ("math", "5", [r"\approx 5"], []),
    ],
}  # fmt: skip

# As a whole reply
REPLIES: dict[str, list[Row]] = {
    "times": [
        ("number", "12", [], ["The answer is 12:30 PM."]),
    ],
    "upright letters": [
        ("number", "2", [], [r"The answer is $2\mathrm{e}$.", r"The answer is $2\pi$."]),
        ("number", "3", [], ["The answer is 3i."]),
        ("number", "10", [], [r"The answer is 10\sqrt{2}."]),
    ],
    "words of scale": [
        ("number", "5", [], ["The cost is 5 million dollars."]),
        ("number", "5000000", ["The cost is $5 million."], []),
        ("number", "1500", ["It is 1.5 thousand"], []),
        ("number", "1000000", [], ["The answer is one million."]),
        ("number", "1500000000", ["It is about 1.5 billion people."], []),
        ("number", "5000", ["$5k"], []),
        ("number", "7000000000", ["The population is 7 billion."], []),
        ("number", "40", ["40 percent"], []),
    ],
    "characters": [
        ("number", "2.5", ["The answer is 2½."], []),
        ("number", "2", ["∛8"], ["The answer is 2½.", "The answer is √2."]),
        ("number", "0.001", ["The answer is 10⁻³."], []),
        ("number", "72", ["It is 72!", 'The total is 72!\nGreat.'], []),
        ("number", "3", [], ["The answer is 3!."]),
        ("number", "1.5", ["1 ½ cups", "She needs 1 ½ cups."], []), ("number", "7", ["√49"], []),
        ("number", "720", [], ["6!"]), ("number", "4", [], ["The answer is $4!$"]),
        ("number", "24", ["The answer is $4!$"], []),
    ],
    "powers": [
        ("number", "30000", ["The answer is 3×10⁴ meters.", "The answer is 3*10^4."], []),
        ("number", "16", ["The answer is 2^4."], []), ("number", "2", [], ["The answer is 2^4."]),
        ("number", "4", [], ["The answer is 2^4."]),
    ],
    "boxes": [
        ("number", "5", [r"so $\boxed 5$ and 12", r"\boxed5", r"\fbox{5} of 12", r"\boxed{x=5}",
          r"\boxed{\text{x = 5 cm}}"], []),
        ("number", "42", [r"so $\boxed 42$. 12"], []),
        ("math", r"\frac12", [r"so \boxed\frac{1}{2} and 7"], []),
        ("number", "18", ['\x08oxed{18} and 3', r"\boxed{\boxed{18}} 5", r"$$\boxed{\;18\;}$$ 5",
          r"\boxed {18} and 5", r"\boxed{ 18 } \\ 5", r"\boxed\text{18}", r"\framebox{18} and 5",
          r"\boxed{18} \boxed{}", r"\boxed(18) and 5", "boxed{18} and 5", r"\boxed{$18$} and 5",
          r"\boxed{\$ 18} and 5", r"\boxed{**18**} 5", r"\boxed{{18}} 5",
          r"\boxed{18 \; \mathrm{dollars}} 5"], [r"$\boxed{\begin{array}{c}18\end{array}}$",
          r"\boxed{18\text{ dollars and }50\text{ cents}}"]),
        ("math", "x", [r"\boxed x"], []), ("number", "-3", [r"\boxed{-3}", r"\boxed-3 or"], []),
        ("math", "18", [r"\boxed{\text{18}}"], []),
        ("math", r"\text{Tuesday}", [r"\boxed\text{Tuesday}"], []),
        ("number", "1.5", [], [r"\boxed{1 \text{ and } 1/2} 5"]),
        ("math", "(3,4)", [r"\boxed{(3, 4)}", r"\boxed{\text{(3, 4)}}"], []),
    ],
    "thinking": [
        ("number", "42", [r"<think>\boxed{41}</think>The answer is 41.<think>no</think>It is 42.",
          r"\boxed{41}</think>It is 42.",
          '<reasoning>\n\\boxed{41}\n</reasoning>\n<answer>\n42\n</answer>',
          r"<think>a</think>\boxed{42}<think>hm 41", "[THINK]41[/THINK]42",
          r"<seed:think>\boxed{41}</seed:think>\boxed{42}", "< think >41</ think >42",
          "analysis 41</think> 42", '<thinking>\\boxed{41}</thinking>\n\n42',
          '<THINKING>\\boxed{41}</THINKING>\n\n42', "The `<think>` tag. The answer is 42."],
          [r"<think>\boxed{42}", "◁think▷ 41", r"<|channel|>analysis<|message|>\boxed{41}", "x42"]),
    ],
    "elements": [
        ("math", "42", ['<think>a</think>\n<answer>42</answer>', "<answer>x = 42</answer>"], []),
    ],
    "readings": [
        ("number", "1000", ["The answer is 10^3 m."], []), ("number", "100000", ["10**5"], []),
    ],
}  # fmt: skip


async def misjudged(rows: list[Row], form: str, worker: MathWorker) -> list[str]:
    found = []
    for kind, gold, right, wrong in rows:
        for reply in right + wrong:
            answer = extract(form.format(reply), problem(kind))
            if await grade(Reference(gold, kind), answer, worker=worker) != (reply in right):
                found.append(f"{kind} {gold!r}: {reply!r} read as {answer!r}")
    return found


@pytest.mark.parametrize("kind", BOXED)
async def test_a_boxed_answer_has_its_value(kind: str, worker: MathWorker) -> None:
    assert await misjudged(BOXED[kind], r"\boxed{{{}}}", worker) == []


@pytest.mark.parametrize("kind", REPLIES)
async def test_a_reply_has_its_value(kind: str, worker: MathWorker) -> None:
    assert await misjudged(REPLIES[kind], "{}", worker) == []
