"""Spans of jobs, for OpenTelemetry: one for an attempt at a job, and in it one for each stage.

Nothing is collected unless `collect` was called, which `diarist serve` does where the environment names a collector. A
span holds ids, seconds and how a job ended; no name and no word.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import Span

from diarist.extras import install
from diarist.jobs.job import Job
from diarist.model.errors import InputError

_TRACER: Final = trace.get_tracer("diarist")


class JobTrace:
    """The spans of one attempt. Told of progress from any thread."""

    def __init__(self, job: Job) -> None:
        attributes: dict[str, str | int | float] = {"diarist.job": job.id, "diarist.attempt": job.attempts}
        if job.seconds is not None:
            attributes["diarist.audio_seconds"] = job.seconds
        if job.started is not None:
            attributes["diarist.waited_seconds"] = round(job.started - job.created, 3)
        self._span = _TRACER.start_span("job", attributes=attributes)
        self._stages: dict[str, Span | None] = {}
        self._lock = threading.Lock()

    def report(self, stage: str, done: float) -> None:
        """A stage began with its first report, and ended when all of it is done."""
        with self._lock:
            if stage not in self._stages:
                self._stages[stage] = _TRACER.start_span(stage, context=trace.set_span_in_context(self._span))
            if done >= 1:
                self._end(stage)

    def end(self, how: str) -> None:
        """The attempt ended: ``completed``, ``failed``, ``cancelled``, or ``handed back``."""
        with self._lock:
            for stage in self._stages:
                self._end(stage)
        self._span.set_attribute("diarist.ended", how)
        self._span.end()

    def _end(self, stage: str) -> None:
        span = self._stages[stage]
        if span is not None:
            span.end()
            self._stages[stage] = None


def collect(environ: Mapping[str, str]) -> None:
    """Send spans to the collector that the environment names, as OpenTelemetry's own variables say; else do nothing.

    Raises:
        InputError: a collector is named, and the packages of the extra ``otel`` are not installed.
    """
    if not {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} & environ.keys():
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise InputError(
            "missing_package", "Sending spans to a collector needs packages more.", f"Run: {install('otel')}"
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": environ.get("OTEL_SERVICE_NAME", "diarist")}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
