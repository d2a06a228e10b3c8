"""A recording for the wire: its own bytes while they fit, then lossless FLAC, then Opus.

An hour of speech is 230 MB of samples, about 58 MB of FLAC, and 6.5 MB of Opus when packed for a request of 10 MB of
base64 (``benchmarks/audio.py``).
"""

from __future__ import annotations

import io
from contextlib import nullcontext
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, NamedTuple

import numpy as np

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.recording import WHOLE, Recording
from diarist.model.errors import InputError
from diarist.model.progress import Progress, ignore

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from numpy.typing import NDArray

MIN_BITRATE: Final = 12_000
"""Below this, Opus starts to leave out the upper half of the band that recognisers hear (bit/s)."""
MAX_BITRATE: Final = 48_000
"""Above this, Opus gains nothing on mono speech (bit/s)."""

_BLOCK: Final = SAMPLE_RATE * 4
_OGG_HEAD: Final = 1_000  # bytes: more than Ogg's first pages
_OGG_RATE: Final = 600  # bit/s: a page a second, a length a packet


class Packed(NamedTuple):
    """A recording ready to be sent.

    Attributes:
        data: a whole file.
        codec: ``"original"`` (the caller's own bytes), ``"flac"`` (bit-exact) or ``"opus"`` (Ogg/Opus).
        seconds: its length; for the caller's own bytes what their header says, None where it says nothing.
        warnings: what was wrong with the recording, as far as it was decoded here.
    """

    data: bytes
    codec: Literal["original", "flac", "opus"]
    seconds: float | None = None
    warnings: tuple[str, ...] = ()


def pack_recording(recording: Recording, max_bytes: int | None, progress: Progress = ignore) -> Packed:
    """Make a recording ready to be sent: as it is if that fits, else as `pack` does.

    Its own bytes are sent where they are at hand and all of it is meant; then nothing is decoded here, and whoever
    receives it decodes as this machine would. They are looked at, so that what is no recording is not sent at all.

    Args:
        recording: what to send.
        max_bytes: room for the file; None where there is no limit.
        progress: told of reading it; may raise `Cancelled`.

    Raises:
        InputError: it cannot be had, is no recording, or does not fit (``audio_too_large``).
    """
    from diarist.audio.decode import decode, probe

    if recording.has_bytes and recording.cut == WHOLE and not recording.decoded:
        # Opened once: what comes through a pipe is not there a second time.
        with recording.open(progress) as file:
            start = file.tell()
            data = file.read() if max_bytes is None else file.read(max_bytes + 1)
            file.seek(start)
            opened = Recording(recording.name, lambda _: nullcontext(file))
            if data and (max_bytes is None or len(data) <= max_bytes):
                return Packed(data, "original", probe(opened))
            del data
            audio = decode(opened, progress=progress)
    else:
        audio = decode(recording, progress=progress)
    if max_bytes is None:
        return Packed(encode_flac(audio), "flac", audio.duration, audio.warnings)
    packed = pack(audio, max_bytes)
    return packed._replace(seconds=audio.duration, warnings=audio.warnings)


def encode_flac(audio: Audio) -> bytes:
    """Encode without loss: decoding gives the same samples, bit for bit."""
    file = io.BytesIO()
    write_flac(audio, file)
    return file.getvalue()


def write_flac(audio: Audio, file: BinaryIO) -> None:
    """Encode as `encode_flac` does, block by block, into a file that can be sought."""
    _write(audio, file, "flac", "flac", {}, None, None)


def encode_opus(audio: Audio, bitrate: int) -> bytes:
    """Encode as Ogg/Opus.

    Decoding gives the same number of samples.

    Args:
        audio: what to encode.
        bitrate: mean rate in bit/s, 6000 to 256000; quiet or simple sound takes less.
    """
    data = _encode_opus(audio, bitrate, "constrained", None)
    assert data is not None  # noqa: S101
    return data


def pack(audio: Audio, max_bytes: int) -> Packed:
    """Encode as FLAC if that fits, else as Opus at the best bit rate that does.

    Args:
        audio: what to send.
        max_bytes: room for the file. Base64 makes it a third larger: 10 MB of JSON have room for 7.4 MB.

    Raises:
        InputError: the recording does not fit even at `MIN_BITRATE` (``audio_too_large``).
    """
    flac = _encode(audio, "flac", "flac", {}, None, max_bytes)
    if flac is not None:
        return Packed(flac, "flac")
    bitrate = min(MAX_BITRATE, int((max_bytes - _OGG_HEAD) * 8 / max(audio.duration, 0.06)) - _OGG_RATE)
    if bitrate >= MIN_BITRATE:
        # A variable rate stays below its target on speech, at half the work. Noise can drive it beyond.
        for rate_control in ("constrained", "off"):
            opus = _encode_opus(audio, bitrate, rate_control, max_bytes)
            if opus is not None:
                return Packed(opus, "opus")
    raise InputError(
        "audio_too_large",
        f"{audio.duration / 60:.1f} minutes of sound do not fit into {max_bytes / 1e6:.2f} MB.",
        "Give an https URL or a volume: path instead, or set up a bucket.",
        http_status=413,
    )


def _encode_opus(audio: Audio, bitrate: int, rate_control: str, max_bytes: int | None) -> bytes | None:
    # Frames of 60 ms spend least on headers.
    return _encode(audio, "ogg", "libopus", {"vbr": rate_control, "frame_duration": "60"}, bitrate, max_bytes)


def _encode(
    audio: Audio, container: str, codec: str, options: dict[str, str], bitrate: int | None, max_bytes: int | None
) -> bytes | None:
    """Encode into memory; None as soon as that outgrows ``max_bytes``."""
    file = io.BytesIO()
    if not _write(audio, file, container, codec, options, bitrate, max_bytes):
        return None
    data = file.getvalue()
    return data if max_bytes is None or len(data) <= max_bytes else None


def _write(
    audio: Audio,
    file: BinaryIO,
    container: str,
    codec: str,
    options: dict[str, str],
    bitrate: int | None,
    max_bytes: int | None,
) -> bool:
    """Encode block by block; stops, and says so, as soon as the file outgrows ``max_bytes``."""
    import av

    with av.open(file, "w", format=container) as output:
        stream: AudioStream = output.add_stream(codec, rate=SAMPLE_RATE, options=options)  # type: ignore[assignment]
        context: AudioCodecContext = stream.codec_context
        context.format, context.layout = "s16", "mono"
        if bitrate is not None:
            stream.bit_rate = bitrate
        for start in range(0, len(audio.samples), _BLOCK):
            frame = av.AudioFrame.from_ndarray(
                _to_int16(audio.samples[start : start + _BLOCK]).reshape(1, -1), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            output.mux(stream.encode(frame))
            if max_bytes is not None and file.tell() > max_bytes:
                return False
        output.mux(stream.encode(None))
    return True


def _to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
