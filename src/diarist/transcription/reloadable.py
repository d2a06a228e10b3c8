"""Weights in memory: loaded once, kept while in use, unloaded when asked or when idle."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Reloadable(Generic[T]):
    """Something large that several threads use and that can be loaded again.

    Args:
        load: makes it; called at once, and again when it is needed after it was unloaded.
        idle_seconds: unload it when unused for so long; None: never.
    """

    def __init__(self, load: Callable[[], T], idle_seconds: float | None = None) -> None:
        self._load = load
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._users = 0
        self._held: T | None = None
        with self.use():
            pass

    @property
    def loaded(self) -> bool:
        """Whether it is in memory."""
        return self._held is not None

    @contextmanager
    def use(self) -> Iterator[T]:
        """Hold it, loaded if it was not."""
        with self._lock:
            self._stop_timer()
            if self._held is None:
                self._held = self._load()
            held = self._held
            self._users += 1
        try:
            yield held
        finally:
            with self._lock:
                self._users -= 1
                if self._idle_seconds is not None and self._users == 0:
                    self._timer = threading.Timer(self._idle_seconds, self.unload)
                    self._timer.daemon = True
                    self._timer.start()

    def unload(self) -> None:
        """Let it go; its memory is free once nobody uses it."""
        with self._lock:
            self._stop_timer()
            self._held = None
        _give_back()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _give_back() -> None:
    """Return memory that was freed to the system: glibc, and torch on a GPU, keep it for the next allocation."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.cuda.empty_cache()
