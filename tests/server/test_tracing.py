"""What a collector of spans is told of a job: how long, and how it ended; no name and no word."""

import json
import os
import subprocess
import sys
import textwrap
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

pytest.importorskip("opentelemetry.sdk", reason="needs the extra otel")

# Spans have one collector in a process, for good: each test is a process of its own.
SCRIPT = textwrap.dedent("""
    import json, sys
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from diarist.jobs.job import Job
    from diarist.server.tracing import JobTrace

    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    job = Job(id="j1", owner="", state="running", transient=True, request="{}", digest="", name="secret.wav",
              audio=None, audio_bytes=0, seconds=12.5, created=100.0, started=103.0, ended=None, expires=None,
              attempts=1)
    traced = JobTrace(job)
    for stage, done in json.loads(sys.argv[1]):
        traced.report(stage, done)
    traced.end("completed")
    print(json.dumps([
        [span.name, dict(span.attributes), span.parent.span_id if span.parent else None, span.context.span_id]
        for span in spans.get_finished_spans()
    ]))
""")


def spans(*reports):
    command = [sys.executable, "-c", SCRIPT, json.dumps(reports)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_a_job_is_a_span_with_one_for_each_stage():
    found = spans(("decode", 0.5), ("transcription", 0.0), ("decode", 1.0), ("decode", 1.0), ("transcription", 0.7))
    assert [name for name, *_ in found] == ["decode", "transcription", "job"]
    *stages, (_, attributes, parent, own) = found
    assert parent is None
    assert {stage[2] for stage in stages} == {own}
    assert attributes == {
        "diarist.job": "j1",
        "diarist.attempt": 1,
        "diarist.audio_seconds": 12.5,
        "diarist.waited_seconds": 3.0,
        "diarist.ended": "completed",
    }
    assert "secret" not in json.dumps(found)


def test_a_collector_that_the_environment_names_is_sent_spans():
    came = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    code = (
        "import os; from diarist.server.tracing import _TRACER, collect; from opentelemetry import trace;"
        "collect(os.environ); _TRACER.start_span('job').end(); trace.get_tracer_provider().shutdown()"
    )
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
            subprocess.run([sys.executable, "-c", code], env=env, check=True, timeout=60)
        finally:
            server.shutdown()
            thread.join()
    ((path, body),) = came
    assert path == "/v1/traces"
    assert b"job" in body
