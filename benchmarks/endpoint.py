"""A loopback endpoint that answers at once: the least that any client of it has to wait for.

python benchmarks/endpoint.py PORT
"""

from __future__ import annotations

import asyncio
import json
import sys

TEXT = "48 in April and half as many in May make 48 + 24 = 72. The answer is \\boxed{72}."


def reply(body: bytes) -> bytes:
    n = json.loads(body).get("n", 1)
    choices = [
        {"index": i, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
        for i in range(n)
    ]
    usage = {"prompt_tokens": 60, "completion_tokens": 32 * n, "total_tokens": 60 + 32 * n}
    answer = json.dumps(
        {"id": "0", "object": "chat.completion", "choices": choices, "usage": usage}
    )
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}"
    return f"{head}\r\n\r\n{answer}".encode()


class Answering(asyncio.Protocol):
    def __init__(self) -> None:
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, rest = self.received.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(rest) < length:
                return
            self.received = rest[length:]
            self.transport.write(reply(rest[:length]))


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
