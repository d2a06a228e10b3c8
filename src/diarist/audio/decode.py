"""Every container and codec that people send, video too, to mono float32 at 16 kHz. No system ffmpeg.

Rules, so that the same recording gives the same samples everywhere:

* the audio track that the file marks as its default counts, else the first, and one that is silent gives way to one
  that is not; its channels are averaged with equal weight, or one channel is picked (libswresample's own matrix would
  clip sums). In a film (5.1, 7.1) the centre holds the dialogue: the channels around it are 12 dB quieter, and the one
  for low tones is left out. Microphones that are laid out as a film are known by speech in that one: equal weights;
* libswresample resamples in float; values are then rounded to 16 bits, ties to even, without dither;
* ``num_samples`` is the decoded length times 16000 / rate, rounded up. Encoder priming is cut off as the container
  says (MP3, AAC, Opus);
* sound that starts after the picture, or has a hole in its timestamps, is filled with silence, so that times match
  what a player shows;
* channels that cancel each other are not mixed: one is left out. Very quiet recordings and those beyond full scale get
  one gain before rounding; all others keep their samples;
* NaN and infinite samples become silence. All that, damage and a missing end are told in ``Audio.warnings``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Final, Literal

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from diarist.audio.audio import Audio
from diarist.audio.containers import DECODERS
from diarist.audio.damage import Damage, damage_warnings, refuse_codec, refuse_nothing_decoded
from diarist.audio.headers import read_header
from diarist.audio.lengths import declared_seconds
from diarist.audio.level import SILENT, gain_warning
from diarist.audio.opening import open_container
from diarist.audio.recording import Recording, as_recording
from diarist.audio.resample import Heap, MakeStorage
from diarist.audio.sink import Part, Sink
from diarist.audio.tracks import choose_track, describe
from diarist.model.errors import InputError
from diarist.model.progress import Progress, ignore

MAX_SECONDS: Final = 12 * 3600.0
"""The longest recording that is decoded unless the caller says otherwise: 12 hours, 2.8 GB of samples.

The same here and in workers, so that moving to an endpoint takes nothing away. ``DIARIST_MAX_SECONDS`` lowers it where
a worker has less memory. One request has no limit but the platform's size: longer recordings go by URL or bucket.
"""

_TIMED: Final = frozenset({"matroska", "mov", "mpegts", "flv", "asf", "ogg", "nut", "mxf"})
"""Containers that stamp their packets with true times; elsewhere FFmpeg counts or guesses them."""


def decode(
    source: Recording | Audio | str | os.PathLike[str] | bytes | BinaryIO,
    *,
    channel: Literal["mix"] | int = "mix",
    track: int | None = None,
    start: float = 0.0,
    stop: float | None = None,
    max_seconds: float = MAX_SECONDS,
    progress: Progress = ignore,
    storage: MakeStorage = Heap,
) -> Audio:
    """Decode one audio track of a recording.

    Memory is the samples (64 kB a second) and a small constant: the file streams through.

    Args:
        source: a path, URL, bytes or binary file, or a `Recording` of them, which keeps the samples. For a string from
            a stranger, see `diarist.audio.recording.parse_recording`.
        channel: ``"mix"`` for the average of all channels, or a channel's index from 0.
        track: number of the audio track, from 1; None takes the default.
        start: seconds of the recording to leave out at its start.
        stop: the second of the recording to stop at; None for its end.
        max_seconds: a longer recording, or part of one, is refused.
        progress: called as ``progress("decode", done)``, 0 where the length is not known; may raise `Cancelled`.
        storage: makes what the samples are kept in.

    Raises:
        InputError: the recording cannot be had (see `recording`); is empty (``audio_empty``), not audio or
            a playlist (``audio_not_recognised``), encrypted (``audio_encrypted``), without sound (``audio_no_sound``),
            damaged beyond use (``audio_damaged``), longer than ``max_seconds`` (``audio_too_long``), or has no such
            channel (``bad_channel``), track (``bad_track``) or part (``bad_part``).
    """
    recording = _part_of(source, start, stop, track)
    cut = recording.cut
    part = Part(channel, cut.track, cut.start, cut.stop, max_seconds)
    if channel == "mix":
        return recording.audio(lambda: _decode(recording, part, progress, storage)[0])
    return _decode(recording, part, progress, storage)[0]


def decode_channels(
    source: Recording | Audio | str | os.PathLike[str] | bytes | BinaryIO,
    *,
    track: int | None = None,
    start: float = 0.0,
    stop: float | None = None,
    max_seconds: float = MAX_SECONDS,
    progress: Progress = ignore,
    storage: MakeStorage = Heap,
) -> tuple[Audio, ...]:
    """Decode every channel of one audio track on its own, e.g. the two ends of a telephone call.

    Arguments and errors are those of `decode`; the recordings have equal length.
    """
    recording = _part_of(source, start, stop, track)
    if not recording.has_bytes:
        return (decode(recording),)
    cut = recording.cut
    return _decode(recording, Part(None, cut.track, cut.start, cut.stop, max_seconds), progress, storage)


def probe(recording: Recording) -> float | None:
    """Look at a recording's head: whether it holds sound that can be decoded, and how long it claims to be.

    Returns:
        The length by its header or by FFmpeg's guess, in seconds; None where neither knows.

    Raises:
        InputError: it cannot be had, or is no recording with sound.
    """
    with recording.open() as file:
        mended = read_header(file, file.tell()).mended
        with open_container(file, recording.name, mended) as container:
            stream = container.streams.audio[choose_track(container, recording.name, None) - 1]
            if stream.codec_context is None or stream.codec_context.codec.name not in DECODERS.split(","):
                refuse_codec(recording.name)
            if stream.duration is not None and stream.time_base is not None:
                return float(stream.duration * stream.time_base)
            return None if container.duration is None else container.duration / av.time_base


def _part_of(
    source: Recording | Audio | str | os.PathLike[str] | bytes | BinaryIO,
    start: float,
    stop: float | None,
    track: int | None,
) -> Recording:
    recording = as_recording(source)
    return recording if (start, stop, track) == (0.0, None, None) else recording.part(start, stop, track)


@dataclass(slots=True)
class _Decoded:
    """One track, decoded."""

    channels: list[NDArray[np.float32]]
    peak: float
    warnings: list[str]
    track: int
    tracks: list[str]
    better: tuple[int, ...] | Literal["even"] | None


def _decode(recording: Recording, part: Part, progress: Progress, storage: MakeStorage) -> tuple[Audio, ...]:
    try:
        with recording.open(progress) as file:
            return _decode_file(file, recording.name, part, progress, storage)
    except av.error.FFmpegError as error:
        raise InputError(
            "audio_damaged",
            f"{recording.name} cannot be decoded: FFmpeg says {error.strerror or type(error).__name__}.",
            "Convert it to FLAC or WAV first.",
            http_status=422,
        ) from None
    except MemoryError:
        raise InputError(
            "audio_too_large",
            f"{recording.name} takes more memory to decode than there is.",
            "Cut it into parts, or convert it to FLAC first.",
            http_status=413,
        ) from None
    except OSError as error:  # a disk that fails or is full
        reason = error.strerror or type(error).__name__
        raise InputError("audio_unreadable", f"{recording.name} cannot be read: {reason}.") from None


def _decode_file(file: BinaryIO, name: str, part: Part, progress: Progress, storage: MakeStorage) -> tuple[Audio, ...]:
    origin = file.tell()

    def again(changed: Part) -> _Decoded:
        file.seek(origin)
        return _decode_track(file, name, changed, lambda stage, _: progress(stage, 1.0), storage)

    found = _decode_track(file, name, part, progress, storage)
    others = [number for number in range(1, len(found.tracks) + 1) if number != found.track]
    found = _mend_mix(found, part, name, again)
    if others and part.track is None:
        note = f"{name} has {len(found.tracks)} audio tracks; track {found.tracks[found.track - 1]} was taken."
        found.warnings.insert(0, f"{note} --track takes another.")
    if found.peak <= SILENT:
        for number in others:
            try:
                other = _mend_mix(again(replace(part, track=number)), replace(part, track=number), name, again)
            except InputError:
                continue
            if other.peak > SILENT:
                if part.track is None:
                    silent = f"{name} has {len(found.tracks)} audio tracks; track {found.track} is silent"
                    other.warnings.append(f"{silent}, so track {found.tracks[number - 1]} was taken.")
                    found = other
                else:
                    found.warnings.append(f"Track {found.track} of {name} is silent; try --track {number}.")
                break
    return tuple(Audio(samples, tuple(found.warnings)) for samples in found.channels)


def _mend_mix(found: _Decoded, part: Part, name: str, again: Callable[[Part], _Decoded]) -> _Decoded:
    """Decode once more without the channel that cancels the others, or with all alike, where the mix lost something.

    What was said of the mix, such as its level, is not true of what is taken.
    """
    if found.better is None:
        return found
    kept, better = found.track, found.better
    found.channels.clear()
    mended = again(replace(part, track=kept, channel=better))
    if better == "even":
        return mended
    names: dict[tuple[int, ...], str] = {(0,): "only the left one was", (1,): "only the right one was"}
    told = names.get(better, "one was not")
    mended.warnings.append(f"The channels of {name} cancel each other when mixed (opposite phase), so {told} taken.")
    return mended


def _decode_track(file: BinaryIO, name: str, part: Part, progress: Progress, storage: MakeStorage) -> _Decoded:
    origin = file.tell()
    num_bytes = file.seek(0, os.SEEK_END) - origin
    file.seek(origin)
    header = read_header(file, origin)
    with open_container(file, name, header.mended) as container:
        track = choose_track(container, name, part.track)
        stream = container.streams.audio[track - 1]
        tracks = [describe(number, each) for number, each in enumerate(container.streams.audio, 1)]
        declared = declared_seconds(container, stream, header, file, origin)
        if stream.codec_context is None or stream.codec_context.codec.name not in DECODERS.split(","):
            refuse_codec(name)
        sink = Sink(name, part, _start_time(container), num_bytes, storage)
        damage = Damage(header_mended=bool(header.mended))
        done = 0.0
        for frame in _frames(container, stream, damage):
            sink.write(frame)
            if sink.seconds - done >= 10:
                done = sink.seconds
                progress("decode", min(done / min(declared, part.stop or declared), 1.0) if declared else 0.0)
            if part.stop is not None and sink.seconds > part.stop + 0.1:
                declared = None  # the rest was not looked at
                break
        if not damage.frames:
            refuse_nothing_decoded(name, stream, damage)
        codec = stream.codec_context.codec
        channels, peak, gain = sink.close(codec.lossless and not codec.lossy)
        if part.start and not len(channels[0]):
            raise InputError("bad_part", f"{name} is {sink.seconds:.1f} s long: nothing starts at {part.start:g} s.")
        if sink.not_finite >= sum(map(len, channels)):
            raise InputError("audio_damaged", f"{name} holds no numbers.", "Record it again.", http_status=422)
        progress("decode", 1.0)
    warnings = list(damage_warnings(name, sink, damage, declared))
    if gain != 1:
        warnings.append(gain_warning(name, peak, gain))
    return _Decoded(channels, peak, warnings, track, tracks, sink.balance.better() if part.channel == "mix" else None)


def _start_time(container: InputContainer) -> float | None:
    """Where the container's time starts, in seconds; None where its time stamps are not to be followed."""
    if container.format.name.split(",")[0] not in _TIMED or container.start_time is None:
        return None
    return container.start_time / av.time_base


def _frames(container: InputContainer, stream: AudioStream, damage: Damage) -> Iterator[AudioFrame]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        # PyAV, at the end, falls over tracks that came to light after the start; ours has had its turn by then.
        except (StopIteration, IndexError):
            return
        except av.error.FFmpegError:
            damage.broken_stream = True
            return
        if packet.has_sidedata("encryption_info"):
            damage.encrypted = True
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            damage.broken_packets += 1
            continue
        for frame in frames:
            if isinstance(frame, AudioFrame) and frame.samples and frame.sample_rate:
                damage.frames += 1
                yield frame
