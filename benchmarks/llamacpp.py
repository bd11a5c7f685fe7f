"""llama.cpp's server as an ordinary endpoint: what ``llama-server --metrics --slots`` is.

    python benchmarks/llamacpp.py path/to/model.gguf 8080

For ``benchmarks/servers.py``, where no binary of the server is installed: xllamacpp holds the same
code. It ends by SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import signal

import xllamacpp


def main(args: argparse.Namespace) -> None:
    params = xllamacpp.CommonParams()
    params.model.path = args.model
    params.port = args.port
    params.n_parallel = args.slots
    params.n_ctx = args.slots * args.context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = args.threads
    params.n_threads_http = 16
    params.endpoint_metrics = params.endpoint_slots = True
    if args.template:
        with open(args.template) as file:
            params.chat_template = file.read()
    server = xllamacpp.Server(params)
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: os._exit(0))  # its destructor waits for every sample
    print(server.listening_address, flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="a .gguf file")
    parser.add_argument("port", type=int)
    parser.add_argument("--slots", type=int, default=4, help="samples at once")
    parser.add_argument("--context", type=int, default=2048, help="tokens of each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--template", default="", help="a file with a chat template")
    main(parser.parse_args())
