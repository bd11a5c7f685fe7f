"""Weights on their way through training: GGUF to Hugging Face, to GGUF, to the embedded engine.

    python benchmarks/roundtrip.py [--model qwen2.5-coder-0.5b] [--tokens 32] [--shift 0.01]

The file of a catalogue's model is loaded for training. A random change of rank 8 is added to each
matrix of each layer, of ``--shift`` of its norm, as training would change it: an untrained weight
that came from Q8_0 would be written as it was. The model is saved, loaded back, and loaded into the
embedded engine. All take 20 prompts and answer them greedily. Printed are

- seconds and memory of loading and saving;
- texts whose tokens differ between the trainer's tokenizer and the engine's, of 40 with digits,
  blanks, special tokens and many scripts;
- the difference of the logits of the trained and the saved model, over the prompts and the trained
  model's answers, beside the spread of the logits, and how often they choose the same token;
- how many answers are equal to the last token, how many tokens it takes to the first difference,
  and what the trained model thinks of the other token there: trained against saved shows the
  rounding to eight bits, saved against engine the engine's arithmetic, trained against engine both.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ponder.core.problem import Message
from ponder.learning.weights.loading import load
from ponder.learning.weights.saving import save
from ponder.models import catalog
from ponder.models.base import Request
from ponder.models.openvino import converted
from ponder.models.openvino import model as openvino

QUESTIONS = (
    "What is 17 + 25?", "Name three prime numbers above 50.", "Write a haiku about rain.",
    "Reverse the word 'lantern'.", "Translate 'good morning' into French.",
    "Write a Python function that returns the square of x.", "What is the capital of Norway?",
    "Sort 9, 4, 7, 1.", "How many days has a leap year?", "What does HTTP stand for?",
    "Explain recursion in one sentence.", "Write a SQL query that counts users.",
    "Tom has 3 boxes with 4 apples each. How many apples?", "Is 91 a prime number?",
    "Use 3, 5, 7 and + - * / to make 26.", "What comes after Tuesday?", "Spell 'rhythm'.",
    "Write a regular expression for a date.", "What is 12.5 % of 80?", "Who wrote Hamlet?",
)  # fmt: skip
PIECES = (
    "a", "The", " apple", "12", "3.14", "1,000", "'s", "'LL", "don’t", " ", "   ", "\n", "\r\n",
    "\t", "é", "e\u0301", "日本語", "한국어", "हिन्दी", "ไทย", "٣٤", "½", "Ⅷ", "👩‍👩‍👧", "\u00a0",
    "\u200b", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<tool_call>", "def f(x):", "x**2",
    "…", "—", "≠", "$\\frac{1}{2}$", "ΑΒΓ", "шум",
)  # fmt: skip
RANK = 8


def texts() -> list[str]:
    rng = random.Random(7)
    return ["".join(rng.choices(PIECES, k=rng.randint(2, 12))) for _ in range(40)]


def shift(model: Any, part: float) -> None:
    """Add to each matrix of each layer a random one of rank 8 and ``part`` of its norm."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if ".layers." in name and value.dim() == 2:
                rows, columns = value.shape
                left = torch.randn(rows, RANK, generator=generator)
                change = left @ torch.randn(RANK, columns, generator=generator)
                value += change * (part * value.norm() / change.norm())


def prompt(tokenizer: Any, question: str) -> str:
    chat = [{"role": "user", "content": question}]
    return str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))


def greedy(model: Any, tokenizer: Any, tokens: int) -> list[list[int]]:
    """The answers up to an end of turn, as the tokenizer splits their text: the engine gives texts,
    and a model may write a word in other tokens than those.
    """
    tokenizer.padding_side = "left"
    batch = tokenizer([prompt(tokenizer, q) for q in QUESTIONS], padding=True, return_tensors="pt")
    with torch.no_grad():
        rows = model.generate(**batch, max_new_tokens=tokens, do_sample=False)
    answers = rows[:, batch["input_ids"].shape[1] :]
    texts = tokenizer.batch_decode(answers, skip_special_tokens=True)
    return [tokenizer(text, add_special_tokens=False).input_ids for text in texts]


async def asked(engine: Any, tokenizer: Any, tokens: int) -> list[list[int]]:
    requests = [Request((Message("user", q),), tokens, temperature=0.0) for q in QUESTIONS]
    done = await asyncio.gather(*map(engine.generate, requests))
    await engine.close()
    return [tokenizer(one.text, add_special_tokens=False).input_ids for one in done]


def logits(model: Any, tokens: Sequence[int]) -> Any:
    with torch.no_grad():
        return model(input_ids=torch.tensor([tokens])).logits[0]


def compare(
    name: str, one: list[list[int]], other: list[list[int]], judge: Any, asked: Any
) -> None:
    """Print how far two sets of answers agree, and what the trained model thinks of the other's
    first token that differs: how much less likely, in nats, than its own.
    """
    equal, until, gaps = 0, [], []
    for prefix, a, b in zip(asked, one, other, strict=True):
        at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
        if at is None:
            equal += a == b
            continue
        until.append(at)
        row = logits(judge, [*prefix, *a[:at]])[-1]
        gaps.append(float(row[a[at]] - row[b[at]]))
    said = f"{name:<22} {equal} of {len(one)} equal"
    if until:
        said += (
            f"; {len(until)} differ, at token {statistics.median(until):g} (median), where the "
            f"trained model's logits are {statistics.median(gaps):+.3f} apart (median; most "
            f"{max(gaps, key=abs):+.3f})"
        )
    print(said)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--shift", type=float, default=0.01)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch's")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    base = catalog.pull(catalog.find(given.model))
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / f"{given.model}+roundtrip.gguf"
        start = time.perf_counter()
        weights = load(base)
        print(f"load {time.perf_counter() - start:.1f} s, {_memory()}")
        trained, tokenizer = weights.model, weights.tokenizer
        if given.shift:
            shift(trained, given.shift)
        start = time.perf_counter()
        save(trained, base, output)
        size = output.stat().st_size / 1e6
        print(f"save {time.perf_counter() - start:.1f} s, {_memory()}, {size:.0f} MB")
        saved = load(output).model
        engine = openvino.load(output, on_progress=lambda line: None)
        known = engine._loaded.tokenizer
        wrong = [
            text for text in texts()
            if tokenizer(text, add_special_tokens=False).input_ids
            != known.encode(text, add_special_tokens=False).input_ids.data[0].tolist()
        ]  # fmt: skip
        print(f"texts with other tokens: {len(wrong)} of {len(texts())}", *map(repr, wrong[:3]))
        own = greedy(trained, tokenizer, given.tokens)
        theirs = greedy(saved, tokenizer, given.tokens)
        told = asyncio.run(asked(engine, tokenizer, given.tokens))
        converted.remove(output)
    prefixes = [
        tokenizer(prompt(tokenizer, q), add_special_tokens=False).input_ids for q in QUESTIONS
    ]
    largest, total, places, same = 0.0, 0.0, 0, 0
    spread: list[float] = []
    for prefix, answer in zip(prefixes, own, strict=True):
        one, other = (logits(model, [*prefix, *answer]) for model in (trained, saved))
        gap = (one - other).abs()
        largest, total = max(largest, float(gap.max())), total + float(gap.mean(-1).sum())
        places, spread = places + len(gap), [*spread, float(one.std())]
        same += int((one.argmax(-1) == other.argmax(-1)).sum())
    print(
        f"logits of trained and saved: mean difference {total / places:.4f}, largest "
        f"{largest:.3f}, standard deviation of the logits {np.mean(spread):.2f}; the same best "
        f"token at {same} of {places} places"
    )
    compare("trained against saved", own, theirs, trained, prefixes)
    compare("saved against engine", theirs, told, trained, prefixes)
    compare("trained against engine", own, told, trained, prefixes)


def _memory() -> str:
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB at most"


if __name__ == "__main__":
    main()
