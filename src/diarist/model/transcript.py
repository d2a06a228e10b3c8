"""The nouns that flow through diarist: words, turns, segments, and the three results made of them.

A value that was not measured is ``None``, never invented. Every noun is frozen, and `diarist.model.codec` turns
each into JSON and back without loss.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal, TypeVar

from diarist.model.timeline import Span
from diarist.model.writing import space_between

T = TypeVar("T", bound=Span)

TRANSCRIPT_SCHEMA: Final = "diarist.transcript/1"


@dataclass(frozen=True, slots=True)
class Word(Span):
    """One recognised word.

    Attributes:
        text: the word as written, with its punctuation and without surrounding space.
        confidence: the recogniser's probability in [0, 1], kept to 4 decimals; None where the engine measures none.
        speaker: label of who said it; None where no speaker is known.
        speaker_confidence: the diarizer's probability in [0, 1] that ``speaker`` is right; None where not measured.
        overlap: whether another speaker was also talking.
        spaced: whether the recogniser wrote a space before it; None where that is not known, and the letters tell (see
            `join_words`).
    """

    text: str
    confidence: float | None = None
    speaker: str | None = None
    speaker_confidence: float | None = None
    overlap: bool = False
    spaced: bool | None = None

    def __post_init__(self) -> None:
        Span.__post_init__(self)
        for name in ("confidence", "speaker_confidence"):
            _quantise_probability(self, name)


@dataclass(frozen=True, slots=True)
class Turn(Span):
    """One stretch of speech by one speaker. Turns of different speakers may overlap.

    Attributes:
        speaker: the speaker's label.
        confidence: mean probability in [0, 1] that the speaker is active; None where not measured.
    """

    speaker: str
    confidence: float | None = None

    def __post_init__(self) -> None:
        Span.__post_init__(self)
        _quantise_probability(self, "confidence")


@dataclass(frozen=True, slots=True)
class Segment(Span):
    """A run of words of one speaker, cut at sentence ends and pauses, for reading.

    Attributes:
        speaker: label of who said it; None where no speaker is known.
        text: the words with the spaces that belong between them; see `join_words`.
        words: the words, in order.
    """

    speaker: str | None
    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What made a result.

    Attributes:
        task: ``"transcription"`` or ``"diarization"``.
        name: the model's name in the catalog, e.g. ``"whisper-tiny.en"``.
        revision: what pins the weights, e.g. a hub commit or a wheel version; None where unknown.
        engine: the software that ran it, with its version, e.g. ``"faster-whisper 1.2.1"``.
    """

    task: Literal["transcription", "diarization"]
    name: str
    revision: str | None
    engine: str


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What an endpoint read, so that words and turns of different recordings are never joined.

    Attributes:
        sha256: digest of the encoded bytes, in hexadecimal.
        num_samples: samples that were decoded of them, at 16 kHz. There is no digest of these: lossy decoders differ in
            their last bits from one processor to the next.
    """

    sha256: str
    num_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcription:
    """What was said: timed words without speakers.

    Attributes:
        words: in order of time.
        language: ISO 639-1 code of the words, detected or given; None where the engine knows none.
        duration: length of the recording in seconds.
        model: what made it.
        timings: seconds per stage.
        warnings: one line for each thing that was degraded.
        spoken_language: that of the speech, which a translation does not share; None where the engine knows none.
        task: ``"transcribe"`` or ``"translate"``; None where it is not known.
        temperature: how much chance played in decoding, 0 to 1; None where it is not known.
        peak: largest magnitude of the recording's samples, 1 is full scale; None where nobody looked.
        source: what an endpoint read; None in this process, where both engines are given the same samples.
    """

    words: tuple[Word, ...]
    language: str | None
    duration: float
    model: ModelInfo
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    spoken_language: str | None = None
    task: Literal["transcribe", "translate"] | None = None
    temperature: float | None = None
    peak: float | None = None
    source: SourceInfo | None = None

    def __repr__(self) -> str:
        return _brief(self, self.duration, self.language, _counted(self.words, "word"))


@dataclass(frozen=True, slots=True)
class SpeakerScores:
    """How sure the diarizer is of each speaker, frame by frame.

    Kept as bytes so that they travel as a few hundred bytes a second and read the same everywhere.

    Attributes:
        start: time of the centre of the first frame, in seconds.
        step: seconds from one frame to the next.
        speakers: column labels.
        values: ``(num_frames, num_speakers)`` uint8, row-major; value / 255 is the probability that the
            speaker is active.
    """

    start: float
    step: float
    speakers: tuple[str, ...]
    values: bytes

    def __repr__(self) -> str:
        frames = len(self.values) // (len(self.speakers) or 1)
        return f"<SpeakerScores: {_counted(self.speakers, 'speaker')}, {frames} frames of {self.step:g} s>"

    def shifted(self, seconds: float) -> SpeakerScores:
        """Return them on a clock that shows ``seconds`` more."""
        return replace(self, start=self.start + seconds)

    def renamed(self, names: Mapping[str, str]) -> SpeakerScores:
        """Return them with other labels; those not in ``names`` stay."""
        return replace(self, speakers=tuple(names.get(label, label) for label in self.speakers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Diarization:
    """Who spoke when.

    Attributes:
        turns: sorted by start; turns of different speakers may overlap.
        exclusive: sorted turns with at most one speaker at any time, for attributing words.
        embeddings: one unit vector per speaker label.
        scores: soft scores; None where the engine has none.
        duration: length of the recording in seconds.
        model: what made it.
        timings: seconds per stage.
        warnings: one line for each thing that was degraded.
        source: what an endpoint read; None in this process, where both engines are given the same samples.
    """

    turns: tuple[Turn, ...]
    exclusive: tuple[Turn, ...]
    duration: float
    model: ModelInfo
    embeddings: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    scores: SpeakerScores | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    source: SourceInfo | None = None

    @property
    def speakers(self) -> tuple[str, ...]:
        """Speaker labels in order of first turn."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns))

    def __repr__(self) -> str:
        return _brief(self, self.duration, _counted(self.speakers, "speaker"), _counted(self.turns, "turn"))

    def shifted(self, seconds: float) -> Diarization:
        """Return it on the clock of a longer recording, of which it is the part that starts at ``seconds``."""
        return replace(
            self,
            duration=self.duration + seconds,
            turns=tuple(_moved(turn, seconds) for turn in self.turns),
            exclusive=tuple(_moved(turn, seconds) for turn in self.exclusive),
            scores=self.scores and self.scores.shifted(seconds),
        )

    def renamed(self, names: Mapping[str, str]) -> Diarization:
        """Return it with other labels; those not in ``names`` stay. Of two that get one name, one voice stays."""
        embeddings: dict[str, tuple[float, ...]] = {}
        for label, embedding in self.embeddings.items():
            embeddings.setdefault(names.get(label, label), embedding)
        return replace(
            self,
            turns=tuple(replace(turn, speaker=names.get(turn.speaker, turn.speaker)) for turn in self.turns),
            exclusive=tuple(replace(turn, speaker=names.get(turn.speaker, turn.speaker)) for turn in self.exclusive),
            embeddings=embeddings,
            scores=self.scores and self.scores.renamed(names),
        )


class _WithEvidence:
    """Holds what a transcript has beside its fields, so that no JSON, schema or comparison ever knows of it."""

    __slots__ = ("_diarization",)
    _diarization: Diarization | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript(_WithEvidence):
    """Who said what, and when: the result of the whole pipeline.

    Attributes:
        schema: names this layout and its version.
        duration: length of the recording in seconds.
        language: ISO 639-1 code of the text; None where unknown.
        speakers: labels in order of first word, then speakers without words in order of first turn.
        segments: what was said, for reading, in order of time.
        turns: the diarizer's turns under the same labels; empty without diarization.
        models: all that made it.
        timings: seconds per stage.
        warnings: one line for each thing that was degraded.
        place: where it was made, if not in this process, e.g. ``"where": "runpod:split"``, and how the recording got
            there, e.g. ``"audio": "flac"``.
        spoken_language: that of the speech, which a translation does not share; None where unknown.
        task: ``"transcribe"`` or ``"translate"``; None where unknown.
        temperature: how much chance played in finding the words, 0 to 1; None where unknown.
    """

    schema: Literal["diarist.transcript/1"] = TRANSCRIPT_SCHEMA
    duration: float
    language: str | None
    speakers: tuple[str, ...]
    segments: tuple[Segment, ...]
    turns: tuple[Turn, ...]
    models: tuple[ModelInfo, ...]
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    place: Mapping[str, str] = field(default_factory=dict)
    spoken_language: str | None = None
    task: Literal["transcribe", "translate"] | None = None
    temperature: float | None = None

    @property
    def words(self) -> tuple[Word, ...]:
        """All words, in order of time."""
        return tuple(word for segment in self.segments for word in segment.words)

    @property
    def diarization(self) -> Diarization | None:
        """The evidence behind the speakers, under their labels: voices (embeddings) and scores, frame by frame.

        Only where this process has it: where words met turns here. It is never written to a file or sent; an embedding
        is biometric data. None for a transcript that was read, came from elsewhere, or has no speakers, and for one
        made of this one by `dataclasses.replace`.
        """
        return getattr(self, "_diarization", None)

    def with_diarization(self, diarization: Diarization | None) -> Transcript:
        """Return it with other evidence, or without any."""
        found = replace(self)
        object.__setattr__(found, "_diarization", diarization)
        return found

    def shifted(self, seconds: float) -> Transcript:
        """Return it on the clock of a longer recording, of which it is the part that starts at ``seconds``."""
        if not seconds:
            return self
        segments = tuple(
            replace(_moved(s, seconds), words=tuple(_moved(word, seconds) for word in s.words)) for s in self.segments
        )
        turns = tuple(_moved(turn, seconds) for turn in self.turns)
        found = replace(self, duration=self.duration + seconds, segments=segments, turns=turns)
        return found.with_diarization(self.diarization and self.diarization.shifted(seconds))

    def to_dict(self) -> dict[str, Any]:
        """Return what its JSON holds, as dicts, lists, strings and numbers; see docs/transcript.schema.json."""
        from diarist.model.codec import dump  # msgspec is heavier than all nouns together

        return dump(self)

    @property
    def digest(self) -> str:
        """The SHA-256 of all that it says but ``timings`` and ``place``: two runs that found the same have the same."""
        from diarist.model.codec import digest

        return digest(self)

    # Files are read and written far above the nouns, which know no room but their own: these two ask for it by name.

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Transcript:
        """Read a transcript: diarist's own JSON, SRT, WebVTT, or the JSON of WhisperX, Whisper and OpenAI's API.

        What a file does not say is None, and ``warnings`` say what is missing; see `diarist.reading`.

        Raises:
            InputError: it cannot be read, or is none of these; or a later diarist wrote it.
        """
        found: Transcript = importlib.import_module("diarist.saved").read_transcript(os.fspath(path))
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it in the format that the file's name ends in: ``.json``, ``.docx``, ``.srt`` and so on.

        A file of that name is replaced.

        Raises:
            InputError: no format has this extension, or the file cannot be written.
        """
        importlib.import_module("diarist.saved").write_transcript(self, path)

    def __repr__(self) -> str:
        known = (_counted(self.speakers, "speaker"), _counted(self.segments, "segment"), _counted(self.words, "word"))
        return _brief(self, self.duration, self.language, *known)

    def __getstate__(self) -> list[Any]:
        return [*(getattr(self, each.name) for each in fields(self)), self.diarization]

    def __setstate__(self, state: list[Any]) -> None:
        for name, value in zip([*(each.name for each in fields(self)), "_diarization"], state, strict=True):
            object.__setattr__(self, name, value)

    @property
    def text(self) -> str:
        """The words alone, without speakers."""
        return join_segments(self.segments, self.language)


def spelled(words: Iterable[Word], language: str | None) -> Iterator[str]:
    """Yield each word's text with the space before it, where there is one; `join_words` says where."""
    before = ""
    for word in words:
        yield _space(before, word.text, word.spaced, language) + word.text
        before = word.text


def join_words(words: Iterable[Word], language: str | None) -> str:
    """Join words by the spaces that the recogniser wrote.

    Where it is not known what it wrote, their letters tell: no space stands beside a letter of a script that has none,
    such as Chinese or Thai, and one stands between two English words whatever the language around them is.

    Args:
        words: in order.
        language: ISO 639 code of the text, for where letters do not tell, as between digits.
    """
    return "".join(spelled(words, language))


def join_segments(segments: Iterable[Segment], language: str | None) -> str:
    """Join the texts of segments as `join_words` joins words."""
    before = ""
    parts: list[str] = []
    for segment in segments:
        spaced = segment.words[0].spaced if segment.words else None
        parts += [_space(before, segment.text, spaced, language), segment.text]
        before = segment.text or before
    return "".join(parts)


def _space(before: str, after: str, spaced: bool | None, language: str | None) -> str:
    if not before or not after:
        return ""
    return " " if (space_between(before, after, language) if spaced is None else spaced) else ""


def _moved(span: T, seconds: float) -> T:
    return replace(span, start=span.start + seconds, end=span.end + seconds)


def _brief(noun: object, duration: float, *known: str | None) -> str:
    """One line for a noun that holds thousands of others."""
    return f"<{type(noun).__name__}: {', '.join([f'{duration:.1f} s', *filter(None, known)])}>"


def _counted(items: Sized, noun: str) -> str:
    return f"{len(items)} {noun}" if len(items) == 1 else f"{len(items)} {noun}s"


def _quantise_probability(noun: object, name: str) -> None:
    value = getattr(noun, name)
    if value is None:
        return
    value = round(float(value), 4)
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be a probability in [0, 1], not {value}")
    object.__setattr__(noun, name, value)
