"""Formats of speech research."""

from __future__ import annotations

from diarist.model.transcript import Transcript


def rttm(transcript: Transcript, name: str) -> str:
    """Write the speaker turns as NIST RTTM (Rich Transcription 2009 plan, appendix A), overlaps included."""
    return "".join(
        f"SPEAKER {_token(name)} 1 {turn.start:.3f} {turn.duration:.3f} <NA> <NA> {_token(turn.speaker)} <NA> <NA>\n"
        for turn in transcript.turns
        if turn.duration > 0
    )


def _token(value: str) -> str:
    """Fields are split at white space, so none may hold any."""
    return "_".join(value.split()) or "_"
