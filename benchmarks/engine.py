"""Tokens per second of the embedded engine: through Ponder, bare, and beside other engines.

python benchmarks/engine.py --model Q8_0.gguf [--gguf ORIGINAL.gguf] [--endpoint URL]
                            [--n 1,8,16,24,32] [--repeat 3] [--set kv_precision=u8]

Each repeat runs all engines in turn on N samples of one question, whose prompt is cached in all of
them, with the same seeds; the table has medians of tokens per second and of the ratios within one
repeat, since other work on the machine slows all of them alike. *Bare* is OpenVINO's own pipeline
in a loop in this process; Ponder's engine is in its child process, the same file loaded twice.
``--gguf`` is what xllamacpp runs (say the original Q4_K_M file), with as many slots as samples.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ponder.core.problem import Message
from ponder.models.base import Model, Request
from ponder.models.gguf.metadata import read_header
from ponder.models.openvino import model as openvino
from ponder.models.openvino.engine import import_genai
from ponder.models.openvino.machine import usable_cores

QUESTION = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in "
    "May. How many clips did Natalia sell altogether in April and May? Explain every step at "
    "length, then check it in another way."
)
Run = Callable[[int, int], Awaitable[int]]
"""From (number of samples, tokens each) to the tokens that were generated."""


def through(model: Model) -> Run:
    async def run(n: int, tokens: int) -> int:
        done = await asyncio.gather(
            *(
                model.generate(Request((Message("user", QUESTION),), tokens, seed=seed))
                for seed in range(n)
            )
        )
        return sum(completion.completion_tokens for completion in done)

    return run


def bare(path: str, settings: openvino.Settings) -> Run:
    genai = import_genai()
    header = read_header(Path(path))
    scheduler = genai.SchedulerConfig()
    scheduler.enable_prefix_caching = True
    scheduler.num_kv_blocks = openvino._blocks(header, settings)
    scheduler.max_num_seqs = settings.slots
    scheduler.max_num_batched_tokens = 512
    pipeline: Any = genai.ContinuousBatchingPipeline(
        path, scheduler, "CPU", openvino._properties(settings)
    )
    tokenizer = pipeline.get_tokenizer()
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": QUESTION}], True)
    ids = tokenizer.encode(prompt, add_special_tokens=False).input_ids

    async def run(n: int, tokens: int) -> int:
        handles = []
        for seed in range(n):
            config = genai.GenerationConfig()
            config.max_new_tokens, config.rng_seed = tokens, seed
            config.do_sample, config.temperature = True, 0.8
            handles.append(pipeline.add_request(seed, ids, config))
        while pipeline.has_non_finished_requests():
            pipeline.step()
        return sum(len(handle.read_all()[0].generated_ids) for handle in handles)

    return run


def endpoint(url: str, name: str) -> Model:
    from ponder.models.http.endpoint import Endpoint
    from ponder.models.openai.client import OpenAICompat

    return OpenAICompat(Endpoint(name="endpoint", base_url=url, model=name))


async def measure(runs: dict[str, Run], counts: list[int], repeat: int, tokens: int) -> None:
    names = list(runs)
    others = [name for name in names if name != "ponder"]
    heads = ["N", *(f"{name} tok/s" for name in names), *(f"ponder / {name}" for name in others)]
    print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads), flush=True)
    for n in counts:
        speeds: dict[str, list[float]] = {name: [] for name in names}
        for turn in range(repeat):
            for name in names if turn % 2 == 0 else names[::-1]:
                await runs[name](1, 1)  # the prompt is in the cache now
                start = time.perf_counter()
                count = await runs[name](n, tokens)
                speeds[name].append(count / (time.perf_counter() - start))
        row = [str(n), *(f"{statistics.median(speeds[name]):.0f}" for name in names)]
        for name in others:
            ratios = [a / b for a, b in zip(speeds["ponder"], speeds[name], strict=True)]
            row.append(f"{statistics.median(ratios):.2f}")
        print("| " + " | ".join(row) + " |", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description="Tokens per second of the embedded engine.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--gguf", default="")
    parser.add_argument("--endpoint", default="", help="base URL, with /v1")
    parser.add_argument("--endpoint-model", default="model")
    parser.add_argument("--n", default="1,8,16,24,32")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--no-bare", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    counts = [int(n) for n in options.n.split(",")]
    table: dict[str, Any] = {}
    for item in options.set:
        key, _, value = item.partition("=")
        try:
            table[key] = json.loads(value)
        except ValueError:
            table[key] = value
    settings = openvino.Settings.read({"cache_gb": 1.0, **table})
    models: dict[str, Model] = {"ponder": openvino.load(options.model, settings=settings)}
    if options.gguf:
        from ponder.models.llamacpp import open_llamacpp

        models["xllamacpp"] = open_llamacpp(options.gguf, slots=max(counts), context=512)
    if options.endpoint:
        models["endpoint"] = endpoint(options.endpoint, options.endpoint_model)
    runs = {name: through(model) for name, model in models.items()}
    if not options.no_bare:
        runs["bare"] = bare(options.model, settings)
    print(f"\n`python {' '.join(sys.argv)}`  ")
    print(
        f"{platform.processor() or platform.machine()}, {usable_cores()} cores, Python "
        f"{platform.python_version()}, openvino-genai {version('openvino-genai')}; {options.tokens}"
        f" tokens per sample, median of {options.repeat}\n"
    )
    await measure(runs, counts, options.repeat, options.tokens)
    for model in models.values():
        await model.close()


if __name__ == "__main__":
    asyncio.run(main())
