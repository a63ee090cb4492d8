"""Annotation against a local server: speed, nothing lost, nothing twice, also after SIGKILL.

    python benchmarks/annotate.py [--turns 60000]

The server answers after 50 ms; one answer in ten is a 429, a 500, cut off, or not JSON, each as often. `thanos annotate
run` keeps 64 requests in flight. The ideal is 64 requests every 50 ms without a pause, failed ones included. The run is
killed with SIGKILL at a third of the way and started again with the same command. Exit code 1 if a goal is missed.
"""

import argparse
import asyncio
import collections
import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DELAY, CONCURRENCY, FAULTY, GOAL = 0.050, 64, 0.10, 0.85

ANSWER = {
    "explanation": "She sounds worn out by the move, and I want her to feel that I noticed before anything else.",
    "skill": "Empathy",
    "also": "Reflective Listening",
    "rejected": {"explanation": "I could list right away what still has to be packed.", "skill": "Task Execution"},
}


def completion(text: str, finish: str = "stop") -> bytes:
    message = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 1500, "completion_tokens": 90, "total_tokens": 1590}
    body = {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [message], "usage": usage}
    return json.dumps(body).encode()


def response(status: str, body: bytes, length: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length or len(body)}\r\n\r\n"
    return head.encode() + body


GOOD = response("200 OK", completion(json.dumps(ANSWER)))
BROKEN_OFF = response("200 OK", completion(json.dumps(ANSWER))[:60], length=900)
FAULTS = [
    response("429 Too Many Requests", b'{"error": {"message": "rate limit"}}'),
    response("500 Internal Server Error", b'{"error": {"message": "oops"}}'),
    BROKEN_OFF,
    response("200 OK", completion("I feel that the best skill here would be Empathy.")),
]


class Connection(asyncio.Protocol):
    """Just enough HTTP/1.1, so that the server costs next to nothing."""

    def __init__(self, rng: random.Random, counts: collections.Counter, flying: list[int]):
        self.rng, self.counts, self.flying, self.buffer = rng, counts, flying, b""

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        if head.startswith(b"get"):
            self.buffer = self.buffer[end + 4 :]
            self.transport.write(response("200 OK", json.dumps(self.counts).encode()))
            return
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self.buffer) < end + 4 + length:
            return
        self.buffer = self.buffer[end + 4 + length :]
        self.flying[0] += 1
        self.counts["most in flight"] = max(self.counts["most in flight"], self.flying[0])
        answer = self.rng.choice(FAULTS) if self.rng.random() < FAULTY else GOOD
        self.counts["requests"] += 1
        self.counts["faulty"] += answer is not GOOD
        loop = asyncio.get_running_loop()
        loop.call_later(DELAY, self.answer, answer, loop.time())

    def answer(self, answer: bytes, asked: float) -> None:
        self.counts["seconds"] += asyncio.get_running_loop().time() - asked
        self.flying[0] -= 1
        self.transport.write(answer)
        if answer is BROKEN_OFF:
            self.transport.close()


def serve(port: multiprocessing.Queue) -> None:
    async def main() -> None:
        rng, counts, flying = random.Random(0), collections.Counter(), [0]
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(rng, counts, flying), "127.0.0.1", 0, backlog=512)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def write_turns(path: Path, number: int) -> None:
    rng = random.Random(1)
    words = ("the", "a", "move", "box", "key", "street", "friend", "late", "work", "rain", "tea", "letter", "train")
    text = lambda: " ".join(rng.choice(words) for _ in range(15))
    with path.open("w") as file:
        for n in range(number):
            dialogue = [{"speaker": "AB"[i % 2], "text": text()} for i in range(5)]
            row = {
                "id": f"made:{n}:5",
                "source": "made",
                "social_context": "A and B share a flat.",
                "dialogue": dialogue,
            }
            file.write(json.dumps(row | {"speaker": "B", "response": {"speaker": "B", "text": text()}}) + "\n")


def counts_of(url: str) -> dict[str, int]:
    from urllib.request import urlopen

    return json.load(urlopen(url))


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--turns", type=int, default=60_000)
    turns = options.parse_args().turns
    queue: multiprocessing.Queue = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(queue,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{queue.get()}/v1"
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "turns.jsonl", Path(folder) / "out.jsonl"
        write_turns(source, turns)
        command = [sys.executable, "-m", "thanos", "annotate", "run", str(source), "-o", str(output)]
        command += ["-m", "openai/m", "--base-url", url, "--concurrency", str(CONCURRENCY)]
        first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        lines = lambda: output.read_bytes().count(b"\n") if output.exists() else 0
        while lines() < turns // 3 and first.poll() is None:
            time.sleep(0.05)
        first.send_signal(signal.SIGKILL)
        first.wait()
        at_kill, before = lines(), counts_of(url)
        start, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        second = subprocess.Popen(command)
        while lines() <= at_kill and second.poll() is None:  # loading and the estimate aren't annotation
            time.sleep(0.005)
        begun, begun_at = time.perf_counter(), lines()
        second.wait()
        end, after = time.perf_counter(), counts_of(url)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        rows = [json.loads(line) for line in output.read_bytes().splitlines()]
    server.terminate()
    done = turns - begun_at
    requests = after["requests"] - before["requests"]
    ideal = CONCURRENCY / DELAY * (1 - FAULTY)
    rate = done / (end - begun)
    processor = used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime
    ids = collections.Counter(row["id"] for row in rows)
    whole = len(ids) == turns and max(ids.values()) == 1
    print(f"turns                    {turns:,} (killed with {at_kill:,} written, then {turns - at_kill:,} more)")
    print(f"answers                  {after['requests']:,}, {after['faulty']:,} of them faulty")
    print(f"most in flight           {after['most in flight']}")
    print(
        f"rate                     {rate:,.0f} rows/s, {rate / ideal:.1%} of {ideal:,.0f} (64 / 50 ms, less 10% faulty)"
    )
    late = 1000 * (after["seconds"] - before["seconds"]) / requests
    print(f"the server's own answers {late:.1f} ms on average (more than 50: the machine is busy)")
    print(f"whole second run         {end - start:.1f} s, start-up and estimate {begun - start:.1f} s")
    print(f"processor time           {1000 * processor / requests:.2f} ms a request; load {os.getloadavg()[0]:.1f}")
    print(f"nothing lost or twice    {'yes' if whole else 'NO'}")
    print(f"peak memory of the run   {used.ru_maxrss / 1024:.0f} MB")
    return 0 if whole and rate >= GOAL * ideal and second.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
