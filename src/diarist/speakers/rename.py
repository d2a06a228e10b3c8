"""Giving speakers other labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from diarist.model.transcript import Segment, Transcript, Turn, Word


def rename(transcript: Transcript, names: Mapping[str, str]) -> Transcript:
    """Give speakers other labels; labels not in ``names`` stay. Two that get one name become one speaker."""

    def named(label: str | None) -> str | None:
        return None if label is None else names.get(label, label)

    def word(w: Word) -> Word:
        return replace(w, speaker=named(w.speaker))

    segments = tuple(
        Segment(s.start, s.end, named(s.speaker), s.text, tuple(map(word, s.words))) for s in transcript.segments
    )
    found = replace(
        transcript,
        speakers=tuple(dict.fromkeys(names.get(label, label) for label in transcript.speakers)),
        segments=segments,
        turns=tuple(Turn(t.start, t.end, names.get(t.speaker, t.speaker), t.confidence) for t in transcript.turns),
    )
    return found.with_diarization(transcript.diarization and transcript.diarization.renamed(names))
