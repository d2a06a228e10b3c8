"""Which recording goes where: arguments of ``diarist transcribe`` to jobs, and transcripts to files, atomically."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from diarist.cli.inputs import check_readable, find_recordings
from diarist.cli.naming import MAX_NAME_BYTES, name_files
from diarist.cli.terminal import visible
from diarist.cli.written import is_ours, keep, remember
from diarist.files import is_file, is_folder, why, write_whole
from diarist.formats import FORMATS, canonical, check, format_of, render
from diarist.model.errors import Cancelled, DiaristError, InputError

if TYPE_CHECKING:
    from diarist.model.transcript import Transcript

_PROBE_BYTES: Final = 1 << 16
_HINT: Final = "Free some space or choose another place with -o."


@dataclass(frozen=True, slots=True)
class Errand:
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


def plan_jobs(
    paths: Sequence[str],
    formats: Sequence[str] | None,
    out: str | os.PathLike[str] | None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Errand]:
    """Decide, before any work, what will be read and written.

    Args:
        paths: files, folders, URLs or ``-``.
        formats: names as for `canonical`, one or several with commas each; None takes what ``out`` says, else txt.
        out: a file to write, if its name ends in a format's extension, no folder is called so, and there is one
            recording; else a folder. None or ``-`` prints.
        say: told, in one line, what was passed over.

    Raises:
        InputError: a format is unknown, a folder holds no recordings, several recordings would be printed or written to
            one file, or ``formats`` and ``out`` contradict each other.
    """
    chosen = tuple(dict.fromkeys(canonical(name) for each in formats or () for name in each.split(",")))
    place = None if out is None else os.path.expanduser(os.fspath(out))  # noqa: PTH111  # keeps the slash at the end
    if place == "":
        raise InputError("bad_out", "The name after -o is empty.", "Name a folder or a file after -o.")
    implied = _implied(place)
    if place and implied:
        chosen = (_agreed(place, implied, chosen),)
    chosen = chosen or ("txt",)
    for name in chosen:
        check(name)
    recordings = find_recordings(paths, say)
    if place is None or place == "-":
        _refuse_to_print(len(recordings), chosen)
        return [Errand(recording.name.name, recording.source, chosen, {}) for recording in recordings]
    if implied:
        if len(recordings) > 1:
            raise InputError(
                "one_file",
                f"{place} is one file, and there are {len(recordings)} recordings.",
                f"Name a folder after -o, and the format with -f {implied}.",
            )
        return [Errand(str(r.name), r.source, chosen, {chosen[0]: Path(place)}) for r in recordings]
    if os.path.lexists(place) and not is_folder(place):
        raise InputError(
            "bad_out", f"{place} is not a folder.", "Name a folder after -o, or a file that ends in .txt, .srt, …"
        )
    targets = name_files(recordings, Path(place), chosen)
    return [Errand(str(r.name), r.source, chosen, files) for r, files in zip(recordings, targets, strict=True)]


def check_jobs(jobs: Sequence[Errand], *, overwrite: bool = False) -> None:
    """Find out, before any work, what would fail after it. Leaves no trace.

    A recording that cannot be read does not stop the others: it is refused here only if there is no other.

    Raises:
        InputError: nothing can be read; a place cannot be written; or a file is there that diarist did not write for
            this recording.
    """
    failures = []
    for job in jobs:
        try:
            check_readable(job.source)
        except InputError as error:
            failures.append(error)
    if failures and len(failures) == len(jobs):
        if len(jobs) == 1:
            raise failures[0]
        raise InputError(
            "nothing_readable", f"None of {len(jobs)} recordings can be read: {failures[0].message}", failures[0].hint
        )
    if any(not job.targets for job in jobs) and sys.__stdout__ is None:
        raise InputError("no_output", "Standard output is closed.", "Name a file or a folder with -o.")
    taken = []
    for job in jobs:
        taken += check_targets(job.targets, job.source, overwrite=overwrite)
    if taken:
        raise _not_ours(taken)
    for folder in dict.fromkeys(_existing(path) for job in jobs for path in job.targets.values()):
        _probe(folder)


def check_targets(targets: Mapping[str, Path], source: str, *, overwrite: bool = False) -> list[Path]:
    """Find the files that are there and must not be replaced unasked.

    Raises:
        InputError: a target can never be written: it is a folder or a device, its name is too long, or it is the
            recording itself.
    """
    taken = []
    for path in targets.values():
        try:
            if any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in path.parts):
                raise InputError("cannot_write", f"Cannot write {path}: its name is too long.", "Choose a shorter one.")
            if Path(os.path.realpath(path)).is_symlink():
                raise InputError("cannot_write", f"Cannot write {path}: its link leads back to itself.", _HINT)
            there = path.exists()
            if there and not path.is_file():
                what = "a folder" if path.is_dir() else "not a plain file"
                raise InputError("cannot_write", f"Cannot write {path}: it is {what}.", "Choose another place with -o.")
            itself = there and is_file(source) and path.samefile(source)
        except (OSError, ValueError) as error:
            raise InputError("cannot_write", f"Cannot write {path}: {why(error)}.", _HINT) from error
        if itself:
            raise InputError("cannot_write", f"{path} is the recording itself.", "Choose another place with -o.")
        if there and not overwrite and not is_ours(source, path):
            taken.append(path)
    return taken


def write_all(
    transcript: Transcript,
    stem: str,
    targets: Mapping[str, Path],
    source: str = "-",
    *,
    recording: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write each format whole or not at all. One that fails does not stop the others.

    Args:
        transcript: what to write.
        stem: the recording's name, for formats that carry one.
        targets: file to write per format.
        source: path or URL of what the transcript was made from: its own files are replaced.
        recording: path of the recording, for the page that plays it; None where it is not known.
        overwrite: replace any file.

    Raises:
        InputError: some file was not written; the message says which. If it was the JSON or there was to be none, the
            transcript is kept elsewhere, and the hint says where.
    """
    failures: list[DiaristError] = []
    saved = False
    for name, path in targets.items():
        try:
            if taken := check_targets({name: path}, source, overwrite=overwrite):
                raise _not_ours(taken)
            content = _render(transcript, name, stem, way_to(recording, path.parent))
            write_whole(path, content, hint=_HINT)
            remember(source, content)
            saved |= name == "json"
        except Cancelled:
            raise
        except DiaristError as error:
            failures.append(error)
    if failures:
        hints = [*dict.fromkeys(error.hint for error in failures), "" if saved else _keep(transcript, stem)]
        raise InputError("cannot_write", " ".join(error.message for error in failures), " ".join(filter(None, hints)))


def print_out(transcript: Transcript, format_name: str, stem: str) -> None:
    """Print a transcript on standard output.

    Raises:
        InputError: it cannot be; the hint says where the transcript is kept instead.
    """
    try:
        write_out(_render(transcript, format_name, stem), format_name)
    except (BrokenPipeError, Cancelled):
        raise
    except DiaristError as error:
        raise InputError(error.code, error.message, f"{error.hint} {_keep(transcript, stem)}".strip()) from error


def way_to(source: str | None, folder: Path) -> str | None:
    """The way from ``folder`` to the recording ``source``, for a page; None if it is not a file."""
    if source is None or not is_file(source):
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
    if FORMATS[canonical(format_name)].binary:
        _refuse_terminal(format_name)
    elif sys.stdout.isatty():
        content = visible(content if isinstance(content, str) else content.decode(), keep="\n\t\r")
    try:
        sys.stdout.buffer.write(content if isinstance(content, bytes) else content.encode())
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError("cannot_write", f"Cannot write the transcript: {why(error)}.", "Free some space.") from error


def _refuse_to_print(recordings: int, formats: Sequence[str]) -> None:
    if recordings > 1:
        raise InputError("needs_out", f"{recordings} recordings need a folder to go to.", "Add -o DIR.")
    if len(formats) > 1:
        raise InputError("needs_out", f"{len(formats)} formats need a folder to go to.", "Add -o DIR.")
    if FORMATS[formats[0]].binary:
        _refuse_terminal(formats[0])


def _refuse_terminal(format_name: str) -> None:
    if sys.stdout is not None and sys.stdout.isatty():
        raise InputError("binary_output", f"{format_name} is not text.", f"Write it to a file: -o NAME.{format_name}")


def _implied(place: str | None) -> str | None:
    """The format that a file's name implies; None for a folder."""
    if place is None or place.endswith(("/", os.sep)) or is_folder(place):
        return None
    return format_of(PurePath(place).name)


def _agreed(place: str, implied: str, chosen: Sequence[str]) -> str:
    """The one format of a file, where its name and what was asked for agree."""
    if len(chosen) > 1:
        raise InputError("one_file", f"{place} is one file, and {len(chosen)} formats are more.", "Name a folder.")
    if not chosen:
        return implied
    # out.json is a good name for any of the JSON formats.
    if PurePath(place).suffix.lower() == PurePath(f"x.{FORMATS[chosen[0]].extension}").suffix.lower():
        return chosen[0]
    raise InputError(
        "contradiction",
        f"{place} says {implied}, and -f says {chosen[0]}.",
        f"Leave out -f, or name a file that ends in .{FORMATS[chosen[0]].extension}",
    )


def _existing(path: Path) -> Path:
    """The folder that a file would be made in, or the nearest one above it that is there."""
    folder = Path(os.path.realpath(path)).parent
    return next(each for each in (folder, *folder.parents) if os.path.lexists(each))


def _probe(folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
    except OSError as error:
        raise InputError("cannot_write", f"Cannot write into {folder}: {why(error)}.", _HINT) from error


def _not_ours(taken: Sequence[Path]) -> InputError:
    more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
    return InputError(
        "would_replace",
        f"{taken[0]}{more}: there already, and not as diarist wrote it for this recording.",
        "Choose another place with -o, or replace what is there with --overwrite.",
    )


def _render(transcript: Transcript, format_name: str, stem: str, recording: str | None = None) -> bytes:
    """Render; whatever goes wrong in a format's writer is one format's failure, not the end of the work."""
    try:
        content = render(transcript, format_name, name=stem, recording=recording)
        return content if isinstance(content, bytes) else content.encode()
    except DiaristError:
        raise
    except Exception as error:
        raise InputError(
            "render_failed",
            f"Cannot write the format {format_name}: {type(error).__name__}.",
            "This is a fault of diarist; the other formats do not have it.",
        ) from error


def _keep(transcript: Transcript, stem: str) -> str:
    """Keep the transcript somewhere, and say where."""
    kept = None
    with suppress(DiaristError):
        kept = keep(_render(transcript, "json", stem), stem)
    return f"The transcript is kept in {kept}" if kept else "The transcript could not be kept anywhere else."
