"""Where an archive's recordings lie and its transcripts go: a folder, a bucket, or whatever fsspec opens.

Folders are ours, since a file must be whole or not there, and fsspec writes over what it replaces. So is S3, by boto3:
s3fs pins a botocore of its own, and knows no writing "only if it is not there". All other URLs are fsspec's.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final, Protocol

from diarist.extras import install
from diarist.files import MAX_DOCUMENT_BYTES, absolute, read_bounded, why, write_whole
from diarist.model.errors import DiaristError, InputError

DRAFT: Final = ".diarist-"
"""How the names of files begin that are being written (`diarist.files.write_whole`)."""


class StoreError(DiaristError):
    """A place cannot be read or written: no recording is to blame, and the work cannot go on (exit 2)."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a store.

    Attributes:
        name: its path below the store's root, with ``/``.
        size: bytes.
        version: changes when the file does: its time of change in nanoseconds, or its ETag.
    """

    name: str
    size: int
    version: str


class Store(Protocol):
    """A place with files. Its methods raise `StoreError` where the place itself fails.

    Attributes:
        url: says where it is, as `open_store` takes it.
        root: the folder, if it is one of this machine.
    """

    url: str
    root: Path | None

    def list(self, below: str = "") -> Iterator[Entry]:
        """All files, or those in one folder and its folders; none where there is no such folder."""

    def stat(self, name: str) -> Entry | None:
        """One file as it is now; None if there is none."""

    def read(self, name: str) -> bytes | None:
        """All of a document; None if there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Put a file in its place, whole; what was there is replaced."""

    def create(self, name: str, content: bytes) -> bool:
        """Put a file in its place if none is there; returns whether it was done."""

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""

    def opened(self, name: str) -> AbstractContextManager[Path]:
        """A file of this machine with the content, for as long as the block runs.

        Raises:
            InputError: when entered: it is not there, or may not be read.
        """


def open_store(place: str) -> Store:
    """Return the store of a folder's path or a URL: ``s3://BUCKET/PREFIX``, or any that fsspec knows.

    Raises:
        InputError: what would open it is not installed, or the URL is malformed.
    """
    scheme = re.match(r"([a-z][a-z0-9+.-]*)://", place)
    if scheme is None:
        return Folder(place)
    return S3(place) if scheme[1] == "s3" else Remote(place)


class Folder:
    """A folder of this machine; see `Store`."""

    def __init__(self, path: str) -> None:
        self.root: Path | None = absolute(os.path.expanduser(path))  # noqa: PTH111  # Path's raises where nobody has a home
        self._root = self.root
        self.url = str(self._root)

    def list(self, below: str = "") -> Iterator[Entry]:
        """See `Store.list`. A folder below that may not be read fails the whole."""
        top = self._root / below if below else self._root

        def failed(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                raise _broken(f"Cannot read the folder {error.filename}: {why(error)}.") from error

        for where, folders, names in os.walk(top, onerror=failed):
            folders.sort()
            inside = Path(where).relative_to(self._root)
            for name in sorted(names):
                if found := self.stat((inside / name).as_posix()):
                    yield found

    def stat(self, name: str) -> Entry | None:
        """See `Store.stat`."""
        try:
            found = (self._root / name).stat()
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return Entry(name, found.st_size, str(found.st_mtime_ns))

    def read(self, name: str) -> bytes | None:
        """See `Store.read`."""
        try:
            return read_bounded(self._root / name)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _broken(f"Cannot read {self._root / name}: {why(error)}.") from error

    def write(self, name: str, content: bytes) -> None:
        """See `Store.write`."""
        try:
            write_whole(self._root / name, content)
        except InputError as error:
            raise StoreError(error.code, error.message, "Free some space there, then run the same again.") from error

    def create(self, name: str, content: bytes) -> bool:
        """See `Store.create`."""
        file = self._root / name
        draft = file.parent / f"{DRAFT}{secrets.token_hex(8)}"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                draft.write_bytes(content)
                _link(draft, file)
            finally:
                draft.unlink(missing_ok=True)
        except FileExistsError:
            return False
        except OSError as error:
            raise _broken(f"Cannot write {file}: {why(error)}.") from error
        return True

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        with contextlib.suppress(OSError):
            (self._root / name).unlink()

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[Path]:
        """See `Store.opened`: the file itself."""
        yield self._root / name


class _Elsewhere:
    """What stores of other machines share."""

    def _fetch(self, name: str, target: Path) -> None:
        raise NotImplementedError

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[Path]:
        """See `Store.opened`: a copy, which goes away."""
        with tempfile.TemporaryDirectory(prefix="diarist-") as folder:
            target = Path(folder) / f"recording{PurePosixPath(name).suffix}"
            self._fetch(name, target)
            yield target


class S3(_Elsewhere):
    """A bucket, and a prefix in it; see `Store`. boto3 finds keys and address in the environment.

    Raises:
        InputError: the URL is malformed, or boto3 is not installed.
    """

    root: Path | None = None

    def __init__(self, url: str) -> None:
        parts = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*?))?/?", url)
        if parts is None:
            raise InputError("bad_place", f"{url!r} is not a bucket.", "Write s3://BUCKET/PREFIX.")
        try:
            import boto3
        except ImportError:
            raise InputError("no_boto3", "Buckets need boto3.", f"Install it: {install('s3')}") from None
        self.url = url.rstrip("/")
        self._bucket, self._prefix = parts[1], f"{parts[2]}/" if parts[2] else ""
        self._s3: Any = boto3.client("s3")

    def list(self, below: str = "") -> Iterator[Entry]:
        """See `Store.list`."""
        prefix = self._prefix + (f"{below}/" if below else "")
        with self._speaking("list"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                for each in page.get("Contents", ()):
                    if not each["Key"].endswith("/"):
                        name = each["Key"].removeprefix(self._prefix)
                        yield Entry(name, each["Size"], each["ETag"].strip('"'))

    def stat(self, name: str) -> Entry | None:
        """See `Store.stat`."""
        with self._speaking("read"), self._unless_missing():
            found = self._s3.head_object(Bucket=self._bucket, Key=self._prefix + name)
            return Entry(name, found["ContentLength"], found["ETag"].strip('"'))
        return None

    def read(self, name: str) -> bytes | None:
        """See `Store.read`."""
        with self._speaking("read"), self._unless_missing():
            body = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"]
            with contextlib.closing(body):
                content: bytes = body.read(MAX_DOCUMENT_BYTES)
            return content
        return None

    def write(self, name: str, content: bytes) -> None:
        """See `Store.write`."""
        with self._speaking("write"):
            self._s3.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content)

    def create(self, name: str, content: bytes) -> bool:
        """See `Store.create`."""
        from botocore.exceptions import ClientError

        with self._speaking("write"):
            try:
                self._s3.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content, IfNoneMatch="*")
            except ClientError as error:
                if error.response["Error"]["Code"] in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
                    return False
                raise
        return True

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        with self._speaking("write"):
            self._s3.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    def _fetch(self, name: str, target: Path) -> None:
        with self._speaking("read"), self._unless_missing():
            self._s3.download_file(self._bucket, self._prefix + name, str(target))
            return
        raise _missing(name)

    @contextlib.contextmanager
    def _speaking(self, what: str) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            hint = "Check its name, AWS_ENDPOINT_URL_S3 and the credentials."
            raise StoreError("store_failed", f"Cannot {what} in the bucket {self._bucket} ({code}).", hint) from None

    @contextlib.contextmanager
    def _unless_missing(self) -> Iterator[None]:
        from botocore.exceptions import ClientError

        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NotFound"):
                raise


class Remote(_Elsewhere):
    """Any other URL; see `Store`.

    Raises:
        InputError: fsspec knows no such URL, or needs another package for it.
    """

    root: Path | None = None

    def __init__(self, url: str) -> None:
        import fsspec

        try:
            self._files, path = fsspec.url_to_fs(url)
        except (ImportError, ValueError) as error:
            said = (str(error).splitlines() or [""])[0]
            raise InputError("bad_place", f"Cannot open {url}: {said}", "Name a folder, or install that.") from None
        self.url, self._root = url.rstrip("/"), path.rstrip("/")

    def list(self, below: str = "") -> Iterator[Entry]:
        """See `Store.list`."""
        top = f"{self._root}/{below}" if below else self._root
        with self._speaking("list"):
            self._files.invalidate_cache()
            found = self._files.find(top, detail=True) if self._files.exists(top) else {}
            for path, about in sorted(found.items()):
                yield self._entry(path[len(self._root) :].lstrip("/"), about)

    def stat(self, name: str) -> Entry | None:
        """See `Store.stat`."""
        with self._speaking("read"):
            self._files.invalidate_cache()
            try:
                return self._entry(name, self._files.info(f"{self._root}/{name}"))
            except FileNotFoundError:
                return None

    def read(self, name: str) -> bytes | None:
        """See `Store.read`."""
        with self._speaking("read"):
            try:
                content: bytes = self._files.cat_file(f"{self._root}/{name}")
            except FileNotFoundError:
                return None
            return content

    def write(self, name: str, content: bytes) -> None:
        """See `Store.write`."""
        path = f"{self._root}/{name}"
        with self._speaking("write"):
            self._files.makedirs(self._files._parent(path), exist_ok=True)  # noqa: SLF001  # fsspec has no other name for it
            self._files.pipe_file(path, content)

    def create(self, name: str, content: bytes) -> bool:
        """See `Store.create`. Where the place cannot do it in one step, two that come at once may both succeed."""
        if self.stat(name) is not None:
            return False
        self.write(name, content)
        return True

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        with self._speaking("write"), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{name}")

    def _fetch(self, name: str, target: Path) -> None:
        with self._speaking("read"):
            try:
                with self._files.open(f"{self._root}/{name}", "rb") as source, target.open("wb") as output:
                    shutil.copyfileobj(source, output, 1 << 20)
            except FileNotFoundError:
                raise _missing(name) from None

    @staticmethod
    def _entry(name: str, about: dict[str, Any]) -> Entry:
        keys = (
            "ETag",
            "etag",
            "md5Hash",
            "content_md5",
            "mtime",
            "modified",
            "last_modified",
            "LastModified",
            "created",
        )
        version = next((about[key] for key in keys if about.get(key)), "")
        if isinstance(version, datetime):  # some places tell the same time as a number elsewhere
            version = version.timestamp()
        return Entry(name, int(about.get("size") or 0), str(version).strip('"'))

    @contextlib.contextmanager
    def _speaking(self, what: str) -> Iterator[None]:
        try:
            yield
        except DiaristError:
            raise
        except Exception as error:  # each kind of place has errors of its own
            hint = "Check the address and the credentials."
            raise StoreError("store_failed", f"Cannot {what} in {self.url} ({type(error).__name__}).", hint) from error


def _link(draft: Path, file: Path) -> None:
    """Give a file its name, whole, unless the name is taken."""
    try:
        os.link(draft, file)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with file.open("xb") as output:
            output.write(draft.read_bytes())


def _broken(message: str) -> StoreError:
    return StoreError("store_failed", message, "Check its permissions and free space, then run the same again.")


def _missing(name: str) -> InputError:
    return InputError("audio_not_found", f"{name} is no longer there.")
