"""Looking at a job until it is over: what it did last, and how one knows that it will never give a result."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio

from diarist.architectures import LOOK_SHARE
from diarist.model.errors import EndpointError
from diarist.runpod.calls import Calls
from diarist.runpod.limits import Limits

TERMINAL: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"})
"""States after which nothing more comes."""
_BEFORE_WORK: Final = frozenset({"download", "decode"})  # stages of a job that may then wait for another to end

_LISTEN_SECONDS: Final = 10.0
"""How long one request for pieces of a stream may take: they are worth less than knowing what becomes of the job."""

OnProgress = Callable[[Mapping[str, float]], None]
OnPiece = Callable[[Any], None]


@dataclass(slots=True)
class Watched:
    """What is known of a job that one waits for.

    Attributes:
        status: the platform's word for its state.
        progress: how much of each stage is done, 0 to 1.
        changes: how often each stage's did.
        changed: when any last did, by `time.monotonic`.
    """

    status: str = ""
    progress: dict[str, float] = field(default_factory=dict)
    changes: Counter[str] = field(default_factory=Counter)
    changed: float = 0.0

    def see(self, answer: Mapping[str, Any]) -> str:
        """Take in what the platform says of it, whatever that is; returns its state."""
        self.status = str(answer.get("status"))
        if self.status in ("IN_QUEUE", "?"):  # perhaps again: the worker that had it was lost
            self.forget()
        output = answer.get("output")
        said = output.get("progress") if self.status == "IN_PROGRESS" and isinstance(output, Mapping) else None
        news = {
            str(stage): float(done)
            for stage, done in (said.items() if isinstance(said, Mapping) else ())
            if isinstance(done, (int, float)) and 0 <= done <= 1
        }
        if moved := [stage for stage, done in news.items() if self.progress.get(stage) != done]:
            self.progress.update(news)
            self.changes.update(moved)
            self.changed = time.monotonic()
        return self.status

    def forget(self) -> None:
        """Begin anew, with another job or another worker."""
        self.progress.clear()
        self.changes.clear()

    def silent(self) -> float:
        """Seconds without news of a job in the middle of a stage that has sent news more than once; else 0.

        Not every engine tells how far it is, and a job that waits for another has nothing to tell.
        """
        amid = [
            stage
            for stage, done in self.progress.items()
            if stage not in _BEFORE_WORK and self.changes[stage] > 1 and done < 1
        ]
        return time.monotonic() - self.changed if amid else 0.0

    def where(self) -> str:
        """What it last did, in a few words."""
        if self.status == "IN_QUEUE":
            return "It waited in the queue: no worker took it"
        if self.status != "IN_PROGRESS":
            return ""
        if self.progress.keys() <= _BEFORE_WORK:
            return "It waited behind others in its worker: no progress came"
        return f"It was {100 * min(self.progress.values()):.0f} % done"


class LostError(Exception):
    """The job will never give a result. Where it took too long, what was ``watched`` tells whether it ever began."""

    def __init__(self, reason: str, watched: Watched | None = None) -> None:
        self.waited = watched is not None and watched.progress.keys() <= _BEFORE_WORK
        behind = " and no progress ever came, so it waited behind others" if self.waited else ""
        super().__init__(f"{reason}{behind}")


async def until_over(
    calls: Calls,
    answer: dict[str, Any],
    job_id: str,
    limits: Limits,
    on_progress: OnProgress,
    watched: Watched,
    on_piece: OnPiece | None = None,
) -> dict[str, Any]:
    """Look until a job has ended.

    Args:
        calls: to its endpoint.
        answer: what the platform said last of it; its state is ``"?"`` where nobody has looked yet.
        job_id: the platform's name for it.
        limits: how long it may run, or be silent.
        on_progress: told of each look.
        watched: keeps what was seen, also for who is interrupted.
        on_piece: given what a streaming worker sends while it works. Not all of it need come: the result has the whole.

    Raises:
        LostError: it will never give a result.
    """
    began = time.monotonic()
    running_since: float | None = None
    while (status := watched.see(answer)) not in TERMINAL:
        now = time.monotonic()
        if status == "IN_PROGRESS":
            running_since = running_since or now
            if now - running_since > limits.execution + limits.grace:
                raise LostError(f"no result after {now - running_since:.0f} s in a worker", watched)
            if watched.silent() > limits.silence:
                raise LostError(f"no news of it for {watched.silent():.0f} s in the middle of its work")
        else:
            running_since = None  # its worker was lost and the platform queued it again
        if status != "?":
            on_progress(watched.progress)
            if on_piece is not None and status == "IN_PROGRESS":
                for piece in await _pieces(calls, job_id):
                    on_piece(piece)
            await anyio.sleep(pause(now - began, limits))
        try:
            answer = await calls.call("GET", f"status/{job_id}")
        except EndpointError as error:
            if error.code != "endpoint_missing":
                raise
            raise LostError("the platform no longer knows it") from None
    if status == "COMPLETED" and answer.get("output") is None and not answer.get("error"):
        raise LostError("it is COMPLETED without output")
    if status == "TIMED_OUT":  # also what becomes of a job that a dying worker took and never began
        raise LostError("the platform stopped it after its time limit", watched)
    return answer


def pieces_of(answer: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what a worker sent, as an answer of ``/stream`` holds it."""
    stream = answer.get("stream")
    for piece in stream if isinstance(stream, list) else ():
        if isinstance(piece, Mapping) and "output" in piece:
            yield piece["output"]


async def _pieces(calls: Calls, job_id: str) -> list[Any]:
    """What is new of a stream; nothing where the platform does not say."""
    with anyio.move_on_after(_LISTEN_SECONDS), contextlib.suppress(EndpointError):
        return list(pieces_of(await calls.call("GET", f"stream/{job_id}")))
    return []


def pause(waited: float, limits: Limits) -> float:
    """A twentieth of the time waited, so that looking costs at most 5 % of it, with jitter."""
    return min(limits.poll_most, max(limits.poll_first, waited * LOOK_SHARE)) * random.uniform(0.8, 1.0)  # noqa: S311
