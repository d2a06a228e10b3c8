"""Known speakers: names, and for each a clip of the voice, as a data URL or as a part of the form."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

from diarist.audio.recording import Kind, parse_recording
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.server.ask import Clip
from diarist.server.said import Said, refused

MAX_KNOWN: Final = 16
MAX_CLIP_BYTES: Final = 4_000_000
MAX_NAME: Final = 64
NAMES: Final = "known_speaker_names"
REFERENCES: Final = "known_speaker_references"

_MAX_TEXT: Final = MAX_CLIP_BYTES * 4 // 3 + 1000
_IN_LINES: Final = 1.05  # base64 may come in lines
_HINT: Final = "Send a data URL, data:audio/wav;base64,…, or the clip as a file."


class File(Protocol):
    """A file part of a form, on disk; an upload of the server is one."""

    @property
    def field(self) -> str:
        """The field's name, as sent."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def num_bytes(self) -> int:
        """How large it is."""

    @property
    def sha256(self) -> str:
        """Digest of its bytes, in hexadecimal."""


def read_clips(said: Said, files: Iterable[File]) -> tuple[Clip, ...]:
    """Take ``known_speaker_names`` and ``known_speaker_references``.

    Args:
        said: the fields.
        files: all parts of the form that are files; clips are those called ``known_speaker_references``, with ``[]`` or
            a place in brackets or without.

    Raises:
        FieldError: names and clips do not belong together, two names are one, or a clip is none; by its place, as in
            ``known_speaker_references[1]``.
    """
    names = _names(said)
    texts = said.listed(REFERENCES, most=int(_MAX_TEXT * _IN_LINES))
    parts = _in_order([file for file in files if base_name(file.field) == REFERENCES])
    if texts and parts:
        raise refused(REFERENCES, "Some came as text and some as files.", "Send all of them in one way.")
    if len(names) != len(texts) + len(parts):
        raise refused(
            REFERENCES if names else NAMES,
            f"For {len(names)} of {NAMES} there are {len(texts) + len(parts)} clips.",
            f"Send one of {REFERENCES} for each of {NAMES}, in the same order.",
        )
    if texts:
        return tuple(_of_text(name, text, place) for place, (name, text) in enumerate(zip(names, texts, strict=True)))
    return tuple(_of_file(name, file, place) for place, (name, file) in enumerate(zip(names, parts, strict=True)))


def base_name(field: str) -> str:
    """Return a field's name without brackets."""
    return field.partition("[")[0].strip()


def _names(said: Said) -> list[str]:
    names = said.listed(NAMES)
    if len(names) > MAX_KNOWN:
        raise refused(NAMES, f"There are {len(names)} names; {MAX_KNOWN} are taken.")
    for place, name in enumerate(names):
        if len(name) > MAX_NAME or not name.isprintable():
            raise refused(f"{NAMES}[{place}]", f"A name is from 1 to {MAX_NAME} printable characters.")
        if re.fullmatch(r"SPEAKER_\d+", name):
            # One who was not heard would seem to be heard.
            raise refused(f"{NAMES}[{place}]", f"{name} is what unknown voices are called.", "Choose another name.")
        if name.casefold() in (other.casefold() for other in names[:place]):
            raise refused(f"{NAMES}[{place}]", "The same name is there before.", "Send each person once.")
    return names


def _in_order(files: Sequence[File]) -> Sequence[File]:
    places = [re.search(r"\[(\d{1,4})\]$", file.field.strip()) for file in files]
    if not all(places):
        return files
    return [
        file for _, file in sorted(zip((int(p[1]) for p in places if p), files, strict=True), key=lambda pair: pair[0])
    ]


def _of_text(name: str, text: str, place: int) -> Clip:
    field = f"{REFERENCES}[{place}]"
    if not text[:5].casefold() == "data:":
        raise refused(field, "It is no data URL.", _HINT)
    try:
        with parse_recording(text, frozenset({Kind.DATA_URL}), max_bytes=MAX_CLIP_BYTES).open() as file:
            data = file.read()
    except InputError as error:
        if error.http_status == 413:
            raise _too_large(field) from None
        raise refused(field, "It cannot be read.", _HINT) from None
    if not data:
        raise refused(field, "The clip is empty.", _HINT)
    if len(data) > MAX_CLIP_BYTES:
        raise _too_large(field)
    return Clip(name=name, sha256=hashlib.sha256(data).hexdigest(), data=data)


def _of_file(name: str, file: File, place: int) -> Clip:
    field = f"{REFERENCES}[{place}]"
    if not file.num_bytes:
        raise refused(field, "The clip is empty.", _HINT)
    if file.num_bytes > MAX_CLIP_BYTES:
        raise _too_large(field)
    return Clip(name=name, sha256=file.sha256, path=str(file.path))


def _too_large(field: str) -> FieldError:
    return refused(field, f"The clip has more than {MAX_CLIP_BYTES / 1e6:g} MB.", "Send 2 to 60 s of one person.")
