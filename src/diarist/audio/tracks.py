"""Which of several audio tracks is taken."""

from __future__ import annotations

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from diarist.model.errors import InputError


def choose_track(container: InputContainer, name: str, track: int | None) -> int:
    """Return the number, from 1, of the track that was asked for; else of the one that the file marks as default.

    Raises:
        InputError: there is no sound (``audio_no_sound``), or no such track (``bad_track``).
    """
    streams = container.streams.audio
    if not streams:
        what = "has pictures but no sound" if container.streams.video else "has no sound"
        raise InputError("audio_no_sound", f"{name} {what}.", "Send a file with an audio track.", http_status=422)
    if track is None:
        best = max(
            streams, key=lambda each: (each.codec_context is not None, bool(each.disposition & Disposition.default))
        )
        return 1 + list(streams).index(best)
    if not 1 <= track <= len(streams):
        listed = ", ".join(describe(number, each) for number, each in enumerate(streams, 1))
        raise InputError("bad_track", f"{name} has no audio track {track}.", f"It has: {listed}.")
    return track


def describe(number: int, stream: AudioStream) -> str:
    """Name a track as people would: its number, its language and its title, where it has them."""
    tags = [stream.metadata.get(key, "") for key in ("language", "title", "name")]
    told = [" ".join(tag.split())[:40] for tag in tags if tag and tag != "und" and tag.isprintable()]
    return f"{number} ({', '.join(told)})" if told else str(number)
