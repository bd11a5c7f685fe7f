"""Model servers on loopback in a thread of their own: what each kind tells of itself, and answers.

Shapes by the servers' own types and documents: vLLM 0.32, SGLang, llama.cpp's server (b7214),
Ollama 0.14, LM Studio's REST API v0, OpenRouter, Anthropic and Gemini.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = Any
Reply = Json | tuple[int, Json]
"""What an address answers: a JSON value, or a status and a value; bytes are sent as they are."""
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is defined and "
    "enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


@dataclass
class Server:
    """A server, and what it was asked: method, path and body."""

    url: str
    asked: list[tuple[str, str, Json]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def bodies(self, path: str) -> list[Json]:
        return [body for _, where, body in self.asked if where == path]

    def addresses(self) -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.asked]


@contextmanager
def telling(answer: Callable[[str, str, Json], Reply | None]) -> Iterator[Server]:
    """Serve what ``answer`` makes of method, path and body; None is 404."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            server.asked.append((self.command, self.path, body))
            server.headers.append({k.lower(): v for k, v in self.headers.items()})
            found = answer(self.command, self.path, body)
            status, value = found if isinstance(found, tuple) else (200 if found else 404, found)
            stream = isinstance(value, bytes) and value.startswith(b"data:")
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            kind = "text/event-stream" if stream else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            if 300 <= status < 400:
                self.send_header("Location", str(value))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _serve

        def log_message(self, *args: object) -> None:
            pass

    held = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.daemon_threads = True
    server = Server(f"http://127.0.0.1:{held.server_address[1]}")
    thread = threading.Thread(target=held.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        held.shutdown()
        held.server_close()
        thread.join()


def listing(*rows: Json) -> Json:
    return {"object": "list", "data": list(rows)}


def chatting(
    body: Json, text: str = "It is \\boxed{42}.", prompt: int | None = None, thinking: str = ""
) -> Reply:
    """A chat completion, streamed if that is wanted. One word is one token."""
    words = sum(len(message["content"].split()) for message in body["messages"])
    usage = {"prompt_tokens": words + 4 if prompt is None else prompt, "completion_tokens": 3}
    limit = body.get("max_tokens") or body.get("max_completion_tokens")
    finish = "length" if limit < 3 else "stop"
    usage["completion_tokens"] = min(3, limit)
    one: Json = {"index": 0, "finish_reason": finish}
    if body.get("logprobs"):
        top = [{"token": "It", "logprob": -0.1}, {"token": "So", "logprob": -2.5}]
        rows = [{"token": "It", "logprob": -0.1, "top_logprobs": top}] * usage["completion_tokens"]
        one["logprobs"] = {"content": rows}
    if not body.get("stream"):
        message = {"role": "assistant", "content": text}
        if thinking:
            message["reasoning_content"] = thinking
        choices = [{**one, "index": k, "message": message} for k in range(body.get("n") or 1)]
        return {"object": "chat.completion", "choices": choices, "usage": usage}
    events = [
        {"choices": [{**one, "delta": {"content": text}}]},
        {"choices": [], "usage": usage},
    ]
    return b"".join(b"data: %b\n\n" % json.dumps(e).encode() for e in events) + b"data: [DONE]\n\n"


def vllm(
    method: str, path: str, body: Json, *, names: tuple[str, ...] = ("Qwen/Qwen3-8B",)
) -> Reply:
    """vLLM with a model that can be kept from thinking."""
    match method, path:
        case "GET", "/v1/models":
            about = {"object": "model", "owned_by": "vllm", "max_model_len": 40960}
            return listing(*({"id": name, **about, "root": name} for name in names))
        case "GET", "/version":
            return {"version": "0.32.0"}
        case "POST", "/tokenize":
            pieces = [
                "<|im_start|>",
                "user",
                "Ċ",
                "<|im_end|>",
                "Ċ",
                "<|im_start|>",
                "assistant",
                "Ċ",
            ]
            if not body.get("chat_template_kwargs", {}).get("enable_thinking", True):
                pieces += ["<think>", "ĊĊ", "</think>", "ĊĊ"]
            tokens = list(range(len(pieces)))
            return {"count": len(tokens), "tokens": tokens, "token_strs": pieces}
        case "POST", "/v1/chat/completions":
            return chatting(body)
    return None


def sglang(method: str, path: str, body: Json) -> Reply:
    match method, path:
        case "GET", "/v1/models":
            about = {"object": "model", "owned_by": "sglang", "max_model_len": 32768}
            return listing({"id": "Qwen/Qwen3-8B", **about})
        case "GET", "/get_server_info":
            return {"version": "0.5.6", "context_length": None, "reasoning_parser": "qwen3"}
        case "POST", "/v1/chat/completions":
            return chatting(body)
    return None


def llamacpp(method: str, path: str, body: Json) -> Reply:
    """llama.cpp with a template that thinks: it lets no message be continued."""
    match method, path:
        case "GET", "/v1/models":
            meta = {"n_ctx_train": 40960, "n_params": 596049920, "n_vocab": 151936}
            return listing({"id": "qwen3-0.6b-q8_0.gguf", "owned_by": "llamacpp", "meta": meta})
        case "GET", "/props":
            return {
                "default_generation_settings": {
                    "n_ctx": 4096,
                    "params": {"reasoning_format": "none"},
                },
                "total_slots": 4,
                "chat_template": TEMPLATE,
                "build_info": "b7214-1c2d3e4f",
            }
        case "POST", "/apply-template":
            if body["messages"][-1]["role"] == "assistant":
                why = "Assistant response prefill is incompatible with enable_thinking."
                return 400, {"error": {"code": 400, "message": why}}
            return {"prompt": "<|im_start|>user\n?<|im_end|>\n<|im_start|>assistant\n<think>\n"}
        case "POST", "/v1/chat/completions":
            return chatting(body, thinking="Six sevens.")
    return None


class Ollama:
    """Ollama, which loads a model when it is asked to, and continues the last message."""

    def __init__(self, *, loaded: bool = False) -> None:
        self.loaded = loaded

    def __call__(self, method: str, path: str, body: Json) -> Reply:
        match method, path:
            case "GET", "/v1/models":
                about = {"object": "model", "owned_by": "library"}
                return listing(*({"id": n, **about} for n in ("qwen3:8b", "llama3.2:latest")))
            case "GET", "/api/version":
                return {"version": "0.14.2"}
            case "POST", "/api/show":
                thinks = ["thinking"] if body["model"] == "qwen3:8b" else []
                info = {"general.parameter_count": 8190735360, "qwen3.context_length": 40960}
                return {"capabilities": ["completion", *thinks], "model_info": info}
            case "GET", "/api/ps":
                row = {"name": "qwen3:8b", "model": "qwen3:8b", "context_length": 4096}
                return {"models": [row] if self.loaded else []}
            case "POST", "/api/generate":
                self.loaded = True
                return {"done": True, "done_reason": "load"}
            case "POST", "/v1/chat/completions":
                closing = 5 * (body["messages"][-1]["role"] != "assistant")
                words = sum(len(m["content"].split()) for m in body["messages"])
                return chatting(body, prompt=words + closing)
        return None


def lmstudio(method: str, path: str, body: Json) -> Reply:
    """LM Studio: a message of the assistant is a turn like any other."""
    match method, path:
        case "GET", "/v1/models":
            return listing({"id": "qwen/qwen3-8b", "owned_by": "organization_owner"})
        case "GET", "/api/v0/models":
            about = {"state": "loaded", "max_context_length": 40960, "loaded_context_length": 8192}
            return listing({"id": "qwen/qwen3-8b", "type": "llm", **about})
        case "POST", "/v1/chat/completions":
            words = sum(len(m["content"].split()) + 5 for m in body["messages"])
            return chatting({k: v for k, v in body.items() if k != "logprobs"}, prompt=words)
    return None
