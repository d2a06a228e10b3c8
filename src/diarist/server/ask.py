"""What a request asks, once its fields are read: a value that can be kept, compared and read back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from diarist.formats.answers import Shape
from diarist.model import codec
from diarist.model.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A known speaker's voice, as the request brought it.

    Attributes:
        name: whose voice it is; the speaker gets this name where the voice is recognised.
        sha256: of the clip's bytes, in hexadecimal; names the clip in caches.
        data: the bytes of the recording, where it came as a data URL.
        path: the file that holds it, where it came as a part of the form; empty for none.
    """

    name: str
    sha256: str
    data: bytes = b""
    path: str = ""

    def __repr__(self) -> str:
        return f"<Clip of {self.name!r}>"  # a voice belongs in no log

    def read(self) -> bytes:
        """Return the recording's bytes."""
        return self.data or Path(self.path).read_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """All that one request asks, beside the recording itself.

    Attributes:
        options: what the engines are to do.
        response_format: ``json``, ``text``, ``srt``, ``vtt``, ``verbose_json``, ``diarized_json`` as OpenAI means them;
            ``diarist`` for the exact document; ``diarization`` for who spoke when; ``asr_json``, ``asr_txt``,
            ``asr_tsv`` as whisper-asr-webservice writes them; else a name in `diarist.formats.FORMATS`.
        stream: whether events are wanted instead of one answer.
        granularities: of ``word`` and ``segment``, which times are listed.
        logprobs: whether each word's log probability is wanted.
        known: the voices that may be named.
        known_voices: whether those that the caller's key keeps on the server may be named, too.
        channels: ``separate`` takes each channel for a party; None and ``mix`` put them together.
        url: where the recording is; None where it came with the request.
        model: the loaded model that answers.
        text_speakers: whether ``text`` says who talks.
        ignored: fields that were taken and change nothing here, for the header ``diarist-ignored``.
        pcm: whether the recording has no header: 16-bit little-endian samples, mono, 16 kHz, unless it says otherwise
            itself.
    """

    options: Options
    response_format: str = "json"
    stream: bool = False
    granularities: frozenset[str] = frozenset()
    logprobs: bool = False
    known: tuple[Clip, ...] = ()
    known_voices: bool = False
    channels: str | None = None
    url: str | None = None
    model: str = ""
    text_speakers: bool = False
    ignored: tuple[str, ...] = ()
    pcm: bool = False

    @property
    def shape(self) -> Shape:
        """How the answer is written; see `diarist.formats.answers`."""
        return Shape(
            response_format=self.response_format,
            words="word" in self.granularities,
            segments="segment" in self.granularities,
            details=self.options.diarize,
            logprobs=self.logprobs,
            known=frozenset(clip.name for clip in self.known),
            text_speakers=self.text_speakers,
            warnings=self.options.diarize,
        )


def identity(ask: Ask) -> dict[str, Any]:
    """Write an ask as JSON-ready values, always in the same order; `ask_from` reads it back."""
    document: dict[str, Any] = msgspec.to_builtins(ask, order="deterministic")
    return document


def ask_from(document: Mapping[str, Any]) -> Ask:
    """Read what `identity` wrote.

    Raises:
        InputError: it is no such document.
    """
    return codec.load(Ask, document)


def work_of(ask: Ask) -> str:
    """Name the work that an ask means, whatever way its answer is written: two asks of one name share a transcript.

    The recording is not part of it, but where it comes from by URL.

    Returns:
        A SHA-256 in hexadecimal.
    """
    work = (
        _WORK,
        ask.model,
        ask.options,
        sorted((c.name, c.sha256) for c in ask.known),
        ask.known_voices,
        ask.channels,
        ask.url,
        ask.pcm,
    )
    return hashlib.sha256(msgspec.json.encode(work, order="deterministic")).hexdigest()


_WORK: Final = "diarist.work/1"
