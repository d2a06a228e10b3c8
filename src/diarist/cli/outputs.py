"""Which recording goes where: arguments of ``diarist transcribe`` to jobs, and transcripts to files, atomically."""

from __future__ import annotations

import mimetypes
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from diarist.files import write_whole
from diarist.formats import FORMATS, check, render
from diarist.model.errors import InputError

if TYPE_CHECKING:
    from diarist.model.transcript import Transcript

# Containers that the platform's mimetypes table does not list as sound or video.
MEDIA_SUFFIXES = frozenset({".m4a", ".m4b", ".opus", ".flac", ".ogg", ".oga", ".mka", ".mkv", ".webm", ".aac", ".caf"})


@dataclass(frozen=True, slots=True)
class Job:
    """One recording to transcribe.

    Attributes:
        name: what to call it in messages.
        source: path, URL or ``-``.
        formats: what to render.
        targets: file to write per format; empty to print the only format.
    """

    name: str
    source: str
    formats: tuple[str, ...]
    targets: Mapping[str, Path]

    @property
    def stem(self) -> str:
        """The recording's name without suffix, for formats that carry one."""
        return PurePath(self.name).stem


def plan_jobs(paths: Sequence[str], formats: Sequence[str] | None, out: Path | None) -> list[Job]:
    """Decide, before any work, what will be read and written.

    Raises:
        InputError: a format is unknown, a folder holds no recordings, or several recordings would be printed.
    """
    chosen = tuple(dict.fromkeys(formats or ("txt",)))
    for name in chosen:
        check(name)
    inputs = [found for path in paths for found in _expand(path)]
    if out is None:
        if len(inputs) > 1:
            raise InputError("needs_out", f"{len(inputs)} recordings need a folder to go to.", "Add -o DIR.")
        if len(chosen) > 1:
            raise InputError("needs_out", f"{len(chosen)} formats need a folder to go to.", "Add -o DIR.")
        return [Job(PurePath(source).name, source, chosen, {}) for source, _ in inputs]
    if out.exists() and not out.is_dir():
        raise InputError("bad_out", f"{out} is not a folder.", "Name a folder after -o.")
    stems = Counter(relative.with_suffix("") for _, relative in inputs)
    jobs = []
    for source, relative in inputs:
        # a.mp3 and a.wav in one batch keep their suffixes, so that neither overwrites the other.
        stem = relative.with_suffix("") if stems[relative.with_suffix("")] == 1 else relative
        targets = {name: out / f"{stem}.{FORMATS[name].extension}" for name in chosen}
        jobs.append(Job(str(relative), source, chosen, targets))
    twice = [
        path for path, count in Counter(path for job in jobs for path in job.targets.values()).items() if count > 1
    ]
    if twice:
        raise InputError("same_output", f"Two recordings would both be written to {twice[0]}.", "Rename one of them.")
    return jobs


def _expand(path: str) -> Iterable[tuple[str, PurePath]]:
    """Yield (source, name relative to the argument) for a file, folder, URL or ``-``."""
    if path == "-":
        yield path, PurePath("stdin")
    elif "://" in path:
        yield path, PurePath(PurePath(unquote(urlsplit(path).path)).name or "download")
    elif Path(path).is_dir():

        def refuse(error: OSError) -> None:
            raise InputError(
                "unreadable_folder",
                f"Cannot read the folder {error.filename}: {error.strerror}.",
                "Check its permissions.",
            )

        found = sorted(
            Path(where) / name for where, _, names in os.walk(path, onerror=refuse) for name in names if _is_media(name)
        )
        if not found:
            raise InputError("empty_folder", f"There are no recordings in {path}.", "Name audio or video files.")
        for file in found:
            yield str(file), file.relative_to(path)
    else:
        yield path, PurePath(Path(path).name)


def _is_media(name: str) -> bool:
    kind = mimetypes.guess_type(name)[0] or ""
    return not name.startswith(".") and (
        kind.startswith(("audio/", "video/")) or PurePath(name).suffix.lower() in MEDIA_SUFFIXES
    )


def write_all(transcript: Transcript, stem: str, targets: Mapping[str, Path], source: str | None = None) -> None:
    """Write each format whole or not at all.

    Args:
        transcript: what to write.
        stem: the recording's name, for formats that carry one.
        targets: file to write per format.
        source: path of the recording, for the page that plays it.

    Raises:
        InputError: a file cannot be written, e.g. the disk is full; nothing partial is left behind.
    """
    for name, path in targets.items():
        content = render(transcript, name, name=stem, recording=way_to(source, path.parent))
        whole = content if isinstance(content, bytes) else content.encode()
        write_whole(path, whole, hint="Free some space or choose another -o DIR.")


def way_to(source: str | None, folder: Path) -> str | None:
    """The way from ``folder`` to the recording ``source``, for a page; None if it is not a file."""
    if source is None or not Path(source).is_file():
        return None
    try:
        return Path(os.path.relpath(Path(source).resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return Path(source).resolve().as_uri()


def write_out(content: str | bytes, format_name: str) -> None:
    """Print a rendering on standard output.

    Raises:
        InputError: it is binary and would go to a terminal, or there is no room where it goes.
    """
    if isinstance(content, bytes) and sys.stdout.isatty():
        raise InputError("binary_output", f"{format_name} is not text.", "Write it to a folder with -o DIR.")
    try:
        sys.stdout.buffer.write(content if isinstance(content, bytes) else content.encode())
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(
            "cannot_write", f"Cannot write the transcript: {error.strerror}.", "Free some space."
        ) from error
