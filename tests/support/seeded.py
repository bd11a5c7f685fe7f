"""A real server process's stand-in with memory: answers by seed, and counts what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.vendors.chat import logprobs
from tests.support.vendors.model import tokens


class Seeded:
    """``seeds`` are those asked for, in order; ``before`` and ``after`` are called around a reply
    with the number of requests so far. A reply is withheld while ``hold`` says so.
    """

    def __init__(self) -> None:
        self.seeds: list[int] = []
        self.before: Callable[[int], None] = lambda count: None
        self.after: Callable[[int], None] = lambda count: None
        self.hold: Callable[[int], bool] = lambda count: False
        self.released = threading.Event()
        self.held = threading.Semaphore(0)
        self.closed = threading.Semaphore(0)
        self.url = ""
        self._lock = threading.Lock()

    def answer(self, seed: int) -> str:
        return "42" if seed % 3 else str(40 + seed % 5)

    def reply(self, asked: dict[str, Any]) -> bytes:
        text = f"I think it is \\boxed{{{self.answer(asked['seed'])}}}."
        message = {"role": "assistant", "content": text}
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
        if asked.get("logprobs"):
            choice["logprobs"] = logprobs(tokens(text), asked["top_logprobs"])
        usage = {"prompt_tokens": 20, "completion_tokens": 10}
        return json.dumps({"choices": [choice], "usage": usage}).encode()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        sent = handler.rfile.read(length)
        if len(sent) < length:
            raise ConnectionResetError("the client was killed before it had sent all")
        asked = json.loads(sent)
        with self._lock:
            self.seeds.append(asked["seed"])
            count = len(self.seeds)
        self.before(count)
        if self.hold(count):
            self.held.release()
            handler.connection.recv(1)  # returns when the client closes the connection
            self.closed.release()
            handler.close_connection = True
            return
        body = self.reply(asked)
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        handler.wfile.flush()
        self.after(count)


@contextmanager
def seeded_server() -> Iterator[Seeded]:
    server_state = Seeded()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True  # the client was killed, or has gone

        def do_POST(self) -> None:
            server_state.serve(self)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server_state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server_state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def configure(folder: Path, url: str, **settings: Any) -> Path:
    """A ponder.toml with the endpoint ``loop``."""
    lines = ["[endpoints.loop]", f'base_url = "{url}"', 'model = "m"']
    lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    path = folder / "ponder.toml"
    path.write_text("\n".join(lines))
    return path
