"""The sound of stretches of a recording: the part that a saved transcript needs the recording for."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.model.errors import InputError
from diarist.model.timeline import Span
from diarist.model.transcript import Transcript

_SLACK = 1.0  # seconds: containers tell lengths differently


def open_recording(recording: Path, transcript: Transcript) -> Audio:
    """Decode the recording of a transcript.

    Raises:
        InputError: it cannot be read, or is shorter than the transcript: it is another recording. A longer one may be
            the whole of which a part was transcribed.
    """
    audio = decode(recording)
    if audio.duration < transcript.duration - _SLACK:
        raise InputError(
            "other_recording",
            f"{recording.name} is {audio.duration:.1f} s long, and the transcript is of {transcript.duration:.1f} s.",
            "Name the recording that was transcribed: --recording FILE",
        )
    return audio


def cut(audio: Audio, stretches: Iterable[Span]) -> Audio:
    """Put stretches of a recording one after another."""
    parts = [audio.samples[round(s.start * SAMPLE_RATE) : round(s.end * SAMPLE_RATE)] for s in stretches]
    return Audio(np.concatenate(parts) if parts else audio.samples[:0])


def wav(audio: Audio) -> bytes:
    """Write 16-bit WAV, which every computer plays."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(np.clip(np.rint(audio.samples * 32768), -32768, 32767).astype("<i2").tobytes())
    return file.getvalue()
