"""What a job may say, and what comes back: the wire between clients and workers.

Jobs are checked by msgspec, which is already in the core: a struct per endpoint refuses unknown fields and wrong types
and names the field. pydantic was rejected (0.1 s of import at every cold start), jsonschema too (its errors name no
field in words, and the schema would stand apart from the types).

Besides the public formats there is ``response_format: "diarist"``: the exact noun (`Transcription`, `Diarization` or
`Transcript`) as `diarist.model.codec` writes it. Our own clients ask for it, so that every architecture gives the same
transcript.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from typing import Any, ClassVar, Final, Literal, TypeVar

import msgspec

from diarist.formats import written_formats
from diarist.jobs import whisper_worker
from diarist.jobs.wire_errors import FieldError
from diarist.model.codec import is_whole
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.transcript import Diarization, ModelInfo, Turn

_SHAPED = ("json", "text", "verbose_json", "diarized_json", "diarist")
TEXT_FORMATS: Final = (*_SHAPED, *written_formats(*_SHAPED))
"""How a job may be answered: OpenAI's shapes (``json`` is theirs), the exact noun, and every format that is text."""
MAX_GIVEN_TURNS: Final = 100_000
_SPEAKER_FIELDS: Final = ("num_speakers", "min_speakers", "max_speakers")


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Refuses what it does not know."""


class AudioJob(_Strict, frozen=True):
    """What every job has.

    Attributes:
        audio: https URL, data URL, base64, or ``volume:PATH`` below the endpoint's network volume.
        audio_format: what base64 holds, e.g. ``"mp3"``. Accepted for old clients; the content itself decides.
        result_put_url: presigned https PUT URL that takes a result too large to return.
        request_id: the caller's own name for the work. A worker that already has work of this name joins it.
    """

    audio: str
    audio_format: str | None = None
    result_put_url: str | None = None
    request_id: str | None = None

    own: ClassVar[frozenset[str]] = frozenset()
    """Fields that mean something else here than the option of that name."""

    def options(self) -> Options:
        """Return what is asked, as engines take it.

        Raises:
            InputError: a value is out of range, or contradicts another.
        """
        return Options(**{name: getattr(self, name) for name in _shared(type(self))})

    def __post_init__(self) -> None:
        _check(bool(self.audio.strip()), "audio", "is empty")
        _check(
            self.audio_format is None or bool(re.fullmatch(r"\w[\w.+-]{0,15}(/\w[\w.+-]{0,30})?", self.audio_format)),
            "audio_format",
            "must be a short name such as 'mp3' or 'audio/mpeg'",
        )
        _check(
            self.request_id is None or bool(re.fullmatch(r"[\w.:-]{1,128}", self.request_id, re.ASCII)),
            "request_id",
            "must be up to 128 letters, digits, '.', ':', '_' or '-'",
        )


class DiarizationJob(AudioJob, frozen=True):
    """A job for the diarization endpoint."""

    diarize: bool = True
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    response_format: Literal["json", "diarist"] = "json"

    def __post_init__(self) -> None:
        AudioJob.__post_init__(self)
        _check(self.diarize, "diarize", "must be true: this endpoint only diarizes")


class TextJob(AudioJob, frozen=True):
    """What jobs that return text share.

    Attributes:
        language: ISO 639 code of the speech; detected if not given.
        response_format: one of `TEXT_FORMATS`.
        timestamps: with ``json``, also return ``segments``.
        word_timestamps: with ``json``, ``verbose_json`` and ``diarized_json``, also return ``words``.
        temperature: how much chance plays in decoding, where the engine has it; it refuses what it has not.
        hotwords: words and phrases that are likely to be said, where the engine has them.
        task: ``"translate"`` writes English, where the engine can.
        include_diarization_in_text: put ``SPEAKER_00:`` into the text; by default where speakers are known.
        timestamp_granularities: OpenAI's field, for ``verbose_json`` and ``diarized_json``; as the server takes it.
        include: OpenAI's field: with ``json``, ``logprobs`` of each word.
        stream: also send words while they are found; the result is the same.
    """

    language: str | None = None
    response_format: str = "json"
    timestamps: bool = False
    word_timestamps: bool = False
    temperature: float | None = None
    hotwords: tuple[str, ...] = ()
    task: Literal["transcribe", "translate"] = "transcribe"
    include_diarization_in_text: bool | None = None
    timestamp_granularities: tuple[Literal["word", "segment"], ...] = ()
    include: tuple[Literal["logprobs"], ...] = ()
    stream: bool = False

    def __post_init__(self) -> None:
        AudioJob.__post_init__(self)
        _check(self.response_format in TEXT_FORMATS, "response_format", f"must be one of {', '.join(TEXT_FORMATS)}")


class GivenTurn(_Strict, frozen=True):
    """One turn that the caller already knows, in seconds."""

    start: float
    end: float
    speaker: str


class TranscriptionJob(TextJob, frozen=True):
    """A job for the transcription endpoint.

    Attributes:
        diarize: true only together with ``diarization_segments``.
        diarization_segments: turns found elsewhere; the worker gives each word its speaker.
    """

    own: ClassVar[frozenset[str]] = frozenset({"diarize"})

    diarize: bool | None = None
    diarization_segments: tuple[GivenTurn, ...] | None = None

    def __post_init__(self) -> None:
        TextJob.__post_init__(self)
        _check(
            not self.diarize or self.diarization_segments is not None,
            "diarize",
            "needs diarization_segments here: this endpoint finds words only",
        )
        _check(
            self.diarize is not False or self.diarization_segments is None,
            "diarization_segments",
            "contradicts diarize=false",
        )
        turns = self.diarization_segments or ()
        _check(len(turns) <= MAX_GIVEN_TURNS, "diarization_segments", f"holds more than {MAX_GIVEN_TURNS} turns")

    def options(self) -> Options:
        """See `AudioJob.options`."""
        return dataclasses.replace(TextJob.options(self), diarize=False)

    def diarization(self, duration: float) -> Diarization | None:
        """Return the caller's turns as a diarization of a recording of ``duration`` seconds."""
        if self.diarization_segments is None:
            return None
        try:
            given = (Turn(turn.start, turn.end, turn.speaker) for turn in self.diarization_segments)
            turns = tuple(sorted(given, key=lambda turn: turn.start))
        except ValueError as error:
            raise FieldError(
                "bad_field", f"diarization_segments is wrong: {error}.", field="diarization_segments"
            ) from error
        return Diarization(
            turns=turns,
            exclusive=_exclusive(turns),
            duration=duration,
            model=ModelInfo("diarization", "given", None, "caller"),
        )


class SpeakerTextJob(TextJob, frozen=True):
    """A job for the single or the orchestrator endpoint.

    Attributes:
        diarize: whether to find speakers.
        on_diarization_failure: ``"warn"`` returns words without speakers and a warning, ``"fail"`` an error.
    """

    diarize: bool = True
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    on_diarization_failure: Literal["warn", "fail"] = "warn"


def _shared(kind: type[AudioJob]) -> list[str]:
    """The fields of a job that are options of the same name and meaning."""
    known = {field.name for field in dataclasses.fields(Options)} - kind.own
    return [name for name in kind.__struct_fields__ if name in known]


def job_fields(kind: type[AudioJob], options: Options) -> dict[str, Any]:
    """Write options as the fields of a job, for a client: those that the endpoint takes and that are not its defaults.

    What the endpoint has no field for is another endpoint's to do.
    """
    usual = Options()
    asked = {name: getattr(options, name) for name in _shared(kind)}
    return {name: value for name, value in asked.items() if value != getattr(usual, name)}


J = TypeVar("J", DiarizationJob, TranscriptionJob, SpeakerTextJob)


def read_job(kind: type[J], value: object) -> J:
    """Check a job's input.

    Args:
        kind: what this endpoint takes.
        value: the job's ``input`` as parsed JSON. Names of RunPod's own Whisper worker are understood
            (`diarist.jobs.whisper_worker`).

    Raises:
        FieldError: a field is missing, unknown, of the wrong type, or contradicts another.
    """
    fields = [field.name for field in msgspec.structs.fields(kind)]
    for name, part in value.items() if isinstance(value, dict) else ():
        if not (is_whole(name) and is_whole(part)):
            field = name if name in fields else "input"
            raise FieldError(
                "bad_field",
                f"{field!r} is wrong: it holds half a character, or is nested too deep.",
                _hint(field),
                field=field,
            )
    if isinstance(value, dict):
        value = whisper_worker.ours(value, frozenset(fields))
    try:
        job = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _field_error(str(error), fields) from None
    try:
        job.options()
    except InputError as error:
        about = error.code.removeprefix("bad_")
        named = next((name for name in _SPEAKER_FIELDS if name in error.message), "num_speakers")
        named = about if about in fields else named
        raise FieldError(error.code, error.message, error.hint or _hint(named), field=named) from None
    return job


_SHOWN: Final = 200
"""How many characters of what a job says are repeated in a message."""

_HINTS: Final = {
    "audio": "Send an https URL, a data URL, base64, or volume:PATH on the endpoint's network volume.",
    "response_format": "Use json, text, srt, vtt, verbose_json, diarized_json or another text format.",
    "num_speakers": "Give num_speakers alone, or min_speakers and max_speakers.",
    "min_speakers": "Give num_speakers alone, or min_speakers and max_speakers.",
    "max_speakers": "Give num_speakers alone, or min_speakers and max_speakers.",
    "diarization_segments": 'Send [{"start": 0.0, "end": 1.5, "speaker": "A"}, …], as that endpoint returns.',
    "language": "Try 'en', 'de' or 'fr'.",
}


def _hint(field: str) -> str:
    return _HINTS.get(field, "See docs/QUICK_START_RUNPOD.md for all fields.")


def _field_error(said: str, fields: list[str]) -> FieldError:
    """Turn msgspec's words into ours: which field, what is wrong, what to do."""
    if missing := re.search(r"missing required field `(\w+)`", said):
        name = missing[1]
        inside = re.search(r"at `\$\.(\w+)", said)
        field = inside[1] if inside else name
        return FieldError("missing_field", f"The job has no {name!r}.", _hint(field), field=field)
    if unknown := re.search(r"unknown field `(.+?)`", said):
        name = shown(unknown[1])
        close = difflib.get_close_matches(name, fields, 1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Known fields: {', '.join(sorted(fields))}."
        return FieldError("unknown_field", f"There is no field {name!r}.", hint, field=name)
    at = re.search(r" - at `\$\.?(\w*)", said)
    field = (at[1] if at else "") or max((name for name in fields if said.startswith(name)), key=len, default="input")
    what = shown(re.sub(r" - at `.*", "", said).replace("`", "'"))
    return FieldError("bad_field", f"{field!r} is wrong: {what}.", _hint(field), field=field)


def shown(text: str) -> str:
    """Return text of a stranger as it fits into a message: its beginning, in one line."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: 2 * _SHOWN]).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def _check(fine: bool, field: str, problem: str) -> None:
    if not fine:
        raise ValueError(f"{field} {problem}")  # msgspec turns it into a ValidationError


def _exclusive(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Cut turns so that none overlaps: who began first keeps the floor until done."""
    free: list[Turn] = []
    floor = 0.0
    for turn in turns:
        if turn.end > floor:
            free.append(Turn(max(turn.start, floor), turn.end, turn.speaker))
            floor = turn.end
    return tuple(free)
