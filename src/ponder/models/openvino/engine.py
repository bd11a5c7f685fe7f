"""The process in which OpenVINO generates: one loop that admits, steps and reports.

It needs its own process, since the pipeline's ``step`` holds the interpreter's lock while it
computes (a tenth of a second): nothing else in our process could run while a model generates. Its
standard input is its lifeline: when that ends, in whatever way, the process exits too.

**Leaders.** The engine looks for a cached prompt when a request is added, not when it is scheduled,
so N requests for one new prompt would evaluate it N times. Therefore a *leader* evaluates it first:
requests of one token, which is discarded and costs nothing beyond the prompt. Only then are the
samples added, all before the next step, each evaluating nothing but the prompt's last token.

The leader also precedes samples whose prompt is cached, in pieces that depend on the prompt alone
(split at multiples of ``PIECE`` and at the last block). So a sample always starts from the same
cache, however the prompt came into it and whatever else is in the batch: same seed, same text, as
far as the engine's arithmetic is the same (it is for six rows and more in a step; with fewer it
uses other kernels, which round differently).
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO

from ponder.models.openvino.cache import BLOCK, PIECE, Blocks, chain, pieces, tail
from ponder.models.openvino.messages import Done, Frame, Job, Metrics, Setup, Tokens
from ponder.util.errors import brief

BEAMS = 8
"""Most likely tokens to report: each takes about 15 ms on two cores, and eight have nearly all of
the probability.
"""


@dataclass(slots=True)
class Lead:
    """The samples that wait for one prompt, and the progress of its leader."""

    prompt: Tokens
    jobs: deque[Job] = field(default_factory=deque)
    ends: list[int] = field(default_factory=list)  # the pieces left, if it is under way
    taken: int = 0  # slots reserved for samples that start when it is done
    cached: int = 0
    running: Any = None  # handle of the piece that is being evaluated


@dataclass(slots=True)
class Live:
    """A sample that is being generated."""

    job: Job
    handle: Any
    cached: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    before: int = 0  # tokens[before:told] are decoded again with the next, since the first token
    told: int = 0  # of a text may lose its blank; the text of tokens[:told] was reported
    top: list[tuple[int, float]] = field(default_factory=list)  # the likeliest first tokens


class Engine:
    """Drives one pipeline. Not thread-safe; ``genai`` and ``tensor`` are the modules' own."""

    def __init__(self, pipeline: Any, genai: Any, tensor: Any, slots: int, blocks: int) -> None:
        self._pipeline, self._genai, self._tensor, self._slots = pipeline, genai, tensor, slots
        self._tokenizer = pipeline.get_tokenizer()
        self._blocks = Blocks(blocks // 2)  # the other half: what samples in flight are filling
        self._leads: OrderedDict[Tokens, Lead] = OrderedDict()
        self._live: dict[int, Live] = {}
        self._steps = self._ids = self._tokens = 0

    @property
    def busy(self) -> bool:
        """True if a step would have work."""
        return bool(self._live or self._leads) or self._pipeline.has_non_finished_requests()

    def add(self, job: Job) -> None:
        """Queue a sample."""
        self._leads.setdefault(job.prompt, Lead(job.prompt)).jobs.append(job)

    def cancel(self, id: int) -> None:
        """Drop a sample; its slot is free at the next step."""
        if live := self._live.pop(id, None):
            live.handle.cancel()
            self._blocks.add(live.job.prompt + tuple(live.tokens[:-1]))
            return
        for lead in self._leads.values():
            waiting = deque(job for job in lead.jobs if job.id != id)
            if len(waiting) < len(lead.jobs):
                lead.jobs = waiting
                lead.taken = min(lead.taken, len(waiting))
                if not waiting:
                    self._abandon(lead)
                return

    def step(self) -> Frame:
        """Admit what fits, advance everything by a token, report."""
        grown: dict[int, int] = {}
        self._admit(grown)
        self._pipeline.step()
        self._steps += 1
        done = [*self._follow(grown), *self._collect(grown)]
        said = self._pipeline.get_metrics()  # when the step began
        left = said.requests if self._pipeline.has_non_finished_requests() else 0
        metrics = Metrics(left, self._steps, said.cache_usage, self._tokens)
        return Frame(metrics, grown, done, texts=self._texts())

    def _admit(self, grown: dict[int, int]) -> None:
        """Start leaders, or their next pieces, as far as slots and memory permit."""
        room = PIECE
        underway: set[int] = (
            set()
        )  # blocks that this step evaluates: no other leader shall evaluate them too
        for lead in list(self._leads.values()):
            if not lead.taken:
                lead.taken = min(len(lead.jobs), self._free())
                if not lead.taken:
                    continue
                lead.cached = min(self._blocks.cached(lead.prompt), tail(len(lead.prompt)))
                lead.ends = pieces(len(lead.prompt), lead.cached)
                grown[lead.jobs[0].id] = 0  # the sample that pays for the prompt
            if lead.running is not None:
                continue
            end = lead.ends[0]
            cached = self._blocks.cached(lead.prompt[:end])
            fresh = set(list(chain(lead.prompt[:end]))[cached // BLOCK :])
            if (end - cached > room and room < PIECE) or fresh & underway:
                continue
            room -= end - cached
            underway |= fresh
            lead.running = self._request(lead.prompt[:end], self._config(max_tokens=1))

    def _follow(self, grown: dict[int, int]) -> Iterator[Done]:
        """Record the pieces that are done; start the samples whose prompt is complete."""
        for lead in list(self._leads.values()):
            if lead.running is None or lead.running.get_status() == self._status.RUNNING:
                continue
            if lead.running.get_status() == self._status.IGNORED:
                yield from (Done(job.id, error=self._full(job)) for job in lead.jobs)
                del self._leads[lead.prompt]
                continue
            lead.running = None
            self._blocks.add(lead.prompt[: lead.ends.pop(0)])
            if lead.ends:
                continue
            cached = lead.cached
            for _ in range(min(len(lead.jobs), lead.taken + self._free())):
                job = lead.jobs.popleft()
                try:
                    handle = self._request(job.prompt, self._sampling(job))
                except (RuntimeError, TypeError) as error:  # a setting that it does not accept
                    yield Done(job.id, error=brief(error))
                    continue
                self._live[job.id] = Live(job, handle, cached)
                grown[job.id] = 0
                cached = len(lead.prompt) - 1  # the leader's last block too, if it is not full
            lead.taken = 0
            del self._leads[lead.prompt]
            if lead.jobs:  # behind the leads that arrived while it had no slot
                self._leads[lead.prompt] = lead

    def _collect(self, grown: dict[int, int]) -> Iterator[Done]:
        """Read the tokens that the step generated."""
        checks = []
        for live in list(self._live.values()):
            finish = None
            while live.handle.can_read():
                outputs = list(live.handle.read().values())
                if live.job.top:
                    outputs.sort(key=lambda output: output.score, reverse=True)
                    live.top += [(o.generated_ids[0], o.score) for o in outputs if o.generated_ids]
                for output in outputs[:1]:
                    live.tokens += output.generated_ids
                    self._tokens += len(output.generated_ids)
                    live.logprobs += output.generated_log_probs
                    finish = output.finish_reason
                grown[live.job.id] = len(live.tokens)
            status = live.handle.get_status()
            if status == self._status.IGNORED:
                yield self._finish(live, "length", self._full(live.job))
            elif status != self._status.RUNNING:
                reason = self._genai.GenerationFinishReason.STOP
                yield self._finish(live, "stop" if finish == reason else "length")
            elif live.job.stop and live.tokens and live.job.id in grown:
                checks.append(live)
        # The engine's own stop strings miss those that come in other tokens than their encoding
        # has, and delay all output; decoding the ends of all samples at once costs a tenth of a ms.
        ends = [live.tokens[-_window(live.job.stop) :] for live in checks]
        for live, end in zip(checks, self._tokenizer.decode(ends) if ends else (), strict=True):
            if any(stop in end for stop in live.job.stop):
                live.handle.cancel()
                yield self._finish(live, "stop")

    def _texts(self) -> dict[int, str]:
        """Return the text added to each watched sample, decoded all at once.

        A character of several tokens waits for the last of them.
        """
        grown = [v for v in self._live.values() if v.job.watched and v.told < len(v.tokens)]
        if not grown:
            return {}
        spans = [v.tokens[v.before : v.told] for v in grown] + [v.tokens[v.before :] for v in grown]
        said = self._tokenizer.decode(spans)
        texts = {}
        for live, old, new in zip(grown, said[: len(grown)], said[len(grown) :], strict=True):
            if len(new) > len(old) and not new.endswith("\ufffd"):
                texts[live.job.id] = new[len(old) :]
                live.before, live.told = live.told, len(live.tokens)
        return texts

    def _finish(self, live: Live, finish: str, error: str = "") -> Done:
        del self._live[live.job.id]
        self._blocks.add(live.job.prompt + tuple(live.tokens[:-1]))
        logprobs = tuple(min(0.0, p) for p in live.logprobs) if live.job.logprobs else ()
        top = tuple((token, min(0.0, p)) for token, p in live.top)
        return Done(live.job.id, tuple(live.tokens), logprobs, finish, live.cached, error, top)

    def _free(self) -> int:
        """Return the number of slots that are neither in use nor reserved."""
        return self._slots - len(self._live) - sum(lead.taken for lead in self._leads.values())

    def _abandon(self, lead: Lead) -> None:
        if lead.running is not None:
            lead.running.cancel()
        del self._leads[lead.prompt]

    def _request(self, prompt: Tokens, config: Any) -> Any:
        self._ids += 1
        return self._pipeline.add_request(self._ids, self._tensor(prompt), config)

    def _sampling(self, job: Job) -> Any:
        config = self._config(job.max_tokens)
        config.rng_seed = job.seed
        config.logprobs = int(job.logprobs)
        if job.top > 1:
            # The engine reports no alternatives, but beams of one token are the likeliest tokens,
            # and their scores are the log-probabilities.
            config.num_beams = config.num_return_sequences = min(job.top, BEAMS)
        elif job.temperature > 0:
            config.do_sample = True
            config.temperature, config.top_p = job.temperature, job.top_p
        return config

    def _config(self, max_tokens: int) -> Any:
        # A fresh one has no top_k, no penalties and no chat template; the end-of-text tokens
        # are filled in by the pipeline.
        config = self._genai.GenerationConfig()
        config.max_new_tokens = max_tokens
        config.do_sample = False
        config.apply_chat_template = False
        return config

    @property
    def _status(self) -> Any:
        return self._genai.GenerationStatus

    def _full(self, job: Job) -> str:
        return (
            f"the engine's cache is full: no room left for a sample with a prompt of "
            f"{len(job.prompt)} tokens; give it more memory (cache_gb) or fewer slots."
        )


def _window(stops: tuple[str, ...]) -> int:
    # A token has a byte at least, save special ones, which decode to nothing.
    return max(len(stop.encode()) for stop in stops) + 8


def serve() -> None:
    """Run the process: load as the first message requests, then obey messages until the
    input ends.
    """
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # the engine's own output must not get between the frames
    inbox: SimpleQueue[Any] = SimpleQueue()
    setup = pickle.load(source)
    threading.Thread(target=_listen, args=(source, inbox), daemon=True).start()
    try:
        engine = _load(setup)
        _send(sink, Frame())
        while True:
            _obey(engine, inbox, wait=not engine.busy)
            if engine.busy:
                _send(sink, engine.step())
    except BrokenPipeError:
        os._exit(0)
    except Exception as error:
        _send(sink, Frame(error=brief(error)))
        os._exit(1)


def import_genai() -> Any:
    """Return the module openvino_genai, without the one beside it that reports its use to Google.

    That one reports at the first import, from a forked process that may hang and keep our pipes
    open.
    """
    telemetry = "openvino_telemetry"
    absent = telemetry not in sys.modules
    if absent:
        sys.modules[telemetry] = None  # type: ignore[assignment]
    try:
        import openvino_genai
    finally:
        if absent:
            del sys.modules[telemetry]
    return openvino_genai


def _load(setup: Setup) -> Engine:
    genai = import_genai()
    import numpy as np
    import openvino as ov

    config = genai.SchedulerConfig()
    config.enable_prefix_caching = True
    config.num_kv_blocks = setup.blocks
    config.max_num_seqs = setup.slots
    config.max_num_batched_tokens = (
        PIECE + 2 * setup.slots
    )  # a whole piece fits, whichever samples run
    saving = {"enable_save_ov_model": True} if setup.save else {}
    tokenizer = genai.Tokenizer(setup.tokenizer, **saving)
    pipeline = genai.ContinuousBatchingPipeline(
        setup.path, tokenizer, config, "CPU", **setup.properties, **saving
    )
    tensor = lambda tokens: ov.Tensor(np.array([tokens], np.int64))  # noqa: E731
    return Engine(pipeline, genai, tensor, setup.slots, setup.blocks)


def _listen(source: BinaryIO, inbox: SimpleQueue[Any]) -> None:
    try:
        while True:
            inbox.put(pickle.load(source))
    finally:
        os._exit(0)  # the requesting process is gone


def _obey(engine: Engine, inbox: SimpleQueue[Any], wait: bool) -> None:
    try:
        while True:
            message = inbox.get(block=wait)
            wait = False
            if isinstance(message, Job):
                engine.add(message)
            else:
                engine.cancel(message.id)
    except Empty:
        pass


def _send(sink: BinaryIO, frame: Frame) -> None:
    pickle.dump(frame, sink, pickle.HIGHEST_PROTOCOL)
    sink.flush()
