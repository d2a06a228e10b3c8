"""One stretch of decoded frames to 16 kHz samples, by libswresample in a filter graph."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, cast

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.filter import Graph
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE
from diarist.model.errors import InputError

_BLOCK: Final = 1 << 14  # samples per block out of the graph: few enough numpy calls, little memory


class Segment:
    """A stretch of frames of one format, through one filter graph: mix or pick, then resample."""

    def __init__(self, frame: AudioFrame, channel: str | int | None, name: str) -> None:
        self._key = _format_of(frame)
        self._rate = frame.sample_rate
        self._num_in = 0
        self._num_out = 0
        num_channels = frame.layout.nb_channels
        if isinstance(channel, int) and not 0 <= channel < num_channels:
            raise InputError(
                "bad_channel",
                f"{name} has {num_channels} channel{'s' * (num_channels != 1)}, so there is no channel {channel}.",
                f"Name one from 0 to {num_channels - 1}.",
            )
        self.num_outputs = num_channels if channel is None else 1
        self._graph = Graph()
        nodes = [
            self._graph.add(
                "abuffer",
                sample_rate=str(frame.sample_rate),
                sample_fmt=frame.format.name,
                channel_layout=frame.layout.name,
                time_base=f"1/{frame.sample_rate}",
            ),
            self._graph.add("aformat", "sample_fmts=fltp"),
        ]
        if num_channels > 1 and channel is not None:
            weights = (
                {channel: 1.0} if isinstance(channel, int) else dict.fromkeys(range(num_channels), 1 / num_channels)
            )
            mix = "+".join(f"{weight!r}*c{index}" for index, weight in weights.items())
            nodes.append(self._graph.add("pan", f"mono|c0={mix}"))
        # libswresample drops inputs shorter than its filter: silence behind the end pushes all of it out.
        nodes.append(self._graph.add("apad", f"pad_len={frame.sample_rate // 10 + 64}"))
        nodes.append(self._graph.add("aresample", str(SAMPLE_RATE)))
        # Packed: PyAV reads past the end of a planar frame with 8 channels or more.
        nodes.append(self._graph.add("aformat", f"sample_fmts=flt:sample_rates={SAMPLE_RATE}"))
        nodes.append(self._graph.add("abuffersink"))
        self._graph.link_nodes(*nodes).configure()
        self._graph.set_audio_frame_size(_BLOCK)

    def takes(self, frame: AudioFrame) -> bool:
        """Whether a frame continues this stretch."""
        return _format_of(frame) == self._key

    def push(self, frame: AudioFrame) -> Iterator[NDArray[np.float32]]:
        """Yield ``(num_samples, num_outputs)`` blocks as they become ready."""
        self._num_in += frame.samples
        frame.pts = None  # time is counted in samples here; holes are dealt with outside
        self._graph.push(frame)
        yield from self._pull(None)

    def finish(self) -> Iterator[NDArray[np.float32]]:
        """Yield the rest, so that the whole segment has its exact length."""
        self._graph.push(None)
        yield from self._pull(math.ceil(self._num_in * SAMPLE_RATE / self._rate))

    def _pull(self, limit: int | None) -> Iterator[NDArray[np.float32]]:
        while True:
            try:
                frame = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            block = cast("NDArray[np.float32]", cast("AudioFrame", frame).to_ndarray()).reshape(-1, self.num_outputs)
            if limit is not None:
                block = block[: limit - self._num_out]
            self._num_out += len(block)
            yield block


def _format_of(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


class SampleBuffer:
    """A growing run of float32 samples. Growth is a realloc of its own memory, never a second copy of it."""

    def __init__(self) -> None:
        self._samples = np.empty(SAMPLE_RATE * 300, np.float32)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, values: NDArray[np.float32]) -> None:
        """Add ``(num_samples,)`` values, rounded to 16 bits and clipped."""
        end = self._length + len(values)
        if end > len(self._samples):
            # numpy writes zeros into what it adds, so room to spare is memory spent: grow by little.
            self._samples.resize(max(end, len(self._samples) * 17 // 16), refcheck=False)
        scaled = np.rint(values * 32768)
        np.clip(scaled, -32768, 32767, out=scaled)
        np.multiply(scaled, 1 / 32768, out=self._samples[self._length : end])
        self._length = end

    def take(self) -> NDArray[np.float32]:
        """Give up the samples, ``(num_samples,)`` float32. The buffer is not used afterwards."""
        self._samples.resize(self._length, refcheck=False)
        return self._samples
