"""One stretch of decoded frames to 16 kHz samples, by libswresample in a filter graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final, Protocol, cast

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.filter import Graph
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE
from diarist.audio.mix import Balance, mix_weights
from diarist.model.errors import InputError

_LOWEST_RATE: Final = 1_000  # below any telephone; a header that says 1 Hz makes hours of a kilobyte
_HIGHEST_RATE: Final = 1_000_000  # above any converter; a header that says 2 GHz makes the filter as large
_MOST_CHANNELS: Final = 64  # libswresample's own limit
_BLOCK: Final = 1 << 14  # samples per block out of the graph: few enough numpy calls, little memory


class Stretch:
    """A stretch of frames of one format, through one filter graph: mix or pick, then resample.

    ``channel`` is ``"mix"``, ``"even"`` for a mix of all alike, one index, several to be mixed, or None for each by
    itself. ``balance`` hears the channels as they are before they are mixed.
    """

    def __init__(
        self, frame: AudioFrame, channel: str | int | tuple[int, ...] | None, name: str, balance: Balance | None = None
    ) -> None:
        self._key = _format_of(frame)
        self._rate = frame.sample_rate
        num_channels = frame.layout.nb_channels
        self._places = [each.name for each in frame.layout.channels]
        self._num_in = 0
        self._num_out = 0
        if isinstance(channel, int) and not 0 <= channel < num_channels:
            raise InputError(
                "bad_channel",
                f"{name} has {num_channels} channel{'s' * (num_channels != 1)}, so there is no channel {channel}.",
                f"Name one from 0 to {num_channels - 1}.",
            )
        self.num_outputs = num_channels if channel is None else 1
        self._graph = Graph()
        self._balance = balance if channel == "mix" and num_channels > 1 else None
        self._source = self._graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=f"1/{frame.sample_rate}",
        )
        nodes = [self._source, self._graph.add("aformat", "sample_fmts=fltp")]
        if self._balance is not None:
            nodes.append(self._graph.add("asplit", "2"))
        if num_channels > 1 and channel is not None:
            chosen = (channel,) if isinstance(channel, int) else channel if isinstance(channel, tuple) else ()
            chosen = tuple(each for each in chosen if each < num_channels) or tuple(range(num_channels))
            weights = dict.fromkeys(chosen, 1 / len(chosen))
            if channel == "mix":
                weights = dict(enumerate(mix_weights(self._places)))
            mix = "+".join(f"{weight!r}*c{index}" for index, weight in weights.items())
            nodes.append(self._graph.add("pan", f"mono|c0={mix}"))
        # libswresample drops inputs shorter than its filter: silence behind the end pushes all of it out.
        nodes.append(self._graph.add("apad", f"pad_len={frame.sample_rate // 10 + 64}"))
        nodes.append(self._graph.add("aresample", str(SAMPLE_RATE)))
        # Packed: PyAV reads past the end of a planar frame with 8 channels or more.
        nodes.append(self._graph.add("aformat", f"sample_fmts=flt:sample_rates={SAMPLE_RATE}"))
        nodes.append(self._graph.add("abuffersink"))
        self._graph.link_nodes(*nodes)
        self._sink = nodes[-1]
        if self._balance is not None:
            packed, self._tap = self._graph.add("aformat", "sample_fmts=flt"), self._graph.add("abuffersink")
            nodes[2].link_to(packed, 1)
            packed.link_to(self._tap)
        self._num_channels = num_channels
        self._graph.configure()
        self._graph.set_audio_frame_size(_BLOCK)

    def takes(self, frame: AudioFrame) -> bool:
        """Whether a frame continues this stretch."""
        return _format_of(frame) == self._key

    def push(self, frame: AudioFrame) -> Iterator[NDArray[np.float32]]:
        """Yield ``(num_samples, num_outputs)`` blocks as they become ready."""
        self._num_in += frame.samples
        frame.pts = None  # time is counted in samples here; holes are dealt with outside
        self._source.push(frame)
        yield from self._pull(None)

    def finish(self) -> Iterator[NDArray[np.float32]]:
        """Yield the rest, so that the whole segment has its exact length."""
        self._source.push(None)
        yield from self._pull(math.ceil(self._num_in * SAMPLE_RATE / self._rate))

    def _pull(self, limit: int | None) -> Iterator[NDArray[np.float32]]:
        self._listen()
        while True:
            try:
                frame = self._sink.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            block = cast("NDArray[np.float32]", cast("AudioFrame", frame).to_ndarray()).reshape(-1, self.num_outputs)
            if limit is not None:
                block = block[: limit - self._num_out]
            self._num_out += len(block)
            yield block

    def _listen(self) -> None:
        if self._balance is None:
            return
        while True:
            try:
                frame = self._tap.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            block = cast("NDArray[np.float32]", cast("AudioFrame", frame).to_ndarray())
            self._balance.add(block.reshape(-1, self._num_channels), self._places, self._rate)


def check_format(frame: AudioFrame, name: str) -> None:
    """Refuse a frame with so many channels, or at such a rate, that only a broken header says so.

    Raises:
        InputError: ``audio_damaged``.
    """
    rate, num_channels = frame.sample_rate, frame.layout.nb_channels
    if not 1 <= num_channels <= _MOST_CHANNELS:
        raise InputError(
            "audio_damaged",
            f"{name} has {num_channels} channels, and at most {_MOST_CHANNELS} can be read.",
            "Its header may be wrong: write it again.",
            http_status=422,
        )
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise InputError(
            "audio_damaged",
            f"{name} has {rate} samples a second by its header, which no recording has.",
            "Its header is wrong: write it again.",
            http_status=422,
        )


def _format_of(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


class Storage(Protocol):
    """Memory for samples that grows.

    Attributes:
        samples: float32, as many as `resize` asked for last.
    """

    samples: NDArray[np.float32]

    def resize(self, length: int) -> None:
        """Make room for ``length`` samples; those that are there stay."""


MakeStorage = Callable[[], Storage]


class Heap:
    """Memory of this process. Growth is a realloc, never a second copy."""

    def __init__(self) -> None:
        self.samples: NDArray[np.float32] = np.empty(0, np.float32)

    def resize(self, length: int) -> None:
        """See `Storage`."""
        if len(self.samples):
            self.samples.resize(length, refcheck=False)
        else:
            self.samples = np.empty(length, np.float32)


class SampleBuffer:
    """A growing run of float32 samples."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        storage.resize(SAMPLE_RATE * 300)
        self._length = 0
        self.peak = 0.0
        self.over = 0

    def __len__(self) -> int:
        return self._length

    def append(self, values: NDArray[np.float32]) -> None:
        """Add ``(num_samples,)`` values."""
        end = self._length + len(values)
        if end > (size := len(self._storage.samples)):
            # numpy writes zeros into what it adds, so room to spare is memory spent: grow by little.
            self._storage.resize(max(end, size * 17 // 16))
        self._storage.samples[self._length : end] = values
        if len(values):
            peak = max(float(values.max()), -float(values.min()))
            self.peak = max(self.peak, peak)
            if peak > 1:
                self.over += int(np.count_nonzero(np.abs(values) > 1))
        self._length = end

    def take(self, gain: float = 1.0) -> NDArray[np.float32]:
        """Give up the samples times ``gain``, rounded to 16 bits and clipped: ``(num_samples,)`` float32.

        The buffer is not used afterwards.
        """
        self._storage.resize(self._length)
        samples = self._storage.samples
        for start in range(0, self._length, 1 << 20):
            block = samples[start : start + (1 << 20)]
            scaled = np.rint(block * np.float32(32768 * gain))
            np.clip(scaled, -32768, 32767, out=scaled)
            np.multiply(scaled, 1 / 32768, out=block)
        return samples
