"""What the caller does by itself when a recording is spread over workers, and how long each step takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from diarist.planning.profiles import Figure


@dataclass(frozen=True, slots=True)
class Caller:
    """How fast a caller is, on one core.

    Attributes:
        decoding: seconds for each second of audio.
        voice: seconds for each second of audio in which it looks for voice, all of it before the first unit is cut.
        encoding: seconds for each second of audio that is sent, as FLAC.
        together: seconds for each second of audio, at the end: it joins the evidence and tells the speakers apart.
        again: seconds of audio that a unit's diarization computes besides, where it is cut off from others.
    """

    decoding: Figure
    voice: Figure
    encoding: Figure
    together: Figure
    again: Figure


def _measured(value: float) -> Figure:
    return Figure(
        value, "measured", "benchmarks/fan_out.py, CPU time for 18 min, 2-core AMD EPYC, load average 16 to 34"
    )


PACKAGED: Final = Caller(
    decoding=_measured(2.09 / 3600),
    voice=_measured(7.45 / 3600),
    encoding=_measured(1.31 / 3600),
    together=_measured(0.58 / 3600),
    again=_measured(6.0),
)
