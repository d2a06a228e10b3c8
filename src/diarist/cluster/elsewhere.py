"""Places on other machines: a bucket by boto3, and whatever else fsspec opens.

s3fs was rejected for buckets: it pins a botocore of its own, and knows no writing "only if it is not there".
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from diarist.cluster.store import Entry, StoreError
from diarist.extras import install
from diarist.files import MAX_DOCUMENT_BYTES
from diarist.model.errors import DiaristError, InputError


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


def _missing(name: str) -> InputError:
    return InputError("audio_not_found", f"{name} is no longer there.")
