"""What waiting costs an orchestrator worker: threads, and the share of a core, with jobs that only wait.

    python benchmarks/orchestrator_waiting.py --jobs 16 --after 30 --seconds 60 --json

A platform on the loopback interface, in a process of its own, takes every job of a leg and never finishes it. The
worker's code is the real one: runner, split pipeline, client. Looks are a twentieth of the time waited apart, 5 s at
most, so the share falls as the wait grows; ``--after`` says from when it is measured.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count


def platform(ready) -> None:
    numbers = count()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            body = json.dumps({"id": f"job-{next(numbers)}", "status": "IN_PROGRESS"}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *_):
            pass

        def handle(self):
            with contextlib.suppress(ConnectionError):  # the worker is cancelled at the end
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ready.send(server.server_port)
    server.serve_forever()


async def measure(port: int, jobs: int, after: float, seconds: float) -> dict[str, float]:
    from diarist.jobs.runner import Worker
    from diarist.runpod.orchestrator import load_orchestrator

    env = {
        "TRANSCRIPTION_ENDPOINT_ID": "t",
        "DIARIZATION_ENDPOINT_ID": "d",
        "CHILD_API_KEY": "k",
        "DIARIST_RUNPOD_URL": f"http://127.0.0.1:{port}",
    }
    worker = Worker(load_orchestrator(env))
    before = threading.active_count()
    tasks = [
        asyncio.create_task(worker.handle({"id": str(n), "input": {"audio": f"https://example.org/{n}"}}))
        for n in range(jobs)
    ]
    await asyncio.sleep(after)
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    spent, passed = time.process_time() - cpu, time.perf_counter() - wall
    threads = threading.active_count() - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"jobs": jobs, "threads": threads, "percent_of_a_core": round(100 * spent / passed, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=16)
    parser.add_argument("--after", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=platform, args=(theirs,), daemon=True)
    server.start()
    result = asyncio.run(measure(mine.recv(), arguments.jobs, arguments.after, arguments.seconds))
    server.terminate()
    if arguments.json:
        print(json.dumps(result))
    else:
        print(f"{result['jobs']} waiting jobs: {result['threads']} threads, {result['percent_of_a_core']} % of a core")


if __name__ == "__main__":
    main()
