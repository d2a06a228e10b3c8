"""From the fields of a request, by whatever client, to what it asks.

Two kinds of fields. What changes the meaning of the answer is honoured, or refused by its name with what to do. Hints
are used where the engine can; else they are taken all the same, and `Ask.ignored` names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from diarist.formats import FORMATS, canonical
from diarist.formats.openai_stream import STREAMED
from diarist.jobs.request import shown
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.model.languages import language_code
from diarist.model.options import MAX_HOTWORD_LENGTH, MAX_HOTWORDS, Options
from diarist.server.ask import Ask, Clip, ask_from, identity, work_of
from diarist.server.clips import NAMES, REFERENCES, File, base_name, read_clips
from diarist.server.models import Model, Models
from diarist.server.said import Pairs, Said, flattened, near, refused

__all__ = [
    "Ask",
    "Clip",
    "File",
    "Pairs",
    "ask_from",
    "flattened",
    "identity",
    "read_asr",
    "read_detect_language",
    "read_diarization",
    "read_transcription",
    "read_translation",
    "recording_in",
    "work_of",
]

_OPENAI: Final = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_FILE: Final = "file"
_ASR_FILE: Final = "audio_file"
_VOICES: Final = "known_voices"
_COUNTS: Final = ("num_speakers", "min_speakers", "max_speakers")
_HINTS: Final = ("prompt", "vad_filter", "beam_size", "best_of", "user")
"""OpenAI's and other servers', none of which an engine here has. Voices are always looked for first."""
_WITH_WORDS: Final = ("verbose_json", "diarized_json", "diarist")
_MAX_URL: Final = 4096
_ASR_OUTPUTS: Final = {"txt": "asr_txt", "json": "asr_json", "tsv": "asr_tsv", "srt": "srt", "vtt": "vtt"}


def recording_in(files: Iterable[File]) -> File | None:
    """Find the recording among the files of a form that was read; None where its address came instead."""
    return next((file for file in files if file.field in (_FILE, _ASR_FILE)), None)


def read_transcription(fields: Pairs, files: Iterable[File], *, models: Models) -> Ask:
    """Read ``POST /v1/audio/transcriptions`` or ``/v1/jobs``; a JSON body by way of `flattened`.

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
    ask = _transcription(fields, files, models, "translate")
    if ask.response_format == "diarized_json":
        raise refused("response_format", "diarized_json is for transcriptions.", "Take verbose_json with diarize=true.")
    return ask


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
    counts = {name: said.whole(name) for name in _COUNTS}
    said.finish()
    options = _options(diarize=True, on_diarization_failure="fail", **counts)
    return Ask(
        options=options,
        response_format=response_format,
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
    output = said.choice("output", tuple(_ASR_OUTPUTS), "txt")
    words = said.flag("word_timestamps")
    encoded = said.flag("encode")
    counts = {name: said.whole(name) for name in _COUNTS}
    asked = next((name for name, count in counts.items() if count), None)
    diarize = _diarize(said.flag("diarize", "enable_diarization"), asked, chosen.diarizes)
    hotwords = _hotwords(said, chosen.model, ignored)
    if said.flag("vad_filter") is False:
        ignored.append("vad_filter")
    if said.flag("return_speaker_embeddings"):
        ignored.append("return_speaker_embeddings")  # they are biometric, and nothing in the answer depends on them
    if said.hint("initial_prompt"):
        ignored.append("initial_prompt")
    options = dict(
        language=_language(said),
        task=said.choice("task", ("transcribe", "translate"), "transcribe"),
        diarize=diarize,
        hotwords=hotwords,
        **counts,
    )
    said.finish()
    return Ask(
        options=_options(**options),
        response_format=_ASR_OUTPUTS[output],
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


def _transcription(
    fields: Pairs, files: Iterable[File], models: Models, task: Literal["transcribe", "translate"]
) -> Ask:
    said, parts = Said(fields), list(files)
    ignored: list[str] = []
    chosen = models.find(said.text("model", most=200))
    url = _recording(said, parts, _FILE)
    response_format = _format(said)
    stream = _stream(said, response_format)
    granularities = _granularities(said, response_format)
    logprobs = _logprobs(said, response_format)
    known = read_clips(said, parts)
    known_voices = bool(said.flag(_VOICES))
    text_speakers = _text_speakers(said, response_format)
    counts = {name: said.whole(name) for name in _COUNTS}
    asked: Mapping[str, object] = {
        "response_format=diarized_json": response_format == "diarized_json",
        **counts,
        NAMES: known,
        _VOICES: known_voices,
        "text_speakers": text_speakers and response_format != "diarized_json",
    }
    asking = next((name for name, value in asked.items() if value), None)
    options = dict(
        language=_language(said),
        task=task,
        diarize=_diarize(said.flag("diarize"), asking, chosen.diarizes),
        hotwords=_hotwords(said, chosen.model, ignored),
        temperature=_temperature(said, chosen.model, ignored),
        on_diarization_failure=said.choice("on_diarization_failure", ("warn", "fail"), "warn"),
        **counts,
    )
    channels = said.choice("channels", ("mix", "separate"), "mix")
    _chunking(said, ignored)
    ignored += [name for name in _HINTS if said.hint(name)]
    said.finish()
    return Ask(
        options=_options(**options),
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
            hint = near(name, (field, REFERENCES), f"The recording is {field!r}.")
            raise refused(shown(name), "There is no such file.", hint, code="unknown_field")
    url = said.text("url", most=_MAX_URL) if by_url else None
    if said.hint(field):
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
    text = said.text("response_format", most=100) or "json"
    asked = text.casefold()
    if asked in (*_OPENAI, "diarist"):
        return asked
    try:
        found = canonical(asked)
    except InputError:
        every = dict.fromkeys((*_OPENAI, "diarist", *FORMATS))
        hint = near(asked, list(every), f"Choose from: {', '.join(every)}.")
        raise refused("response_format", f"There is no format {shown(text)!r}.", hint) from None
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


def _language(said: Said) -> str | None:
    one = said.text("language", most=100)
    several = said.listed("languages", most=100, commas=True)
    if one is not None and several:
        raise refused("languages", "It cannot be combined with language.", "Send one of the two.")
    codes = {_code("languages", text) for text in several}
    if len(codes) > 1:
        raise refused(
            "languages",
            "The models here cannot choose among several.",
            "Give one as language, or none to have it detected.",
        )
    if several:
        return codes.pop()
    return None if one is None or one.casefold() in ("none", "null", "undefined") else _code("language", one)


def _code(field: str, text: str) -> str | None:
    try:
        return language_code(text)
    except InputError as error:
        said = f"No model here knows a language {shown(text)!r}."
        raise FieldError(error.code, said, error.hint, field=field, http_status=400) from None


def _hotwords(said: Said, model: Model, ignored: list[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for field in ("hotwords", "keywords"):
        # A keyword is one entry of a list; hotwords also come as one text.
        phrases = said.listed(field, most=100_000, commas=field == "hotwords")
        for place, phrase in enumerate(phrases):
            if len(phrase) > MAX_HOTWORD_LENGTH or not phrase.isprintable() or "<" in phrase or ">" in phrase:
                raise refused(
                    f"{field}[{place}]",
                    f"It is from 1 to {MAX_HOTWORD_LENGTH} characters in one line, without < and >.",
                    "Give words and short phrases, each by itself.",
                )
        found |= dict.fromkeys(phrases)
        if len(found) > MAX_HOTWORDS:
            raise refused(field, f"There are {len(found)} words and phrases; {MAX_HOTWORDS} are taken.")
        if phrases and "hotwords" not in model.takes:
            ignored.append(field)
    return tuple(found) if "hotwords" in model.takes else ()


def _temperature(said: Said, model: Model, ignored: list[str]) -> float | None:
    value = said.number("temperature")
    if value is not None and not 0 <= value <= 1:
        raise refused("temperature", f"It is from 0 to 1, not {value:g}.", code="bad_temperature")
    if not value:
        return None
    if "temperature" in model.takes:
        return value
    ignored.append("temperature")
    return None


def _chunking(said: Said, ignored: list[str]) -> None:
    """Check ``chunking_strategy``: long recordings are always cut where nobody speaks, which is what ``auto`` says."""
    name = "chunking_strategy"
    given = said.parts(name)
    if given is None or (isinstance(given, str) and given.casefold() == "auto"):
        return
    parts: Mapping[str, Any] = given if isinstance(given, Mapping) else {"type": given}
    kind = str(parts.get("type", "")).strip().casefold()
    if kind not in ("auto", "server_vad"):
        raise refused(name, f"It cannot be {shown(kind)!r}.", "Send auto, or an object of the type server_vad.")
    for part, value in parts.items():
        if part == "type":
            continue
        if part not in _VAD:
            raise refused(
                f"{name}[{shown(part)}]", "There is no such part.", near(part, _VAD, f"Known: {', '.join(_VAD)}.")
            )
        if not re.fullmatch(r"\d{1,9}(\.\d{0,20})?", str(value)):
            raise refused(f"{name}[{part}]", f"It is {shown(str(value))!r}, which is no number from 0.")
    if kind == "server_vad":
        ignored.append(name)


_VAD: Final = ("prefix_padding_ms", "silence_duration_ms", "threshold")


def _options(**asked: Any) -> Options:
    try:
        return Options(**asked)
    except InputError as error:
        named = next((name for name in _COUNTS if name in error.message), "diarize")
        raise FieldError(error.code, error.message, error.hint, field=named, http_status=400) from None
