"""What a server counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from diarist.jobs.job import Job, Load


class Metrics:
    """Counts what ended, and says what waits. Holds no name and no text."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._jobs = Counter("diarist_jobs", "Jobs that ended, by how", ["state"], registry=self._registry)
        self._audio = Counter("diarist_audio_seconds", "Audio of completed jobs", registry=self._registry)
        self._seconds = Histogram(
            "diarist_job_seconds",
            "From submission to end",
            registry=self._registry,
            buckets=(0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400),
        )
        self._queued = Gauge("diarist_jobs_queued", "Jobs that wait", registry=self._registry)
        self._running = Gauge("diarist_jobs_running", "Jobs under way", registry=self._registry)
        self._waiting = Gauge("diarist_audio_seconds_queued", "Audio that waits", registry=self._registry)

    def ended(self, job: Job, state: str, seconds: float) -> None:
        """Count a job that ended."""
        self._jobs.labels(state).inc()
        self._seconds.observe(seconds)
        if state == "completed" and job.seconds is not None:
            self._audio.inc(job.seconds)

    def text(self, load: dict[str, Load]) -> bytes:
        """What Prometheus reads."""
        self._queued.set(sum(each.queued for each in load.values()))
        self._running.set(sum(each.running for each in load.values()))
        self._waiting.set(sum(each.seconds_queued for each in load.values()))
        return generate_latest(self._registry)
