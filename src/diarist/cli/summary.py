"""What was done, in one line at the end."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from diarist.cli.terminal import clock


@dataclass
class Summary:
    """Recordings that were transcribed.

    Attributes:
        files: how many.
        audio: their length in seconds.
        seconds: what they took, reading and fetching included, loading models left out.
        written: the files that were written.
    """

    files: int = 0
    audio: float = 0.0
    seconds: float = 0.0
    written: list[Path] = field(default_factory=list)

    def add(self, audio: float, seconds: float, written: Iterable[Path] = ()) -> None:
        """Count one recording more."""
        self.files += 1
        self.audio += audio
        self.seconds += seconds
        self.written.extend(written)

    @property
    def speed(self) -> float | None:
        """Seconds of audio in a second; None if nothing was done."""
        return self.audio / self.seconds if self.audio and self.seconds else None

    @property
    def place(self) -> Path | None:
        """The file, or the folder that holds all files, that was written."""
        if len(self.written) < 2:
            return self.written[0] if self.written else None
        return Path(os.path.commonpath([path.parent for path in self.written]) or ".")

    def __str__(self) -> str:
        files = "1 recording" if self.files == 1 else f"{self.files} recordings"
        took = f"{self.seconds:.1f} s" if self.seconds < 60 else clock(self.seconds)
        speed = f" ({self.speed:.1f} times real time)" if self.speed else ""
        written = f"; written to {self.place}" if self.written else ""
        return f"{files}, {clock(self.audio)} of audio, in {took}{speed}{written}"

    def as_json(self) -> dict[str, object]:
        """Return the same for programs."""
        return {
            "files": self.files,
            "audio_seconds": round(self.audio, 3),
            "seconds": round(self.seconds, 3),
            "speed": self.speed and round(self.speed, 2),
            "written": [str(path) for path in self.written],
        }
