"""Forms as clients send them, to disk while they come: counted, bounded, and gone if anything fails.

Starlette's `request.form()` was rejected: it bounds a field to 1 MB, which a reference clip of ten seconds exceeds, and
writes files to the system's folder for temporary files.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from diarist.model.errors import Cancelled, InputError
from diarist.server.forms import FILE_FIELDS, Form, FormBounds, Upload, size
from diarist.server.multipart import Encoded, Multipart, Reader

__all__ = ["FILE_FIELDS", "Form", "FormBounds", "Upload", "read_form", "sweep"]


async def read_form(
    request: Request, *, folder: Path, bounds: FormBounds = FormBounds(), file_fields: frozenset[str] = FILE_FIELDS
) -> Form:
    """Read a request's form, its files to ``folder``.

    Fields may come before or after files, with or without lengths, and a file may have any type and any name or none.
    A form without files may be URL-encoded. Nothing is left in ``folder`` unless a form is returned.

    Args:
        request: its body is not read yet.
        folder: where files go, as ``.part`` files; on the disk where they will stay. Made if it is missing.
        bounds: what the form may hold.
        file_fields: see `FILE_FIELDS`.

    Raises:
        InputError: it is no form, is cut off, or holds too much (400, 413 or 415).
        FieldError: one field is at fault.
        DiskFullError: it cannot be written.
        Cancelled: the client has left.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    reader: Reader
    if kind == b"multipart/form-data":
        reader = Multipart(options.get(b"boundary", b""), folder, bounds, file_fields)
    elif kind == b"application/x-www-form-urlencoded":
        reader = Encoded(bounds)
    else:
        hint = "Send the recording as a form (multipart/form-data) with a field named file."
        raise InputError("no_form", "The request's body is no form.", hint, http_status=415)
    try:
        await _feed(request, reader, bounds)
        return reader.finish()
    except BaseException as error:
        reader.give_up()
        if isinstance(error, ClientDisconnect):
            raise Cancelled("The client left before its upload was whole.") from error
        raise


def sweep(folder: Path) -> None:
    """Remove what uploads left behind that were never finished, as after a loss of power; for a server's start."""
    for part in folder.glob("*.part"):
        with suppress(OSError):
            part.unlink(missing_ok=True)


async def _feed(request: Request, reader: Reader, bounds: FormBounds) -> None:
    own = anyio.CapacityLimiter(1)  # the shared one may be full of threads that wait for jobs
    pending, held, total = [], 0, 0
    async for piece in request.stream():
        total += len(piece)
        if total > bounds.total_bytes:
            hint = "Compress the recording, e.g. as Opus or MP3, or cut it."
            message = f"The form is larger than {size(bounds.total_bytes)}."
            raise InputError("too_large", message, hint, http_status=413)
        pending.append(piece)
        held += len(piece)
        if held >= _BATCH_BYTES:
            await anyio.to_thread.run_sync(reader.write, b"".join(pending), limiter=own)
            pending, held = [], 0
    await anyio.to_thread.run_sync(reader.write, b"".join(pending), limiter=own)


_BATCH_BYTES: Final = 256 << 10
