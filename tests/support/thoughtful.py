"""An endpoint on loopback, in a thread, whose model thinks, calls the tool that it is offered, and
writes JSON where it is asked for.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

QUESTION = "How many is six times seven?"
THOUGHT, ANSWER, JSON = "Six sevens make forty-two.", "It is \\boxed{42}.", '{"n": 42}'
CAPABILITIES = ["seed", "stop", "tools", "schema"]
"""Its capabilities, as ``ponder.toml`` names them."""


def reply(asked: dict[str, Any]) -> dict[str, Any]:
    """The message that answers a request."""
    last = asked["messages"][-1]
    if last["role"] == "tool":
        return {"content": f"It is {last['content']}."}
    if tools := asked.get("tools"):
        called = {"name": tools[0]["function"]["name"], "arguments": '{"city": "Paris"}'}
        return {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": called}]}
    if "response_format" in asked:
        return {"content": JSON}
    return {"reasoning_content": THOUGHT, "content": ANSWER}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._send(404, "application/json", b"{}")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = reply(asked)
        finish = "tool_calls" if "tool_calls" in message else "stop"
        usage = {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17}
        if not asked.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish}
            body = {"choices": [choice], "usage": usage}
            self._send(200, "application/json", json.dumps(body).encode())
            return
        deltas = [{name: value} for name, value in message.items()]
        chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": usage}
        events = [f"data: {json.dumps(chunk)}\n\n" for chunk in [*chunks, end]]
        self._send(200, "text/event-stream", "".join([*events, "data: [DONE]\n\n"]).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def thoughtful() -> Iterator[str]:
    """Serve until the block ends; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
