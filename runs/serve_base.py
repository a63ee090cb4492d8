"""Serve the embedded engine's base weights on an OpenAI-compatible endpoint: llama.cpp's own server, in this process.

    python runs/serve_base.py [--port 8019]

Prints the base URL as soon as the server answers, and serves until it is killed. The base, SmolLM2-135M-Instruct, is
not tuned: it keeps to a JSON schema because the server makes it, and writes weak explanations. It stands in for a real
annotator where none is at hand, so that everything around it can be tried and tested offline.
"""

import argparse
import os
import signal

import xllamacpp

from thanos.engines.embedded.base import base_path

CONTEXT = 2048
"""Tokens. The annotation prompt takes about 1,700, so that an answer which has lost its way is cut off soon."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    options = parser.parse_args()

    params = xllamacpp.CommonParams()
    params.model.path = str(base_path())
    params.verbosity = 0
    params.model_alias = {"base"}
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
    # One request at a time: the one slot keeps the instructions that all prompts begin with.
    params.n_parallel, params.n_ctx = 1, CONTEXT
    # One core is left free: llama.cpp's threads wait for each other in a loop, and stall if another process has a core.
    threads = max(1, len(os.sched_getaffinity(0)) - 1)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(params)
    print(f"{server.listening_address}/v1", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
