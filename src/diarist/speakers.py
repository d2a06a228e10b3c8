"""Who a speaker is: voices with names, and the same voice in several recordings.

A voice is the mean direction of a speaker's embeddings; two are alike by their cosine. A name is given only above a
threshold at which no stranger of the evaluation voices was named (``benchmarks/voices.py``); everyone else stays
``SPEAKER_NN``. A voice embedding is biometric data about a person: it is stored only on this machine, in one file that
only its owner can read, with a note of how the person agreed.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, count
from pathlib import Path
from typing import Final, Literal

from diarist.files import user_folder, write_whole
from diarist.model import codec
from diarist.model.errors import InputError
from diarist.model.timeline import total
from diarist.model.transcript import Diarization, Segment, Transcript, Turn, Word

THRESHOLDS: Final[Mapping[str, float]] = {"embedded": 0.6, "community-1": 0.6}
"""Least cosine at which a speaker is taken for a known voice, by diarization model.

Highest of over 400 comparisons with strangers, and lowest of 14 with the same person in another recording
(``benchmarks/voices.py``): ``embedded`` 0.56 and 0.64, ``community-1`` 0.45 and 0.71."""

MIN_CLIP_SECONDS: Final = 3.0
"""Speech a clip needs for a voice to be known by it."""

MAX_OTHER_SHARE: Final = 0.1
"""Share of a clip's speech that may be another voice's: more, and it is not clear whose clip it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A known voice.

    Attributes:
        name: whose it is.
        embedding: unit vector.
        model: the diarization model that made it; voices of different models cannot be compared.
        seconds: how much speech it was made from.
        consent: how the person agreed to be recognised.
        added: the day it was added, ``YYYY-MM-DD``.
    """

    name: str
    embedding: tuple[float, ...]
    model: str
    seconds: float
    consent: str
    added: str


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """How alike two embeddings are, from -1 to 1."""
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b) or 1.0)


def identify(diarization: Diarization, voices: Sequence[Voice], threshold: float | None = None) -> dict[str, str]:
    """Name the speakers that are known voices.

    Each voice names one speaker at most, the most alike first.

    Args:
        diarization: with one embedding per speaker.
        voices: known voices; those of other models cannot be compared and are passed over.
        threshold: least cosine; None takes the calibrated one of the model.

    Returns:
        Names by the diarization's labels; strangers are absent.

    Raises:
        InputError: voices are known, but none by this model; or no threshold is calibrated for it and none was given.
    """
    model = diarization.model.name
    comparable = [voice for voice in voices if voice.model == model]
    if not comparable:
        if voices:
            raise InputError("other_model", f"No known voice was made with the model {model!r}.", "Add them again.")
        return {}
    least = THRESHOLDS.get(model) if threshold is None else threshold
    if least is None:
        raise InputError("no_threshold", f"Voices of the model {model!r} have no calibrated threshold.", "Give one.")
    scores = sorted(
        (
            (cosine(e, voice.embedding), label, voice.name)
            for label, e in diarization.embeddings.items()
            for voice in comparable
        ),
        reverse=True,
    )
    names: dict[str, str] = {}
    for score, label, name in scores:
        if score >= least and label not in names and name not in names.values():
            names[label] = name
    return names


def voice_of(diarization: Diarization, name: str, consent: str, added: str) -> Voice:
    """Make a voice of a diarized clip of one person.

    Raises:
        InputError: the clip has too little speech, or more than one voice.
    """
    spoken = {s: total(t for t in diarization.turns if t.speaker == s) for s in diarization.embeddings}
    main = max(spoken, key=spoken.__getitem__, default=None)
    if main is None or spoken[main] < MIN_CLIP_SECONDS:
        heard = spoken[main] if main else 0.0
        raise InputError(
            "clip_too_short",
            f"The clip has {heard:.1f} s of speech; {MIN_CLIP_SECONDS:g} s are needed.",
            "Ten seconds of one person talking alone are best.",
        )
    others = sum(spoken.values()) - spoken[main]
    if others > MAX_OTHER_SHARE * spoken[main]:
        raise InputError(
            "clip_has_others", f"The clip has {len(spoken)} voices.", "Cut it to a part where one person talks alone."
        )
    return Voice(
        name=name,
        embedding=tuple(round(value, 6) for value in diarization.embeddings[main]),
        model=diarization.model.name,
        seconds=round(spoken[main], 1),
        consent=consent,
        added=added,
    )


def link(recordings: Sequence[Diarization], threshold: float | None = None) -> list[dict[str, str]]:
    """Find speakers who are in several recordings.

    Agglomerative clustering by mean cosine; two speakers of one recording are never one person.

    Args:
        recordings: made by one model.
        threshold: least mean cosine of one person's speakers; None takes the calibrated one of the model.

    Returns:
        Per recording, shared labels by its own: ``SPEAKER_00``, … in order of first appearance.

    Raises:
        InputError: the recordings are of different models, or no threshold is known.
    """
    models = {recording.model.name for recording in recordings}
    if len(models) > 1:
        raise InputError("mixed_models", f"Voices of {' and '.join(sorted(models))} cannot be compared.")
    least = threshold if threshold is not None else THRESHOLDS.get(next(iter(models), ""))
    if least is None and recordings:
        raise InputError("no_threshold", "No threshold is calibrated for this model.", "Give one.")
    nodes = [(index, label) for index, recording in enumerate(recordings) for label in recording.speakers]
    groups: dict[int, list[int]] = {node: [node] for node in range(len(nodes))}
    vectors = [recordings[index].embeddings.get(label) for index, label in nodes]
    alike = {
        (a, b): cosine(first, second)
        for (a, first), (b, second) in combinations(enumerate(vectors), 2)
        if first is not None and second is not None and nodes[a][0] != nodes[b][0]
    }
    while alike:
        (a, b), best = max(alike.items(), key=lambda item: item[1])
        if least is None or best < least:
            break
        _join(a, b, groups, alike)
    shared: list[dict[str, str]] = [{} for _ in recordings]
    for number, members in enumerate(sorted(groups.values(), key=min)):
        for member in members:
            index, label = nodes[member]
            shared[index][label] = f"SPEAKER_{number:02d}"
    return shared


def _join(a: int, b: int, groups: dict[int, list[int]], alike: dict[tuple[int, int], float]) -> None:
    """Put group b into group a, and average their likeness to every other; where one was forbidden, both are."""
    weights = (len(groups[a]), len(groups[b]))
    del alike[a, b]
    for other in groups:
        if other in (a, b):
            continue
        first = alike.pop((min(a, other), max(a, other)), None)
        second = alike.pop((min(b, other), max(b, other)), None)
        if first is not None and second is not None:
            mean = (weights[0] * first + weights[1] * second) / sum(weights)
            alike[min(a, other), max(a, other)] = mean
    groups[a] += groups.pop(b)


class SharedSpeakers:
    """Names the speakers of one recording after another, so that a person keeps one label in all of them.

    `link` decides with all recordings at hand; this decides as they come. Use it as a pipeline's ``naming``.

    Args:
        voices: known voices, whose names are used.
        threshold: least cosine; None takes the calibrated one of the model.
    """

    def __init__(self, voices: Sequence[Voice] = (), threshold: float | None = None) -> None:
        self._known = {voice.name: voice for voice in voices}
        self._threshold = threshold
        self._number = count()

    def __call__(self, diarization: Diarization) -> dict[str, str]:
        """Return a name or shared label for every speaker, and remember the new ones."""
        names = identify(diarization, list(self._known.values()), self._threshold)
        for label in diarization.speakers:
            if label not in names:
                names[label] = f"SPEAKER_{next(self._number):02d}"
            if label in diarization.embeddings and names[label] not in self._known:
                self._known[names[label]] = Voice(
                    name=names[label],
                    embedding=diarization.embeddings[label],
                    model=diarization.model.name,
                    seconds=total(turn for turn in diarization.turns if turn.speaker == label),
                    consent="",
                    added="",
                )
        return names


def rename(transcript: Transcript, names: Mapping[str, str]) -> Transcript:
    """Give speakers other labels; labels not in ``names`` stay. Two that get one name become one speaker."""

    def named(label: str | None) -> str | None:
        return None if label is None else names.get(label, label)

    def word(w: Word) -> Word:
        return replace(w, speaker=named(w.speaker))

    segments = tuple(
        Segment(s.start, s.end, named(s.speaker), s.text, tuple(map(word, s.words))) for s in transcript.segments
    )
    return replace(
        transcript,
        speakers=tuple(dict.fromkeys(names.get(label, label) for label in transcript.speakers)),
        segments=segments,
        turns=tuple(Turn(t.start, t.end, names.get(t.speaker, t.speaker), t.confidence) for t in transcript.turns),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    schema: Literal["diarist.voices/1"] = "diarist.voices/1"
    note: str = (
        "Voice embeddings are biometric data: keep them only with the person's consent, and remove them on request."
    )
    voices: tuple[Voice, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class VoiceStore:
    """Known voices in one JSON file that its owner can read, edit and delete.

    Args:
        path: the file; it need not exist.
    """

    path: Path

    def load(self) -> tuple[Voice, ...]:
        """Return all voices.

        Raises:
            InputError: the file is not readable or not ours.
        """
        try:
            document = json.loads(self.path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            raise InputError(
                "bad_voices", f"Cannot read the voices in {self.path}.", "Repair the file or delete it."
            ) from error
        return codec.load(_Document, document).voices

    def add(self, voice: Voice) -> Voice:
        """Add a voice; more speech of a voice already known is averaged with it, by seconds.

        Returns:
            The voice as stored.

        Raises:
            InputError: the store cannot be read or written, or knows the name under another model.
        """
        voices = {known.name: known for known in self.load()}
        known = voices.get(voice.name)
        if known is not None:
            if known.model != voice.model:
                raise InputError(
                    "other_model",
                    f"The voice {voice.name!r} was made with the model {known.model!r}.",
                    f"Remove it first: diarist voices remove {voice.name!r}",
                )
            seconds = known.seconds + voice.seconds
            mean = [
                (known.seconds * a + voice.seconds * b) / seconds
                for a, b in zip(known.embedding, voice.embedding, strict=True)
            ]
            length = math.hypot(*mean) or 1.0
            unit = tuple(round(value / length, 6) for value in mean)
            voice = replace(voice, embedding=unit, seconds=round(seconds, 1))
        self._write({**voices, voice.name: voice})
        return voice

    def remove(self, name: str) -> None:
        """Forget a voice.

        Raises:
            InputError: no such voice.
        """
        voices = {known.name: known for known in self.load()}
        if name not in voices:
            known = ", ".join(voices) or "none"
            raise InputError("no_such_voice", f"There is no voice {name!r}.", f"Known voices: {known}.")
        del voices[name]
        self._write(voices)

    def _write(self, voices: Mapping[str, Voice]) -> None:
        document = codec.dump(_Document(voices=tuple(voices.values())))
        text = json.dumps(document, ensure_ascii=False, indent=2)
        write_whole(self.path, text.encode(), mode=0o600)  # biometric data: for its owner only


def default_store() -> VoiceStore:
    """Return the user's store: ``voices.json`` in the user data folder, or the file that ``DIARIST_VOICES`` names.

    Raises:
        InputError: there is neither, as for a user without a home.
    """
    if named := os.environ.get("DIARIST_VOICES"):
        return VoiceStore(Path(named))
    folder = user_folder("data")
    if folder is None:
        raise InputError(
            "no_home", "This user has no home folder to keep voices in.", "Set HOME, or DIARIST_VOICES to a file."
        )
    return VoiceStore(folder / "voices.json")
