"""CPU engines for the embedded model, on the same weights and the same prompts, in one run: why it runs on onnxruntime.

pip install '.[export]' && python benchmarks/engines.py [--prompts 32] [--threads 2]

Each engine writes up to 80 greedy tokens for every prompt, the way it is best at: onnxruntime 16 rows together, llama.cpp's
server (xllamacpp) with 1 slot and with 16, transformers in batches of 8. Then the skills: how often the 8-bit graph and
transformers in float32 choose the same one.
"""

import argparse
import concurrent.futures
import time
from dataclasses import replace

from predict_cpu import NEW_TOKENS, make_requests, processor

from thanos.engines import load_engine
from thanos.engines.embedded.base import base_path
from thanos.predict.request import SKILL_CHOICES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    requests = make_requests(args.prompts)
    print(
        f"{processor()}, {args.threads} threads, {len(requests)} prompts, at most {NEW_TOKENS} new tokens", flush=True
    )
    for name, run in (
        ("onnxruntime, 16 rows", lambda: through_engine("embedded/base", requests)),
        ("llama.cpp server, 1 slot", lambda: through_llama_server(requests, 1, args.threads)),
        ("llama.cpp server, 16 slots", lambda: through_llama_server(requests, 16, args.threads)),
        ("transformers, batches of 8", lambda: through_engine(f"hf/{base_path()}", requests)),
    ):
        try:
            load, seconds, tokens = run()
        except ModuleNotFoundError as error:
            print(f"{name:28} not measured: {error.name} isn't installed", flush=True)
            continue
        each = seconds / len(requests)
        print(
            f"{name:28} load {load:5.1f} s {each:7.3f} s each {60 / each:7.1f} a minute {tokens / seconds:7.1f} tokens/s",
            flush=True,
        )
    compare_skills(requests)


def through_engine(model: str, requests) -> tuple[float, float, int]:
    """Seconds to load, seconds for all requests, tokens written."""
    started = time.perf_counter()
    engine = load_engine(model)
    load = time.perf_counter() - started
    next(engine.generate(requests[:1]))
    started = time.perf_counter()
    tokens = sum(result.usage.completion_tokens for result in engine.generate(requests))
    seconds = time.perf_counter() - started
    engine.close()
    return load, seconds, tokens


def through_llama_server(requests, slots: int, threads: int) -> tuple[float, float, int]:
    """The same through llama.cpp's server in this process, with its prefix cache on."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(base_path())
    params.n_parallel, params.n_ctx, params.warmup = slots, 1024 * slots, True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.verbosity = 0
    started = time.perf_counter()
    server = xllamacpp.Server(params)
    load = time.perf_counter() - started

    def ask(request) -> int:
        body = {"messages": request.messages, "max_tokens": NEW_TOKENS, "temperature": 0.0, "cache_prompt": True}
        return server.handle_chat_completions(body)["usage"]["completion_tokens"]

    ask(requests[0])
    started = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(slots) as pool:
        tokens = sum(pool.map(ask, requests))
    return load, time.perf_counter() - started, tokens


def compare_skills(requests) -> None:
    """How often the 8-bit engine and float32 transformers choose the same skill, without and with an explanation."""
    ours, theirs = load_engine("embedded/base"), load_engine(f"hf/{base_path()}")
    for mode, tokens in (("direct", 0), ("explain", NEW_TOKENS)):
        asked = [replace(request, max_tokens=tokens, choices=SKILL_CHOICES) for request in requests]
        mine = {result.key: result.choice for result in ours.generate(asked)}
        same = sum(result.choice == mine[result.key] for result in theirs.generate(asked))
        print(f"{mode}: the same skill in 8 bits and in float32 for {same} of {len(asked)}", flush=True)


if __name__ == "__main__":
    main()
