"""Where decoded frames go: the part that is wanted, mixed, resampled, and with holes filled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

import numpy as np
from av import AudioFrame
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE
from diarist.audio.level import gain_for
from diarist.audio.mix import Balance
from diarist.audio.resample import MakeStorage, SampleBuffer, Stretch, check_format
from diarist.model.errors import InputError

_GAP_SECONDS: Final = 0.1  # smaller jumps are jitter of coarse time stamps
_MAX_GAP_SECONDS: Final = 3600.0  # larger ones are broken time stamps, not silence
_BACK_SECONDS: Final = 1.0  # time stamps that fall back by more start over
# Silence costs memory and its time stamps cost nothing: a kilobyte must not become hours. Where sound is, there are
# bytes: the thriftiest codecs need 600 of them a second.
_FREE_SECONDS: Final = 60.0
_SECONDS_A_BYTE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Part:
    """What of a recording is wanted."""

    channel: str | int | tuple[int, ...] | None
    track: int | None
    start: float
    stop: float | None
    max_seconds: float

    def __post_init__(self) -> None:
        if not 0 <= self.start < (math.inf if self.stop is None else self.stop):
            raise InputError("bad_part", "A part starts at 0 s or later, and stops after it starts.")


class Sink:
    """Mixes, resamples and collects frames: one growing buffer of samples per output channel."""

    def __init__(self, name: str, part: Part, clock: float | None, num_bytes: int, storage: MakeStorage) -> None:
        self._name = name
        self._part = part
        self._storage = storage
        self._most_silence = _FREE_SECONDS + num_bytes * _SECONDS_A_BYTE
        self._first = round(part.start * SAMPLE_RATE)
        self._last = None if part.stop is None else round(part.stop * SAMPLE_RATE)
        self._at: list[int] = []  # samples so far, kept or not
        self.balance = Balance()
        self._clock = clock  # the container's time at which the next frame should start; None where it has none
        self._buffers: list[SampleBuffer] = []
        self._segment: Stretch | None = None
        self._float = False
        self.seconds = 0.0
        self.filled = 0.0
        self.left_out = 0.0
        self.not_finite = 0

    def write(self, frame: AudioFrame) -> None:
        """Take one decoded frame."""
        check_format(frame, self._name)
        gap = self._gap(frame)
        duration = frame.samples / frame.sample_rate
        self.seconds += gap + duration
        until = self.seconds if self._part.stop is None else min(self.seconds, self._part.stop)
        if until - self._part.start > self._part.max_seconds + 1e-3:
            _refuse_length(self._name, self._part.max_seconds)
        if gap:
            self._end_segment()
        self._float = frame.format.name.startswith(("flt", "dbl"))
        if self._segment is None or not self._segment.takes(frame):
            self._end_segment()
            self._segment = Stretch(frame, self._part.channel, self._name, self.balance)
            if not self._buffers:
                self._buffers = [SampleBuffer(self._storage()) for _ in range(self._segment.num_outputs)]
                self._at = [0] * len(self._buffers)
            elif len(self._buffers) != self._segment.num_outputs:
                raise InputError(
                    "bad_channel",
                    f"{self._name} changes its number of channels midway.",
                    "Use --channels mix.",
                )
        if gap:
            for index in range(len(self._buffers)):
                if self._at[index]:  # silence before the first frame is an offset, not a hole
                    self.filled += gap / len(self._buffers)
                self._keep(index, np.zeros(round(gap * SAMPLE_RATE), np.float32))
        self._collect(self._segment.push(frame))

    def _gap(self, frame: AudioFrame) -> float:
        """Seconds of silence that belong before a frame."""
        if self._clock is None or frame.pts is None or frame.time_base is None:
            return 0.0
        ahead = float(frame.pts * frame.time_base) - self._clock
        if -_BACK_SECONDS <= ahead <= _GAP_SECONDS:
            gap, ahead = 0.0, 0.0
        else:
            gap = ahead if 0 < ahead <= _MAX_GAP_SECONDS else 0.0
            if gap > self._most_silence:
                self.left_out += gap
                gap = 0.0
            self._most_silence -= gap
        self._clock += ahead + frame.samples / frame.sample_rate
        return gap

    def close(self, lossless: bool) -> tuple[list[NDArray[np.float32]], float, float]:
        """End the last segment; give up the samples, the peak before any gain, and the gain."""
        self._end_segment()
        peak = max(buffer.peak for buffer in self._buffers)
        share = sum(buffer.over for buffer in self._buffers) / max(1, sum(map(len, self._buffers)))
        gain = gain_for(peak, share, lossless and self._float)
        return [buffer.take(gain) for buffer in self._buffers], peak, gain

    def _keep(self, index: int, values: NDArray[np.float32]) -> None:
        """Append what lies inside the part that is wanted."""
        at = self._at[index]
        self._at[index] = at + len(values)
        last = len(values) if self._last is None else max(0, self._last - at)
        self._buffers[index].append(values[max(0, self._first - at) : last])

    def _end_segment(self) -> None:
        if self._segment is not None:
            self._collect(self._segment.finish())
            self._segment = None

    def _collect(self, blocks: Iterator[NDArray[np.float32]]) -> None:
        for block in blocks:
            finite = np.abs(block) < 2.0**33  # what is larger is no sound either
            if not finite.all():
                self.not_finite += int(np.count_nonzero(~finite))
                block[~finite] = 0
            for index, column in enumerate(block.T):
                self._keep(index, column)


def _refuse_length(name: str, max_seconds: float) -> NoReturn:
    limit = f"{max_seconds / 3600:g} hours" if max_seconds >= 7200 else f"{max_seconds:g} seconds"
    raise InputError(
        "audio_too_long",
        f"{name} is longer than {limit}.",
        "Cut it into parts, or take one with --start and --stop.",
        http_status=413,
    )
