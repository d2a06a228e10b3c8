"""What a form may hold, what it held, and how it is refused."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from diarist.files import why
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.server.errors import DiskFullError

FILE_FIELDS: Final = frozenset({"file", "audio_file"})
"""Fields that are files whether or not the client gives a file's name."""


@dataclass(frozen=True, slots=True)
class FormBounds:
    """What a form may hold.

    Attributes:
        total_bytes: of the whole body.
        field_bytes: of one field that is no file; a reference clip may be one, as a data URL.
        fields_bytes: of all of them, which are held in memory.
        parts: fields and files.
        files: files among them.
    """

    total_bytes: int = 4 << 30
    field_bytes: int = 8 << 20
    fields_bytes: int = 48 << 20
    parts: int = 400
    files: int = 20


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent, on this machine's disk.

    Attributes:
        field: the form's name for it.
        filename: as the client calls it, for people: without folders and control characters, never used as a path.
        path: where it is.
        num_bytes: its size.
        sha256: of its bytes, in hexadecimal.
    """

    field: str
    filename: str
    path: Path
    num_bytes: int
    sha256: str

    def keep(self, target: Path) -> None:
        """Move it to where it stays, and return once it is safe there, whatever happens to the power.

        Raises:
            DiskFullError: it cannot be moved or written down.
        """
        try:
            with self.path.open("rb") as file:
                os.fsync(file.fileno())
            self.path.replace(target)
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise cannot_keep(error) from error


@dataclass(frozen=True, slots=True)
class Form:
    """What a form held, in the order in which it was sent. As a context manager it removes its files at the end.

    Attributes:
        fields: names and texts.
        files: what was sent as a file.
    """

    fields: tuple[tuple[str, str], ...] = ()
    files: tuple[Upload, ...] = ()

    def discard(self) -> None:
        """Remove its files, except those that were kept."""
        for file in self.files:
            with suppress(OSError):
                file.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.discard()


def shown(name: str) -> str:
    """A field's name in a message."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:100])


def size(num_bytes: int) -> str:
    """A size in a message."""
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 10**9 else f"{num_bytes / 1e6:.1f} MB"


def bad_form() -> InputError:
    """The error of a body that is no form."""
    return InputError("bad_form", "The form cannot be read.", FORM_HINT)


def too_much(what: str, hint: str, status: int = 413) -> InputError:
    """The error of a form that holds more than it may."""
    return InputError("too_much", f"The form has {what}.", hint, http_status=status)


def field_too_large(name: str, bounds: FormBounds) -> FieldError:
    """The error of a field that is larger than one may be."""
    field = shown(name)
    message = f"The field {field} is larger than {size(bounds.field_bytes)}."
    return FieldError("too_large", message, "Send it as a file, or less of it.", field=field, http_status=413)


def cannot_keep(error: OSError) -> DiskFullError:
    """The error of a disk that takes no more."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    reason = "its disk is full" if full else why(error)
    hint = "Try again later; whoever runs the server must free some space." if full else "Tell whoever runs the server."
    return DiskFullError(
        "disk_full" if full else "cannot_write", f"The server cannot keep what was sent: {reason}.", hint
    )


FORM_HINT: Final = "Let a library write the form, with its own Content-Type."
