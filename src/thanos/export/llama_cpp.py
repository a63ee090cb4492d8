"""llama.cpp's own server in this process, to see what a GGUF file answers where it will run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from thanos.engines.openai_chat import OpenAIEngine
from thanos.errors import EngineError
from thanos.export.agreement import WINDOW

SECONDS = 600.0
"""For one answer."""


def check_installed() -> None:
    """Say how to get it, before anything is written.

    Raises:
        EngineError: if it isn't there.
    """
    if find_spec("xllamacpp") is None:
        raise EngineError("a GGUF file is checked in llama.cpp: pip install 'thanos-skill-of-mind[export]'")


@contextmanager
def llama_cpp_engine(path: Path) -> Iterator[OpenAIEngine]:
    """Serve a GGUF file on a free port of this machine for as long as the block runs.

    Raises:
        EngineError: if llama.cpp refuses the file.
    """
    server = start_server(path)
    engine = OpenAIEngine("export", base_url=f"{server.listening_address}/v1", concurrency=1, timeout=SECONDS)
    try:
        yield engine
    finally:
        engine.close()
        del server


def start_server(path: Path):
    """A running xllamacpp server; it ends with its last reference. Raises as `llama_cpp_engine`."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {"export"}
    params.verbosity = 0
    params.hostnames, params.port = ["127.0.0.1"], 0
    # One request at a time: the one slot keeps the instructions that all prompts begin with.
    params.n_parallel, params.n_ctx = 1, WINDOW
    # One core is left free: llama.cpp's threads wait for each other in a loop, and stall if another process has a core.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, cores - 1)
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise EngineError(f"llama.cpp can't load {path}: {str(error).splitlines()[0]}") from None
