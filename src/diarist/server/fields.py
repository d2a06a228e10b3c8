"""From the fields of a request, by whatever client, to what it asks.

Two kinds of fields. What changes the meaning of the answer is honoured, or refused by its name with what to do. Hints
are used where the engine can; else they are taken all the same, and `Ask.ignored` names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from diarist.formats import FORMATS, canonical
from diarist.formats.openai_stream import STREAMED
from diarist.jobs.request import shown
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.server import engine_fields
from diarist.server.ask import Ask, Clip, ask_from, identity, work_of
from diarist.server.clips import NAMES, REFERENCES, File, base_name, read_clips
from diarist.server.models import Models
from diarist.server.said import Pairs, Said, flattened, near, refused

__all__ = [
    "ASR_OUTPUTS",
    "RESPONSE_FORMATS",
    "Ask",
    "Clip",
    "File",
    "Pairs",
    "ask_from",
    "flattened",
    "identity",
    "in_format",
    "read_asr",
    "read_detect_language",
    "read_diarization",
    "read_job",
    "read_transcription",
    "read_translation",
    "recording_in",
    "work_of",
]

_OPENAI: Final = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_FILE: Final = "file"
_ASR_FILE: Final = "audio_file"
_VOICES: Final = "known_voices"
_HINTS: Final = ("prompt", "vad_filter", "beam_size", "best_of", "user")
"""OpenAI's and other servers', none of which an engine here has. Voices are always looked for first."""
_TAKEN_BEFORE: Final = ("webhook_url", "webhook_secret")
"""Of a job: `diarist.server.webhooks.read_webhook` takes them; here they are known for "did you mean"."""
_WITH_WORDS: Final = ("verbose_json", "diarized_json", "diarist")
_MAX_URL: Final = 4096
_ASR: Final = {"txt": "asr_txt", "json": "asr_json", "tsv": "asr_tsv", "srt": "srt", "vtt": "vtt"}
ASR_OUTPUTS: Final = tuple(_ASR)
"""What ``output`` of ``/asr`` may be."""
RESPONSE_FORMATS: Final = tuple(dict.fromkeys((*_OPENAI, "diarist", *(n for n in FORMATS if n != "openai_json"))))
"""What ``response_format`` may be, beside shorter names that `diarist.formats.canonical` knows."""


def recording_in(files: Iterable[File]) -> File | None:
    """Find the recording among the files of a form that was read; None where its address came instead."""
    return next((file for file in files if file.field in (_FILE, _ASR_FILE)), None)


def read_transcription(fields: Pairs, files: Iterable[File], *, models: Models) -> Ask:
    """Read ``POST /v1/audio/transcriptions``; a JSON body by way of `flattened`.

    Args:
        fields: names and values, in the order in which they came.
        files: the parts of the form that are files.
        models: those here.

    Raises:
        FieldError: a field cannot be honoured, contradicts another, or is none; HTTP 400, or 404 for the model.
    """
    return _transcription(fields, files, models, "transcribe")


def read_translation(fields: Pairs, files: Iterable[File], *, models: Models) -> Ask:
    """Read ``POST /v1/audio/translations``: what `read_transcription` reads, but English is written.

    Raises:
        FieldError: as `read_transcription`; and for ``diarized_json``, which the API has for transcriptions only.
    """
    return _transcription(fields, files, models, "translate")


def read_job(fields: Pairs, files: Iterable[File], *, models: Models) -> Ask:
    """Read ``POST /v1/jobs``: what `read_transcription` reads, and ``task`` to translate.

    Raises:
        FieldError: as `read_translation`.
    """
    return _transcription(fields, files, models, None)


def read_diarization(fields: Pairs, files: Iterable[File], *, models: Models) -> Ask:
    """Read ``POST /v1/audio/diarizations``: numbers of speakers, known voices and ``response_format`` json or rttm.

    Raises:
        FieldError: as `read_transcription`.
    """
    said, parts = Said(fields), list(files)
    model = models.find(said.text("model", most=200)).model
    url = _recording(said, parts, _FILE)
    response_format = said.choice("response_format", ("json", "rttm", "diarist"), "json")
    known = read_clips(said, parts)
    known_voices = bool(said.flag(_VOICES))
    counts = engine_fields.counts(said)
    said.finish()
    options = engine_fields.options(diarize=True, on_diarization_failure="fail", **counts)
    return Ask(
        options=options,
        response_format="diarization" if response_format == "json" else response_format,
        known=known,
        known_voices=known_voices,
        url=url,
        model=model.name,
    )


def read_asr(query: Pairs, files: Iterable[File], *, models: Models) -> Ask:
    """Read ``POST /asr``, as whisper-asr-webservice and its relatives take it.

    Args:
        query: of the address; followed by the fields of the form, where there are any.
        files: the parts of the form that are files; the recording is ``audio_file``.
        models: those here.

    Raises:
        FieldError: as `read_transcription`.
    """
    said, parts = Said(query), list(files)
    ignored: list[str] = []
    chosen = models.find(said.text("model", most=200))
    _recording(said, parts, _ASR_FILE, by_url=False)
    output = said.choice("output", ASR_OUTPUTS, "txt")
    words = said.flag("word_timestamps")
    encoded = said.flag("encode")
    counts = engine_fields.counts(said)
    asked = [name for name, count in counts.items() if count]
    wanted = said.flag("diarize", "enable_diarization")
    if wanted is False and asked:
        # Speakr sends its usual counts whether or not it wants speakers, and what it speaks to lets them be.
        ignored += asked
        counts = {}
    diarize = wanted if wanted is not None else bool(asked) or chosen.diarizes
    hotwords = engine_fields.hotwords(said, chosen.model, ignored)
    if said.flag("vad_filter") is False:
        ignored.append("vad_filter")
    if said.flag("return_speaker_embeddings"):
        ignored.append("return_speaker_embeddings")  # they are biometric, and nothing in the answer depends on them
    if said.hint("initial_prompt"):
        ignored.append("initial_prompt")
    options = dict(
        language=engine_fields.language(said),
        task=said.choice("task", ("transcribe", "translate"), "transcribe"),
        diarize=diarize,
        hotwords=hotwords,
        **counts,
    )
    said.finish()
    return Ask(
        options=engine_fields.options(**options),
        response_format=_ASR[output],
        granularities=frozenset({"word"} if words else ()),
        model=chosen.model.name,
        ignored=tuple(ignored),
        pcm=encoded is False,
    )


def read_detect_language(query: Pairs, files: Iterable[File], *, models: Models) -> Ask:
    """Read ``POST /detect-language``; as `read_asr`.

    Raises:
        FieldError: as `read_transcription`.
    """
    said, parts = Said(query), list(files)
    model = models.find(said.text("model", most=200)).model
    _recording(said, parts, _ASR_FILE, by_url=False)
    encoded = said.flag("encode")
    said.finish()
    return Ask(options=Options(diarize=False), model=model.name, pcm=encoded is False)


def in_format(ask: Ask, text: str, field: str = "format") -> Ask:
    """Return an ask for another format of the same transcript, with the words where the format has them.

    Args:
        ask: what was asked first.
        text: any name that ``response_format`` may have.
        field: named in an error.

    Raises:
        FieldError: there is no such format.
    """
    name = _format_named(text, field)
    return replace(
        ask,
        response_format=name,
        granularities=frozenset({"word", "segment"} if name in _WITH_WORDS else ()),
        logprobs=False,
        stream=False,
        text_speakers=name == "diarized_json",
    )


def _transcription(
    fields: Pairs, files: Iterable[File], models: Models, task: Literal["transcribe", "translate"] | None
) -> Ask:
    said, parts = Said(fields), list(files)
    ignored: list[str] = []
    if task is None:
        for name in _TAKEN_BEFORE:
            said.hint(name)
    doing = task or said.choice("task", ("transcribe", "translate"), "transcribe")
    chosen = models.find(said.text("model", most=200))
    url = _recording(said, parts, _FILE)
    response_format = _format(said)
    if doing == "translate" and response_format == "diarized_json":
        raise refused("response_format", "diarized_json is for transcriptions.", "Take verbose_json with diarize=true.")
    stream = _stream(said, response_format)
    granularities = _granularities(said, response_format)
    logprobs = _logprobs(said, response_format)
    known = read_clips(said, parts)
    known_voices = bool(said.flag(_VOICES))
    text_speakers = _text_speakers(said, response_format)
    counts = engine_fields.counts(said)
    asked: Mapping[str, object] = {
        "response_format=diarized_json": response_format == "diarized_json",
        **counts,
        NAMES: known,
        _VOICES: known_voices,
        "text_speakers": text_speakers and response_format != "diarized_json",
    }
    asking = next((name for name, value in asked.items() if value), None)
    options = dict(
        language=engine_fields.language(said),
        task=doing,
        diarize=_diarize(said.flag("diarize"), asking, chosen.diarizes),
        hotwords=engine_fields.hotwords(said, chosen.model, ignored),
        temperature=engine_fields.temperature(said, chosen.model, ignored),
        on_diarization_failure=said.choice("on_diarization_failure", ("warn", "fail"), "warn"),
        **counts,
    )
    channels = said.choice("channels", ("mix", "separate"), "mix")
    engine_fields.chunking(said, ignored)
    ignored += [name for name in _HINTS if said.hint(name)]
    said.finish()
    return Ask(
        options=engine_fields.options(**options),
        response_format=response_format,
        stream=stream,
        granularities=granularities,
        logprobs=logprobs,
        known=known,
        known_voices=known_voices,
        channels=None if channels == "mix" else channels,
        url=url,
        model=chosen.model.name,
        text_speakers=text_speakers,
        ignored=tuple(ignored),
    )


def _recording(said: Said, files: Sequence[File], field: str, *, by_url: bool = True) -> str | None:
    """Make sure that there is one recording; its address, where that came instead of a file."""
    names = [file.field for file in files]
    for name in names:
        if name != field and base_name(name) != REFERENCES:
            raise FieldError(
                "unknown_field",
                f"There is no file {shown(name)!r}.",
                f"Send the recording as the file {field!r}.",
                field=shown(name) or "?",
                http_status=400,
            )
    url = said.text("url", most=_MAX_URL) if by_url else None
    if said.has(field):
        raise refused(field, "It came as text, not as a file.", f"With curl, for one: -F {field}=@call.mp3")
    if names.count(field) + (url is not None) > 1:
        raise refused("url" if url else field, "There are several recordings.", "Send one.")
    if field not in names and url is None:
        also = " or give its address as url" if by_url else ""
        raise FieldError(
            "missing_field",
            "The request has no recording.",
            f"Send it as the file {field!r}{also}.",
            field=field,
            http_status=400,
        )
    if url is not None and not re.fullmatch(r"https?://[^\s/]\S*", url, re.IGNORECASE):
        raise refused("url", "It is no https URL.", "Give https://…, or send the recording as a file.")
    return url


def _format(said: Said) -> str:
    return _format_named(said.text("response_format", most=100) or "json", "response_format")


def _format_named(text: str, field: str) -> str:
    asked = text.strip().casefold()
    if asked in (*_OPENAI, "diarist"):
        return asked
    try:
        found = canonical(asked)
    except InputError:
        hint = near(asked, RESPONSE_FORMATS, f"Choose from: {', '.join(RESPONSE_FORMATS)}.")
        raise refused(field, f"There is no format {shown(text)!r}.", hint) from None
    return "json" if found == "openai_json" else found


def _stream(said: Said, response_format: str) -> bool:
    stream = bool(said.flag("stream"))
    if stream and response_format not in STREAMED:
        raise refused(
            "stream",
            f"The events of a stream cannot carry {response_format}.",
            f"Stream {', '.join(STREAMED)}; or leave stream out.",
        )
    return stream


def _granularities(said: Said, response_format: str) -> frozenset[str]:
    name = "timestamp_granularities"
    asked = [each.casefold() for each in said.listed(name, most=100, commas=True)]
    for place, each in enumerate(asked):
        if each not in ("word", "segment"):
            hint = near(each, ("word", "segment"), "Choose from: word, segment.")
            raise refused(f"{name}[{place}]", f"It cannot be {shown(each)!r}.", hint)
    unfit = response_format not in _WITH_WORDS if "word" in asked else response_format in ("json", "text")
    if asked and unfit:
        raise refused(
            name,
            f"{response_format} does not list times of each {' and '.join(dict.fromkeys(asked))}.",
            "Take response_format=verbose_json or diarized_json.",
        )
    return frozenset(asked)


def _logprobs(said: Said, response_format: str) -> bool:
    asked = [each.casefold() for each in said.listed("include", most=100, commas=True)]
    for place, each in enumerate(asked):
        if each != "logprobs":
            raise refused(f"include[{place}]", f"It cannot be {shown(each)!r}.", "Choose from: logprobs.")
    if asked and response_format != "json":
        raise refused("include", f"logprobs come with json, not with {response_format}.", "Take response_format=json.")
    return bool(asked)


def _text_speakers(said: Said, response_format: str) -> bool:
    asked = said.flag("text_speakers")
    if asked and response_format not in STREAMED:
        raise refused("text_speakers", f"It is for {', '.join(STREAMED)}, not for {response_format}.")
    return response_format == "diarized_json" if asked is None else asked


def _diarize(said: bool | None, asking: str | None, by_name: bool) -> bool:
    """Whether to find speakers: as said, else where another field needs them, else as the model's name says."""
    if said is False and asking is not None:
        raise refused("diarize", f"diarize=false contradicts {asking}.", "Leave one of the two out.")
    return said if said is not None else asking is not None or by_name
