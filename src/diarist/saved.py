"""Saved transcripts: reading and writing one, and what lies beside it: its recording, and its other formats.

A transcript does not hold where its recording is: that would tell whoever gets the file about the machine it came from.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from diarist import reading
from diarist.audio.containers import MEDIA_SUFFIXES
from diarist.files import read_bounded, why, write_whole
from diarist.formats import FORMATS, format_of, render
from diarist.formats.page import recording_of
from diarist.model.errors import InputError
from diarist.model.transcript import Transcript


def read_transcript(path: str) -> Transcript:
    """Read a transcript of any kind that `diarist.reading` knows: diarist's JSON, subtitles, JSON of others.

    Args:
        path: the file, or ``-`` for standard input.

    Raises:
        InputError: it cannot be read, is no transcript, or was written by a later diarist. The message names the file,
            and holds nothing of what is in it.
    """
    return reading.parse(*_read(path, reading.HINT))


def read_own_transcript(path: str) -> Transcript:
    """Read what ``diarist transcribe -f json`` wrote, and nothing else: for who writes it back.

    Raises:
        InputError: as `read_transcript`, and for files of any other kind.
    """
    return reading.parse_own(*_read(path, reading.OWN_HINT))


def _read(path: str, hint: str) -> tuple[bytes, str]:
    name = "standard input" if path == "-" else path or "a file without a name"
    try:
        return read_bounded(sys.stdin.buffer if path == "-" else path), name
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise InputError(
                "no_transcript", f"{name} is too large for a transcript.", hint, http_status=413
            ) from error
        raise InputError("unreadable_transcript", f"Cannot read {name}: {why(error)}.", hint) from error


def write_transcript(transcript: Transcript, path: str | os.PathLike[str]) -> None:
    """Write a transcript in the format that the file's name ends in, whole or not at all; what was there is replaced.

    Raises:
        InputError: no format has this extension, or the file cannot be written.
    """
    file = Path(path)
    format_name = format_of(file.name)
    if format_name is None:
        known = ", ".join(f".{form.extension}" for form in FORMATS.values())
        raise InputError("bad_format", f"No format is called {file.suffix or 'nothing'!r}.", f"Choose from: {known}.")
    # call for call.verbose.json as for call.txt
    stem = file.name[: -len(FORMATS[format_name].extension) - 1]
    write_whole(file, _bytes(render(transcript, format_name, name=recording_name(f"{stem}.x"))))


def recording_name(path: str) -> str:
    """The recording's name without extension, as formats carry it: ``call`` for ``call.json`` and ``call.mp3.json``."""
    if path == "-":
        return "stdin"
    stem = PurePath(path).stem
    return PurePath(stem).stem if _is_media(stem) else stem


def find_recording(path: Path) -> Path:
    """Find the recording of a transcript: the sound or film of the same name beside it.

    Raises:
        InputError: there is none, or more than one.
    """
    names = {path.stem, recording_name(str(path))}
    beside = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    found = [
        file
        for file in beside
        if _is_media(file.name) and (file.stem in names or file.name == path.stem) and file.is_file()
    ]
    exact = [file for file in found if file.name == path.stem]  # call.mp3 for call.mp3.json, whatever call.wav is
    found = exact or found
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            "which_recording",
            f"Beside {path} are several recordings of that name: {', '.join(file.name for file in found[:4])}.",
            "Say which: --recording FILE",
        )
    raise InputError("no_recording", f"The recording of {path} is not beside it.", "Say where it is: --recording FILE")


def recording_beside(path: str) -> str | None:
    """Path of the recording of a transcript, where one lies beside it; None where there is none, or more than one."""
    if path == "-":
        return None
    try:
        return str(find_recording(Path(path)))
    except (InputError, OSError):
        return None


def _is_media(name: str) -> bool:
    return not name.startswith(".") and PurePath(name).suffix.lower() in MEDIA_SUFFIXES


@dataclass(frozen=True, slots=True)
class Beside:
    """A file beside a transcript, of the name that one of its formats would have.

    Attributes:
        path: the file.
        content: what to write there now; None where it stays as it is.
        why: why it stays; empty if it does not.
    """

    path: Path
    content: bytes | None
    why: str = ""


def rewrite_beside(path: Path, old: Transcript, new: Transcript) -> Sequence[Beside]:
    """Render again what was rendered from a transcript; only a file that is just what ``old`` gives is replaced.

    Args:
        path: the transcript's own file.
        old: what it held.
        new: what it will hold.
    """
    found = []
    for name, form in FORMATS.items():
        file = path.with_name(f"{path.stem}.{form.extension}")
        if file != path and file.is_file():
            found.append(_again(file, name, dict.fromkeys((recording_name(str(path)), path.stem)), old, new))
    return found


def _again(file: Path, format_name: str, names: Iterable[str], old: Transcript, new: Transcript) -> Beside:
    try:
        present = file.read_bytes()
        recording = recording_of(present.decode(errors="replace")) if format_name == "html" else None
        for name in names:
            again = _bytes(render(new, format_name, name=name, recording=recording))
            if present in (again, _bytes(render(old, format_name, name=name, recording=recording))):
                return Beside(file, again)
    except OSError as error:
        return Beside(file, None, f"it cannot be read: {error.strerror}")
    except InputError as error:
        return Beside(file, None, error.message)
    return Beside(file, None, "it was changed, or another version wrote it")


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()
