"""Several windows through one Whisper model at a time, on a GPU, with the words that one at a time gives.

faster-whisper decodes one stretch of audio by a loop around three calls of CTranslate2's model: encode, generate,
align. Here that loop runs for each of some windows, in a thread of its own, and the model's calls are held back until
all loops that still run have made one; then those of a kind go to the model as one batch.

faster-whisper's ``BatchedInferencePipeline`` was rejected: it decodes a window once, where the loop goes on after the
last word that it is sure of, so that its words are others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def in_lockstep(model: Any, works: Sequence[Callable[[Any], T]]) -> list[T]:
    """Run works side by side that each decode one window, with their calls of the model in batches.

    Args:
        model: a ``ctranslate2.models.Whisper``.
        works: what to run; each is given what to use in place of the model, and nothing else may use it meanwhile.

    Returns:
        What each gave.

    Raises:
        Exception: the first that any of them raised, after all have ended.
    """
    lockstep = _Lockstep(model, len(works))
    with ThreadPoolExecutor(max(1, len(works)), "window") as executor:
        futures = [executor.submit(lockstep.run, work) for work in works]
    return [future.result() for future in futures]


@dataclass(frozen=True, slots=True, eq=False)
class _Encoded:
    """One window's row of a batch that was encoded."""

    batch: Any
    row: int


class _Call:
    """A call of the model by one window: those with one ``key`` go together."""

    def __init__(self, key: tuple[Any, ...], given: Any) -> None:
        self.key, self.given = key, given
        self.result: Any = None
        self.error: Exception | None = None
        self.done = False


class _Lockstep:
    """The model as the loops see it. What is not a call to be batched, they get from the model itself."""

    def __init__(self, model: Any, running: int) -> None:
        self._model = model
        self._running = running
        self._waiting: list[_Call] = []
        self._turn = threading.Condition()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def run(self, work: Callable[[Any], T]) -> T:
        try:
            return work(self)
        finally:
            with self._turn:
                self._running -= 1
                self._serve_if_all_wait()

    def encode(self, features: Any, to_cpu: bool = False) -> _Encoded:
        found: _Encoded = self._wait_for(_Call(("encode", to_cpu), np.array(features)))
        return found

    def generate(self, encoded: _Encoded, prompts: list[list[int]], **options: Any) -> list[Any]:
        return [self._wait_for(_Call(("generate", encoded.batch, _hashable(options)), (encoded, prompts[0], options)))]

    def align(
        self, encoded: _Encoded, start: Sequence[int], tokens: list[list[int]], num_frames: int, **options: Any
    ) -> list[Any]:
        key = ("align", encoded.batch, tuple(start), _hashable(options))
        return [self._wait_for(_Call(key, (encoded, tokens[0], num_frames, start, options)))]

    def _wait_for(self, call: _Call) -> Any:
        with self._turn:
            self._waiting.append(call)
            self._serve_if_all_wait()
            self._turn.wait_for(lambda: call.done)
        if call.error is not None:
            raise call.error
        return call.result

    def _serve_if_all_wait(self) -> None:
        if not self._waiting or len(self._waiting) < self._running:
            return
        groups: dict[Any, list[_Call]] = {}
        for call in self._waiting:
            groups.setdefault(call.key, []).append(call)
        self._waiting = []
        for (kind, *_), calls in groups.items():
            try:
                getattr(self, f"_{kind}_all")(calls)
            except Exception as error:  # noqa: BLE001 - it is raised where each call was made
                for call in calls:
                    call.error = error
            for call in calls:
                call.done = True
        self._turn.notify_all()

    def _encode_all(self, calls: list[_Call]) -> None:
        import ctranslate2

        features = ctranslate2.StorageView.from_array(np.concatenate([call.given for call in calls]))
        batch = _Batch(self._model.encode(features, to_cpu=calls[0].key[1]), len(calls))
        for row, call in enumerate(calls):
            call.result = _Encoded(batch, row)

    def _generate_all(self, calls: list[_Call]) -> None:
        batch, options = calls[0].given[0].batch, calls[0].given[2]
        prompts = batch.filled({encoded.row: prompt for encoded, prompt, _ in (call.given for call in calls)})
        results = self._model.generate(batch.output, prompts, **options)
        for call in calls:
            call.result = results[call.given[0].row]

    def _align_all(self, calls: list[_Call]) -> None:
        encoded, _, _, start, options = calls[0].given
        batch = encoded.batch
        rows = {call.given[0].row: call.given[1:3] for call in calls}
        tokens, frames = zip(*batch.filled(rows), strict=True)
        results = self._model.align(batch.output, list(start), list(tokens), list(frames), **options)
        for call in calls:
            call.result = results[call.given[0].row]


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """What the encoder gave for some windows."""

    output: Any
    rows: int

    def filled(self, known: dict[int, T]) -> list[T]:
        """Something for every row: those that ask for nothing, e.g. as they were silent, repeat what another asks."""
        other = next(iter(known.values()))
        return [known.get(row, other) for row in range(self.rows)]


def _hashable(options: dict[str, Any]) -> tuple[Any, ...]:
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in sorted(options.items()))
