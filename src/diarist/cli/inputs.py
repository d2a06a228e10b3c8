"""Which recordings are meant by the arguments of ``diarist transcribe``, and whether they can be read at all."""

from __future__ import annotations

import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from diarist.audio.containers import MEDIA_SUFFIXES
from diarist.files import absolute, is_folder, why
from diarist.model.errors import InputError


class Named(NamedTuple):
    """A recording that someone named.

    Attributes:
        source: path, URL or ``-``.
        name: what to call it and its files, relative to the folder that was named; with its suffix.
    """

    source: str
    name: PurePath


def find_recordings(paths: Sequence[str], say: Callable[[str], None] = lambda _: None) -> list[Named]:
    """Find what the arguments mean: files, URLs and ``-`` as they are, and what lies in folders, each only once.

    Args:
        paths: files, folders, URLs or ``-``.
        say: told, in one line, what was passed over in a folder.

    Raises:
        InputError: a folder may not be read, or holds no recordings.
    """
    found: dict[str, Named] = {}
    for path in paths:
        for recording in _expand(path, say):
            found.setdefault(identity(recording.source), recording)
    return list(found.values())


def identity(source: str) -> str:
    """What tells one source from another, however it is written; links are recordings of their own."""
    return source if source == "-" or "://" in source else str(absolute(source))


def check_readable(source: str) -> None:
    """Refuse, before any work, what cannot be a recording. Nothing is fetched, and streams are left alone.

    Raises:
        InputError: the file is not there or may not be read, the URL is of a kind that is refused, or standard input is
            a terminal.
    """
    from diarist.audio.recording import CLI_KINDS, parse_recording

    recording = parse_recording(source, CLI_KINDS)
    if "://" in source or (source == "-" and sys.stdin is not None and not sys.stdin.isatty()):
        return
    try:
        is_stream = stat.S_ISFIFO(Path(source).stat().st_mode)
    except (OSError, ValueError):
        is_stream = False
    if not is_stream:
        with recording.open():
            pass


def _expand(path: str, say: Callable[[str], None]) -> Iterator[Named]:
    if path == "-":
        yield Named(path, PurePath("stdin"))
    elif "://" in path:
        yield Named(path, PurePath(_url_name(path)))
    elif is_folder(path):
        yield from _inside(path, say)
    else:
        yield Named(path, PurePath(PurePath(path).name or path))


def _url_name(url: str) -> str:
    try:
        name = PurePath(unquote(urlsplit(url).path)).name
    except ValueError:  # no URL at all: whoever opens it says so
        name = ""
    name = "".join(letter if letter.isprintable() else "_" for letter in name)
    return name if name.strip(". ") else "download"


def _inside(folder: str, say: Callable[[str], None]) -> Iterator[Named]:
    closed: list[OSError] = []
    others: Counter[str] = Counter()
    found = []
    for where, folders, names in os.walk(folder, onerror=closed.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            suffix = PurePath(name).suffix.lower()
            if name.startswith("."):
                continue
            if suffix in MEDIA_SUFFIXES:
                found.append(Path(where) / name)
            else:
                others[suffix or "no suffix"] += 1
    if closed and (not found or closed[0].filename == folder):
        raise InputError(
            "unreadable_folder",
            f"Cannot read the folder {closed[0].filename}: {why(closed[0])}.",
            "Check its permissions.",
        )
    if not found:
        raise InputError("empty_folder", f"There are no recordings in {folder}.", "Name audio or video files.")
    if closed:
        first = ", ".join(str(error.filename) for error in closed[:3])
        say(f"{_counted(len(closed), 'folder')} could not be read: {first}{', …' if len(closed) > 3 else ''}.")
    if others:
        kinds = ", ".join(f"{suffix} ({count})" for suffix, count in others.most_common(5))
        more = ", …" if len(others) > 5 else ""
        files = _counted(others.total(), "file")
        say(f"{folder}: passed over {files} not named like recordings: {kinds}{more}. Name a file itself to try it.")
    for file in sorted(found):
        yield Named(str(file), file.relative_to(folder))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
