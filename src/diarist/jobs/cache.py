"""Transcripts by content, kept in any place that fsspec can reach: the same work is done once.

diskcache was rejected: local disks only, and pickle. Keys hold a digest of the recording, so nobody can read from a
cache what they could not have sent.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from diarist.files import MAX_DOCUMENT_BYTES
from diarist.model.codec import dump, read
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.transcript import Transcript

log = logging.getLogger("diarist.worker")

MAX_BYTES: Final = 1 << 30
MAX_AGE: Final = 7 * 24 * 3600.0
_TIDY_SECONDS: Final = 60.0
_OWN_FOLDER: Final = "diarist-results"
_OWN_NAME: Final = re.compile(r"[0-9a-f]{64}\.json(\.[0-9a-f]{32}\.part)?")


def cache_key(audio: str, options: Options, revision: str) -> str:
    """Name a piece of work: the recording as sent, what was asked, and what does it."""
    digest = hashlib.sha256(audio.encode(errors="surrogatepass"))
    digest.update(b"\0" + msgspec.json.encode(options, order="deterministic"))
    digest.update(b"\0" + revision.encode())
    return digest.hexdigest()


class ResultCache:
    """Keeps transcripts within bounds of size and age. A cache that breaks is a cache that misses, never an error.

    Args:
        url: a folder for fsspec, e.g. ``file:///runpod-volume/transcripts`` or ``s3://bucket/transcripts``. What else
            lies in it is never touched: transcripts go to a folder of their own inside, under names of their own.
        max_bytes: the oldest go when there is more than this.
        max_age: seconds after which one is no longer used.

    Raises:
        InputError: fsspec does not know the URL's scheme, or lacks the package for it.
    """

    def __init__(self, url: str, *, max_bytes: int = MAX_BYTES, max_age: float = MAX_AGE) -> None:
        import fsspec

        try:
            self._files, folder = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise InputError("bad_setting", f"DIARIST_CACHE_URL cannot be used: {error}.") from None
        self._folder = f"{folder.rstrip('/')}/{_OWN_FOLDER}"
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._tidied = 0.0

    def get(self, key: str) -> Transcript | None:
        """Find a transcript that is young enough."""
        path = self._path(key)
        try:
            if time.time() - self._written(path) > self._max_age:
                return None
            return read(Transcript, self._files.cat_file(path, start=0, end=MAX_DOCUMENT_BYTES))
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 - drivers raise what they like
            log.warning("cache: cannot read: %s", type(error).__name__)
            return None

    def put(self, key: str, transcript: Transcript) -> None:
        """Keep a transcript: whole or not at all."""
        path = self._path(key)
        draft = f"{path}.{uuid.uuid4().hex}.part"
        try:
            self._files.makedirs(self._folder, exist_ok=True)
            self._files.pipe_file(draft, json.dumps(dump(transcript)).encode())
            self._files.mv(draft, path)
            self._tidy()
        except Exception as error:  # noqa: BLE001
            log.warning("cache: cannot write: %s", type(error).__name__)

    def _tidy(self) -> None:
        if time.monotonic() - self._tidied < _TIDY_SECONDS and self._tidied:
            return
        self._tidied = time.monotonic()
        self._files.invalidate_cache()
        entries = [(self._written(path), info["size"], path) for path, info in self._entries()]
        total, now = sum(size for _, size, _ in entries), time.time()
        for written, size, path in sorted(entries):
            if total > self._max_bytes or now - written > self._max_age:
                self._files.rm_file(path)
                total -= size

    def _entries(self) -> list[tuple[str, dict[str, Any]]]:
        """Its own files, and no others: somebody may keep recordings here, or models."""
        found = self._files.find(self._folder, maxdepth=1, detail=True).items()
        return [(path, info) for path, info in found if _OWN_NAME.fullmatch(path.rpartition("/")[2])]

    def _path(self, key: str) -> str:
        return f"{self._folder}/{key}.json"

    def _written(self, path: str) -> float:
        modified: datetime = self._files.modified(path)
        return (modified if modified.tzinfo else modified.replace(tzinfo=UTC)).timestamp()
