"""The server's own cost: overhead over calling the upstream directly, plans in batches, memory over time.

    python benchmarks/serve.py [--streams 200] [--seconds 60] [--soak-minutes 10] [--only overhead,batching,soak]

The upstream, the load generator and the proxy are processes of their own on loopback; the first two are bare asyncio
protocols, so that they cost next to nothing. The upstream sends its first token after 20 ms and one every --gap-ms after
it. Direct and proxied calls alternate in rounds within one run. Exit code 1 if a goal is missed.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.request import Request, urlopen

FIRST_TOKEN = 0.020
MEDIAN_GOAL, P99_GOAL, BATCH_GOAL, GROWTH_GOAL = 0.003, 0.010, 2.0, 0.05
PLAN = "I want him to feel heard before anything else. [RESULT SKILL] Empathy"
MESSAGES = [
    {"role": "system", "content": "You are a friendly companion. Answer in one or two sentences."},
    {"role": "user", "content": "I moved here a month ago and still know nobody."},
    {"role": "assistant", "content": "That sounds lonely. What do you miss most?"},
    {"role": "user", "content": "My dog. She died the week before I left."},
]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(delta: dict, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    return http_chunk(b"data: " + json.dumps(head | {"choices": [choice]}).encode() + b"\n\n")


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def plan_answer() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": PLAN}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 900, "completion_tokens": 20, "total_tokens": 920}
    head = {"id": "c", "object": "chat.completion", "created": 0, "model": "plan", "usage": usage}
    body = json.dumps(head | {"choices": [choice]}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


FIRST = HEAD + chunk({"role": "assistant", "content": "I"})
TOKEN, LAST = chunk({"content": " hear"}), chunk({}, "stop") + http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
PLANNED = plan_answer()


class Upstream(asyncio.Protocol):
    """Just enough HTTP/1.1. A request for the model "plan" gets a plan at once, any other a stream."""

    def __init__(self, tokens: int, gap: float):
        self.tokens, self.gap, self.buffer, self.timer = tokens, gap, b"", None

    def connection_made(self, transport) -> None:
        self.transport, self.loop = transport, asyncio.get_running_loop()

    def connection_lost(self, _) -> None:
        if self.timer:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = int(re.search(rb"(?i)content-length: *(\d+)", self.buffer[:end]).group(1))
        if len(self.buffer) < end + 4 + length:
            return
        body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
        if b'"model": "plan"' in body or b'"model":"plan"' in body:
            self.transport.write(PLANNED)
        else:
            self.timer = self.loop.call_later(FIRST_TOKEN, self.send, 0)

    def send(self, number: int) -> None:
        self.transport.write(FIRST if number == 0 else TOKEN)
        if number + 1 < self.tokens:
            self.timer = self.loop.call_later(self.gap, self.send, number + 1)
        else:
            self.timer = self.loop.call_later(self.gap, self.transport.write, LAST)


def serve_upstream(port, tokens: int, gap: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Upstream(tokens, gap), "127.0.0.1", 0, backlog=1024)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    run_fast(main())


def run_fast(main):
    import uvloop

    return uvloop.run(main)


@dataclass
class Result:
    """What one round measured."""

    first: list[float] = field(default_factory=list)
    """Seconds to the first token."""
    plan: list[float] = field(default_factory=list)
    """Seconds of them that were planning, as the reply says."""
    whole: int = 0
    """Streams that came to their [DONE] with every token."""
    dropped: int = 0


class Caller(asyncio.Protocol):
    """One connection that sends a request, reads its stream to the end, and begins again until the time is up.

    Its first stream opens connections behind the proxy too, and isn't timed.
    """

    def __init__(self, request: bytes, tokens: int, until: float, result: Result, ended: asyncio.Future):
        self.request, self.tokens, self.until, self.result, self.ended = request, tokens, until, result, ended
        self.busy, self.warm = False, False

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.begin()

    def begin(self) -> None:
        self.busy, self.count, self.tail, self.planned = True, 0, b"", None
        self.begun = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if self.count == 0 and b'"delta"' in data:
            self.taken = now - self.begun
            found = re.search(rb'"seconds": ?([\d.]+)', data)
            self.planned = float(found.group(1)) if found else 0.0
        self.count += data.count(b'"delta"')
        self.tail = (self.tail + data)[-16:]
        if self.tail.endswith(b"0\r\n\r\n"):
            self.end()

    def end(self) -> None:
        self.busy = False
        whole = self.count == self.tokens + 1
        self.result.whole += whole
        self.result.dropped += not whole
        if whole and self.warm:
            self.result.first.append(self.taken)
            self.result.plan.append(self.planned)
        self.warm = True
        if time.perf_counter() < self.until:
            self.begin()
        else:
            self.transport.close()

    def connection_lost(self, _) -> None:
        self.result.dropped += self.busy
        if not self.ended.done():
            self.ended.set_result(None)


def request_bytes(thanos: dict | None) -> bytes:
    body = {"model": "m", "stream": True, "messages": MESSAGES} | ({"thanos": thanos} if thanos else {})
    data = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


def call(results, port: int, thanos: dict | None, streams: int, seconds: float, tokens: int, gap: float) -> None:
    """The load generator: `streams` connections, each busy all the time; they begin spread over one stream's time."""

    async def main() -> Result:
        loop, result = asyncio.get_running_loop(), Result()
        until, request, ended = time.perf_counter() + seconds, request_bytes(thanos), []
        spread = (FIRST_TOKEN + tokens * gap) / streams
        for _ in range(streams):
            done = loop.create_future()
            ended.append(done)
            make = lambda done=done: Caller(request, tokens, until, result, done)
            await loop.create_connection(make, "127.0.0.1", port)
            await asyncio.sleep(spread)
        await asyncio.gather(*ended)
        return result

    results.put(run_fast(main()))


def round_of(*arguments) -> Result:
    results = multiprocessing.Queue()
    process = multiprocessing.Process(target=call, args=(results, *arguments))
    process.start()
    result = results.get()
    process.join()
    return result


class Proxy:
    """`thanos serve` as a process."""

    def __init__(self, *arguments: str):
        command = [sys.executable, "-m", "thanos", "serve", "--port", "0", *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.port = int(re.search(r":(\d+) ", self.process.stderr.readline()).group(1))
        threading.Thread(target=lambda: sys.stderr.writelines(self.process.stderr), daemon=True).start()
        while True:
            try:
                urlopen(f"http://127.0.0.1:{self.port}/health").close()
                return
            except OSError:
                time.sleep(0.05)

    def memory(self) -> int:
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def seconds(self) -> float:
        """Processor time so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def post(self, path: str, body: dict) -> dict:
        request = Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def share(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def show(name: str, values: list[float], streams: str) -> None:
    print(f"| {name} | {1000 * statistics.median(values):.2f} | {1000 * share(values, 0.99):.2f} | {streams} |")


def spread(values: Sequence[float]) -> str:
    """The middle one of the rounds, and the least and greatest, in ms."""
    return f"{1000 * statistics.median(values):.2f} ({1000 * min(values):.2f} to {1000 * max(values):.2f})"


def overhead(options, port: int, proxy: Proxy) -> bool:
    """Direct and proxied rounds by turns; the proxied ones without planning and with it.

    Overhead is a round's median (99th percentile) less that of the direct round before it; what counts is the middle one
    of the rounds, so that other work on the machine in one of them doesn't decide.
    """
    load = (options.streams, options.seconds / options.rounds, options.tokens, options.gap_ms / 1000)
    kinds = {
        "direct": (port, None),
        "proxy, no plan": (proxy.port, {"plan": False}),
        "proxy, planned": (proxy.port, {}),
    }
    round_of(proxy.port, {"plan": False}, 20, 1.0, 5, 0.01)  # warm up
    found, used = {name: Result() for name in kinds}, dict.fromkeys(kinds, 0.0)
    own: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(options.rounds):
        for name, (where, thanos) in kinds.items():
            before, result = proxy.seconds(), round_of(where, thanos, *load)
            used[name] += proxy.seconds() - before
            into = found[name]
            into.first += result.first
            into.whole += result.whole
            into.dropped += result.dropped
            besides = [first - plan for first, plan in zip(result.first, result.plan, strict=True)]
            own[name].append((statistics.median(besides), share(besides, 0.99)))
    print(
        f"\n| first token, ms; {options.streams} streams at a time | median | p99 | streams, dropped |\n|---|---:|---:|---:|"
    )
    for name, result in found.items():
        show(name, result.first, f"{result.whole}, {result.dropped}")
    good = True
    for name in ("proxy, no plan", "proxy, planned"):
        rounds = zip(own[name], own["direct"], strict=True)
        medians, p99s = zip(*((mine[0] - its[0], mine[1] - its[1]) for mine, its in rounds), strict=True)
        print(f"| {name}: overhead besides planning | {spread(medians)} | {spread(p99s)} | |")
        good &= statistics.median(medians) <= MEDIAN_GOAL and statistics.median(p99s) <= P99_GOAL
        good &= found[name].dropped == 0
    for name in ("proxy, no plan", "proxy, planned"):
        tokens = found[name].whole * (options.tokens + 1)
        print(f"{name}: {1e6 * used[name] / tokens:.0f} microseconds of processor time a token, everything included")
    return good and found["direct"].dropped == 0


def batching(options) -> bool:
    """The same dialogues one by one and all at a time, on the embedded model."""
    proxy = Proxy("--model", options.model, "--timeout", "600", "--max-tokens", "40")
    rows = [{"turns": [{"speaker": "AB"[i % 2], "text": m["content"]} for i, m in enumerate(MESSAGES[1:])]}]
    rows = [{**rows[0], "social_context": f"They met {n} days ago."} for n in range(options.plans)]
    proxy.post("/v1/skill-of-mind", rows[0])
    begun = time.perf_counter()
    alone = [proxy.post("/v1/skill-of-mind", row) for row in rows]
    one_by_one = options.plans / (time.perf_counter() - begun)
    together: list[dict] = [{}] * len(rows)

    def ask(n: int) -> None:
        together[n] = proxy.post("/v1/skill-of-mind", rows[n])

    begun = time.perf_counter()
    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(rows))]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    batched = options.plans / (time.perf_counter() - begun)
    proxy.stop()
    same = sum(a["skill"] == b["skill"] for a, b in zip(alone, together, strict=True))
    print(f"\n| plans a second, {options.model}, {options.plans} dialogues | |\n|---|---:|")
    print(f"| one by one | {one_by_one:.2f} |\n| {options.plans} requests at a time | {batched:.2f} |")
    print(f"| ratio | {batched / one_by_one:.2f} |\n| same skill | {same} of {options.plans} |")
    return batched >= BATCH_GOAL * one_by_one


def soak(options, proxy: Proxy) -> bool:
    """Planned streams, plans, refused bodies and clients that go, for minutes; memory after the first tenth and at the end."""
    minutes, rng = options.soak_minutes, random.Random(0)
    end, seen, dropped, whole = time.monotonic() + 60 * minutes, [], 0, 0
    parts = max(10, int(6 * minutes))
    for part in range(parts):
        until = end - 60 * minutes * (1 - (part + 1) / parts)
        result = round_of(
            proxy.port,
            {},
            options.streams,
            max(1.0, until - time.monotonic() - 3),
            options.tokens,
            options.gap_ms / 1000,
        )
        dropped, whole = dropped + result.dropped, whole + result.whole
        for _ in range(20):
            leave_early(proxy.port, rng.random() / 10)
        proxy.post("/v1/skill-of-mind", {"dialogues": [{"messages": MESSAGES}] * 20})
        seen.append(proxy.memory())
    settled = max(seen[: max(1, parts // 10)])
    growth = seen[-1] / settled - 1
    print(f"\n| soak of {minutes:g} minutes, {options.streams} streams at a time | |\n|---|---:|")
    print(f"| streams, dropped | {whole}, {dropped} |\n| memory after the first tenth | {settled / 1e6:.1f} MB |")
    print(f"| memory at the end | {seen[-1] / 1e6:.1f} MB |\n| growth | {growth:.1%} |")
    print("memory, MB: " + " ".join(f"{value / 1e6:.1f}" for value in seen))
    return growth <= GROWTH_GOAL and dropped == 0


def leave_early(port: int, seconds: float) -> None:
    """A client that goes in the middle of its stream."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request_bytes({}))
        time.sleep(seconds)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60, help="of each kind of call")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=40, help="of a stream")
    parser.add_argument("--gap-ms", type=float, default=50, help="between tokens")
    parser.add_argument("--plans", type=int, default=32)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--soak-minutes", type=float, default=10)
    parser.add_argument("--only", default="overhead,batching,soak")
    options = parser.parse_args()
    parts, good = options.only.split(","), True
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    queue = multiprocessing.Queue()
    upstream = multiprocessing.Process(
        target=serve_upstream, args=(queue, options.tokens, options.gap_ms / 1000), daemon=True
    )
    upstream.start()
    port = queue.get()
    if {"overhead", "soak"} & set(parts):
        url = f"http://127.0.0.1:{port}/v1"
        proxy = Proxy("--upstream", url, "--model", "openai/plan", "--base-url", url, "--max-concurrency", "1000")
        if "overhead" in parts:
            good &= overhead(options, port, proxy)
        if "soak" in parts:
            good &= soak(options, proxy)
        proxy.stop()
    if "batching" in parts:
        good &= batching(options)
    print(f"load at the end {os.getloadavg()[0]:.1f}; {'all goals met' if good else 'A GOAL WAS MISSED'}")
    upstream.terminate()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
