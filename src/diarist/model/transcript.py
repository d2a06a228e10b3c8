"""The nouns that flow through diarist: words, turns, segments, and the three results made of them.

A value that was not measured is ``None``, never invented. Every noun is frozen, and `diarist.model.codec` turns
each into JSON and back without loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeVar

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
    """

    turns: tuple[Turn, ...]
    exclusive: tuple[Turn, ...]
    duration: float
    model: ModelInfo
    embeddings: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    scores: SpeakerScores | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def speakers(self) -> tuple[str, ...]:
        """Speaker labels in order of first turn."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
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

    def shifted(self, seconds: float) -> Transcript:
        """Return it on the clock of a longer recording, of which it is the part that starts at ``seconds``."""
        if not seconds:
            return self

        def moved(span: T) -> T:
            return replace(span, start=span.start + seconds, end=span.end + seconds)

        segments = tuple(replace(moved(s), words=tuple(map(moved, s.words))) for s in self.segments)
        turns = tuple(map(moved, self.turns))
        return replace(self, duration=self.duration + seconds, segments=segments, turns=turns)

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


def _quantise_probability(noun: object, name: str) -> None:
    value = getattr(noun, name)
    if value is None:
        return
    value = round(float(value), 4)
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be a probability in [0, 1], not {value}")
    object.__setattr__(noun, name, value)
