"""Readers of forms that are fed piece by piece: fields to memory, files to disk.

python-multipart cuts the body into parts. Its own `FormParser` was rejected: files go to the system's folder for
temporary files, and nothing bounds all of them together.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, Protocol
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.server.forms import (
    FORM_HINT,
    Form,
    FormBounds,
    Upload,
    bad_form,
    cannot_keep,
    field_too_large,
    shown,
    size,
    too_much,
)


class Reader(Protocol):
    """Takes a body piece by piece. Its methods may be called from any thread, one at a time."""

    def write(self, data: bytes) -> None:
        """Take the next piece of the body."""

    def finish(self) -> Form:
        """Give what was read; raises if the body is not whole."""

    def give_up(self) -> None:
        """Remove all that was written."""


class Encoded:
    """A form of fields only, as ``a=1&b=2``."""

    def __init__(self, bounds: FormBounds) -> None:
        self._body = bytearray()
        self._bounds = bounds

    def write(self, data: bytes) -> None:
        """Take the next piece."""
        self._body += data
        if len(self._body) > self._bounds.fields_bytes:
            raise too_much(f"fields of more than {size(self._bounds.fields_bytes)}", "Send less.")

    def finish(self) -> Form:
        """Give the fields."""
        try:
            text = self._body.decode("ascii")
            found = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=self._bounds.parts)
        except ValueError as error:
            raise InputError("bad_form", "The URL-encoded form cannot be read.", FORM_HINT) from error
        for name, value in found:
            if len(value) > self._bounds.field_bytes:
                raise field_too_large(name, self._bounds)
        return Form(fields=tuple(found))

    def give_up(self) -> None:
        """Forget them."""
        self._body.clear()


class Multipart:
    """A form with files: ``multipart/form-data``."""

    def __init__(self, boundary: bytes, folder: Path, bounds: FormBounds, file_fields: frozenset[str]) -> None:
        if not boundary:
            raise InputError("bad_form", "The form's Content-Type names no boundary.", FORM_HINT)
        self._folder, self._bounds, self._file_fields = folder, bounds, file_fields
        self._fields: list[tuple[str, str]] = []
        self._files: list[Upload] = []
        self._parts = self._field_bytes = 0
        self._ended = False
        self._header: tuple[bytearray, bytearray] = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._value: bytearray | _File | None = None
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._take,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise bad_form() from error
        self._parser.logger = _SILENT  # it would log a line for each wrong byte

    def write(self, data: bytes) -> None:
        """Take the next piece: whole fields to memory, files to disk."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise bad_form() from error
        except OSError as error:
            raise cannot_keep(error) from error

    def finish(self) -> Form:
        """Give fields and files; raises `InputError` if the closing boundary never came."""
        if not self._ended:
            hint = "Send it again; a proxy between may limit how much or how long may be sent."
            raise InputError("cut_off", "The form ends before its last part is whole.", hint)
        return Form(tuple(self._fields), tuple(self._files))

    def give_up(self) -> None:
        """Remove all files."""
        if isinstance(self._value, _File):
            self._value.remove()
        Form(files=tuple(self._files)).discard()

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > self._bounds.parts:
            raise too_much(f"more than {self._bounds.parts} fields", "Send fewer.", 400)
        self._headers = {}
        self._value = None

    def _end_header(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = bytearray(), bytearray()

    def _end_headers(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        kind, options = parse_options_header(disposition.replace(b"\n", b" "))
        if kind != b"form-data" or b"name" not in options:
            raise InputError("bad_form", "A part of the form has no name.", FORM_HINT)
        self._name = _text(options[b"name"])
        encoding = self._headers.get(b"content-transfer-encoding", b"binary").strip().lower()
        if encoding not in {b"binary", b"8bit", b"7bit"}:
            raise FieldError(
                "bad_form",
                f"The field {shown(self._name)} is encoded for transfer.",
                "Send its bytes as they are.",
                field=shown(self._name),
                http_status=400,
            )
        filename = options.get(b"filename")
        is_file = filename is not None or b"filename*" in disposition.lower() or self._name in self._file_fields
        if not is_file:
            self._value = bytearray()
            return
        if len(self._files) >= self._bounds.files:
            raise too_much(f"more than {self._bounds.files} files", "Send fewer.", 400)
        self._value = _File(self._folder, _text(filename or b""))

    def _take(self, data: bytes, start: int, end: int) -> None:
        match self._value:
            case bytearray() as value:
                value += data[start:end]
                self._field_bytes += end - start
                if len(value) > self._bounds.field_bytes:
                    raise field_too_large(self._name, self._bounds)
                if self._field_bytes > self._bounds.fields_bytes:
                    raise too_much(f"fields of more than {size(self._bounds.fields_bytes)}", "Send clips as files.")
            case _File() as file:
                file.write(memoryview(data)[start:end])

    def _end_part(self) -> None:
        match self._value:
            case bytearray() as value:
                try:
                    self._fields.append((self._name, value.decode()))
                except UnicodeDecodeError as error:
                    name = shown(self._name)
                    message = f"The field {name} is no text in UTF-8."
                    hint = "A file is sent with a filename."
                    raise FieldError("bad_text", message, hint, field=name, http_status=400) from error
            case _File() as file:
                upload = file.finish(self._name)
                if upload.num_bytes == 0 and not upload.filename and self._name not in self._file_fields:
                    file.remove()  # how a page's form sends a file that nobody chose
                else:
                    self._files.append(upload)
        self._value = None

    def _end(self) -> None:
        self._ended = True


class _File:
    """A file that is being written."""

    def __init__(self, folder: Path, filename: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / f"{secrets.token_hex(16)}.part"
        self._filename = filename
        self._file: IO[bytes] = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, data: memoryview) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)

    def finish(self, field: str) -> Upload:
        self._file.close()
        name = _FOLDERS.sub("", "".join(letter for letter in self._filename if letter.isprintable()))
        return Upload(field, name[:_MOST_LETTERS], self._path, self._size, self._digest.hexdigest())

    def remove(self) -> None:
        with suppress(OSError):  # closing writes what is held, which a full disk refuses
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _text(found: bytes) -> str:
    """A name as the client meant it: browsers, Python and Node write quotes and line ends of names as escapes."""
    return _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), found.decode("utf-8", "replace"))


_MOST_LETTERS: Final = 200
_ESCAPED: Final = re.compile("%(22|0D|0A)", re.IGNORECASE)
_FOLDERS: Final = re.compile(r".*[/\\]", re.DOTALL)
_SILENT: Final = logging.Logger(__name__, logging.CRITICAL + 1)  # noqa: LOG001  # uvicorn lets all others talk again
