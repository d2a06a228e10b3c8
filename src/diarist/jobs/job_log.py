"""What operators are told about a job: one line, without a word of what was said or where it came from."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class JobLog:
    """Collects the figures of one job.

    Args:
        job_id: the platform's name for it.

    Attributes:
        audio: seconds of the recording; None until it is known.
        bytes_in: size of the encoded recording; None until it is known.
    """

    def __init__(self, job_id: str) -> None:
        self.audio: float | None = None
        self.bytes_in: int | None = None
        self._job_id = job_id
        self._began = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the seconds of a block, however it ends."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._stages[name] = self._stages.get(name, 0.0) + time.perf_counter() - began

    def line(self, ended: str, bytes_out: int = 0) -> str:
        """Write the line, as ``key=value`` pairs.

        ``rtf`` is the real-time factor, seconds of computing for a second of recording, and ``peak_mb`` the most memory
        that the process ever had; the memory of a GPU is not in it.

        Args:
            ended: ``done``, ``cancelled`` or an error's code.
            bytes_out: size of the answer.
        """
        fields = {
            "job": self._job_id,
            "ended": ended,
            **{f"{name}_s": f"{seconds:.3f}" for name, seconds in self._stages.items()},
            "total_s": f"{time.perf_counter() - self._began:.3f}",
        }
        if self.audio is not None:
            fields["audio_s"] = f"{self.audio:.3f}"
            if self.audio > 0 and "compute" in self._stages:
                fields["rtf"] = f"{self._stages['compute'] / self.audio:.3f}"
        if self.bytes_in is not None:
            fields["bytes_in"] = str(self.bytes_in)
        fields["bytes_out"] = str(bytes_out)
        if (peak := _peak_megabytes()) is not None:
            fields["peak_mb"] = f"{peak:.0f}"
        return " ".join(f"{name}={value}" for name, value in fields.items())


def _peak_megabytes() -> float | None:
    """Most memory that this process ever had; None where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3  # bytes there, kilobytes elsewhere
