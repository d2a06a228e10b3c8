"""What a caller may ask of one transcription."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from diarist.model.errors import InputError
from diarist.model.languages import language_code

MAX_SPEAKERS = 64
MAX_HOTWORDS = 200
MAX_HOTWORD_LENGTH = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to do with one recording. Refuses contradictions when made.

    Attributes:
        language: of the speech, as `language_code` takes it (``"en"``, ``"en-US"``, ``"English"``), and kept as its
            code; None and ``"auto"`` let the engine decide.
        diarize: whether to find speakers.
        num_speakers: the exact number of speakers, where known.
        min_speakers: at least this many.
        max_speakers: at most this many.
        on_diarization_failure: whether a failed diarization gives words without speakers and a warning, or an error.

        hotwords: words and phrases that are likely to be said, spelled as they should appear.
        task: ``"transcribe"`` writes the language that is spoken; ``"translate"`` writes English.
        temperature: how much chance plays in decoding, 0 to 1; None and 0 mean none, so that the same recording gives
            the same words.

    Raises:
        InputError: no model knows the language, a value is out of range, or the speaker counts contradict each other.
    """

    language: str | None = None
    diarize: bool = True
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    on_diarization_failure: Literal["warn", "fail"] = "warn"
    hotwords: tuple[str, ...] = ()
    task: Literal["transcribe", "translate"] = "transcribe"
    temperature: float | None = None

    def __post_init__(self) -> None:
        if self.language is not None:
            object.__setattr__(self, "language", language_code(self.language))
        for name in ("num_speakers", "min_speakers", "max_speakers"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MAX_SPEAKERS:
                raise InputError("bad_speakers", f"{name} must be from 1 to {MAX_SPEAKERS}, not {value}.")
        if self.num_speakers is not None and (self.min_speakers is not None or self.max_speakers is not None):
            raise InputError("bad_speakers", "num_speakers cannot be combined with min_speakers or max_speakers.")
        if self.min_speakers is not None and self.max_speakers is not None and self.min_speakers > self.max_speakers:
            raise InputError(
                "bad_speakers", f"min_speakers ({self.min_speakers}) is more than max_speakers ({self.max_speakers})."
            )
        if not self.diarize and (self.num_speakers or self.min_speakers or self.max_speakers):
            raise InputError("bad_speakers", "Speaker counts make no sense without diarization.")
        if self.task not in ("transcribe", "translate"):
            raise InputError("bad_task", f"There is no task {self.task!r}.", "Choose 'transcribe' or 'translate'.")
        if self.temperature is not None and not 0 <= self.temperature <= 1:
            raise InputError("bad_temperature", f"temperature must be from 0 to 1, not {self.temperature}.")
        self._check_hotwords()

    def _check_hotwords(self) -> None:
        if len(self.hotwords) > MAX_HOTWORDS:
            raise InputError("bad_hotwords", f"At most {MAX_HOTWORDS} hotwords are taken, not {len(self.hotwords)}.")
        for phrase in self.hotwords:
            if not phrase.strip() or len(phrase) > MAX_HOTWORD_LENGTH or not phrase.isprintable():
                raise InputError(
                    "bad_hotwords",
                    f"A hotword is from 1 to {MAX_HOTWORD_LENGTH} printable characters.",
                    "Give words and short phrases, each by itself.",
                )
