"""What could not be read of a recording, and what is said about it: one line for a fact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from av.audio.stream import AudioStream

from diarist.audio.sink import Sink
from diarist.model.errors import InputError


@dataclass(slots=True)
class Damage:
    """What the decoder could not read."""

    frames: int = 0
    encrypted: bool = False
    broken_packets: int = 0
    broken_stream: bool = False
    header_mended: bool = False


def refuse_codec(name: str) -> NoReturn:
    """Say that a stream's codec is not opened."""
    raise InputError(
        "audio_not_recognised",
        f"{name} uses an audio codec that is not opened here.",
        "Convert it to FLAC.",
        http_status=415,
    )


def refuse_nothing_decoded(name: str, stream: AudioStream, damage: Damage) -> NoReturn:
    """Say why a stream gave not one frame."""
    if damage.encrypted or _tag(stream) in {"drms", "aavd"}:
        raise InputError(
            "audio_encrypted", f"{name} is encrypted (DRM).", "Export it without copy protection.", http_status=415
        )
    if damage.broken_packets or damage.broken_stream:
        raise InputError(
            "audio_damaged", f"{name} is damaged: no sound can be decoded.", "Copy it again.", http_status=422
        )
    raise InputError("audio_empty", f"{name} holds 0 seconds of sound.", "Record or copy it again.", http_status=422)


def _tag(stream: AudioStream) -> str:
    """The four letters by which its container calls a stream's codec."""
    try:
        return stream.codec_context.codec_tag
    except UnicodeDecodeError:  # PyAV expects ASCII; a file may hold anything
        return ""


def damage_warnings(name: str, sink: Sink, damage: Damage, declared: float | None) -> Iterator[str]:
    """Say what was wrong with a recording.

    Args:
        name: what the user calls it.
        sink: what became of its frames.
        damage: what could not be read.
        declared: the length that its header declares; None where it declares none, or where not all was looked at.
    """
    seconds = sink.seconds
    # A recording whose end is missing mostly ends in half a packet: that is no second fact.
    cut = damage.broken_stream or (declared is not None and _more(declared, seconds))
    if cut:
        says = f" of {declared:.1f} s" if declared is not None else ""
        yield f"{name} is cut short, damaged or has a wrong header: {seconds:.1f} s{says} could be decoded."
    elif damage.broken_packets:
        filled = f", and {sink.filled:.1f} s were filled with silence" if sink.filled else ""
        yield f"{name} is damaged: {damage.broken_packets} of its packets could not be decoded{filled}."
    elif declared is not None and damage.header_mended and _more(seconds, declared):
        yield f"{name} has a wrong header: it tells {declared:.1f} s, and {seconds:.1f} s were decoded."
    if sink.filled and (cut or not damage.broken_packets):
        yield f"{name} has holes in its sound: {sink.filled:.1f} s were filled with silence."
    if sink.left_out:
        yield f"{name} has holes of {sink.left_out:.0f} s by its time stamps, too long for its size: left out."
    if sink.not_finite:
        yield f"{name} has samples that are not numbers: {sink.not_finite} were replaced by silence."


def _more(one: float, two: float) -> bool:
    """Whether a length is more than another by what no rounding or padding explains."""
    return one - two > max(0.5, 0.01 * one)
