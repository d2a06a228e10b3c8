"""Known voices of a server: those of each key in a file of their own, for nobody else."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from diarist.jobs.job import StoreError
from diarist.model.errors import InputError
from diarist.speakers.identify import Voice
from diarist.speakers.store import VoiceStore

log = logging.getLogger("diarist.server")

MAX_VOICES: Final = 500
"""Voices of one key: each is compared with each speaker of a recording."""

_EVERYBODY: Final = "all"


class Voices:
    """Keeps voices in ``<folder>/<owner>.json``. Safe to call from any thread.

    Args:
        folder: made when there is something to keep.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self._lock = threading.Lock()

    def of(self, owner: str) -> tuple[Voice, ...]:
        """All voices of an owner: a key's id, or empty where the server has no keys."""
        with _readable():
            return self._store(owner).load()

    def get(self, owner: str, name: str) -> Voice:
        """One voice; raises `InputError` (HTTP 404) where there is none of that name."""
        for voice in self.of(owner):
            if voice.name == name:
                return voice
        raise _no_such(name)

    def add(self, owner: str, voice: Voice) -> Voice:
        """Remember a voice; more speech of one that is known is averaged with it.

        Raises:
            InputError: there are `MAX_VOICES`, or the name is known by another model (HTTP 409).
        """
        with self._lock, _readable():
            store = self._store(owner)
            names = {known.name for known in store.load()}
            if voice.name not in names and len(names) >= MAX_VOICES:
                raise InputError("too_many_voices", f"There are {MAX_VOICES} voices.", "Delete some.", http_status=409)
            try:
                return store.add(voice)
            except InputError as error:
                if error.code != "other_model":
                    raise
                hint = "Delete it first, and add it again."
                raise InputError(error.code, error.message, hint, http_status=409) from None

    def remove(self, owner: str, name: str) -> None:
        """Forget a voice; raises `InputError` (HTTP 404) where there is none of that name."""
        with self._lock, _readable():
            store = self._store(owner)
            if name not in {known.name for known in store.load()}:
                raise _no_such(name)
            store.remove(name)

    def forget(self, owner: str) -> None:
        """Forget all voices of an owner."""
        self._store(owner).path.unlink(missing_ok=True)

    def digest(self, owner: str) -> str:
        """Name what is known now: another voice may give another transcript."""
        try:
            return hashlib.sha256(self._store(owner).path.read_bytes()).hexdigest()
        except OSError:
            return ""

    def _store(self, owner: str) -> VoiceStore:
        return VoiceStore(self.folder / f"{owner or _EVERYBODY}.json")


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Tell callers nothing of the server's folders; whoever runs it finds them in the log."""
    try:
        yield
    except InputError as error:
        if error.code not in ("bad_voices", "cannot_write"):
            raise
        log.error("%s", error.message)  # noqa: TRY400  # it is foreseen
        hint = "Tell whoever runs the server; its log says more."
        raise StoreError("voices_unusable", "The voices that are kept here cannot be read or written.", hint) from None


def _no_such(name: str) -> InputError:
    shown = " ".join(name.split())[:64]
    return InputError("no_such_voice", f"There is no voice {shown!r}.", "GET /v1/voices lists them.", http_status=404)
