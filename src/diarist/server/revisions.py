"""The changes of a transcript as the store keeps them: what was done, and what takes it back exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from diarist.editing import Operation, apply, apply_all, invert, read_operations, write_operations
from diarist.jobs.job import Edit
from diarist.model.errors import InputError
from diarist.model.transcript import Transcript

Kind = Literal["edit", "undo", "redo"]


class Change(msgspec.Struct, frozen=True):
    """One change.

    Attributes:
        kind: whether somebody edited, or took an edit back or did it again.
        operations: what was done, as JSON.
        back: what takes it back, as JSON; may hold words that were deleted.
    """

    kind: Kind
    operations: msgspec.Raw
    back: msgspec.Raw

    def write(self) -> str:
        """Write it for the store; `read_change` reads it back."""
        return msgspec.json.encode(self).decode()


def read_change(edit: Edit) -> Change:
    """Read what the store kept."""
    return msgspec.json.decode(edit.operations, type=Change)


def edited(transcript: Transcript, operations: Iterable[Operation]) -> tuple[Transcript, Change]:
    """Do operations one after the other.

    Raises:
        InputError: one cannot be done; the message says which, counted from 1.
    """
    done, back = [], []
    for number, operation in enumerate(operations, 1):
        try:
            back.append(invert(transcript, operation))
            transcript = apply(transcript, operation)
        except InputError as error:
            said = f"Edit {number} cannot be done. {error.message}"
            raise InputError(error.code, said, error.hint, http_status=error.http_status) from error
        done.append(operation)
    return transcript, _change("edit", write_operations(done), write_operations(reversed(back)))


def undone(transcript: Transcript, history: Sequence[Edit]) -> tuple[Transcript, Change]:
    """Take back the last edit that was not taken back yet.

    Raises:
        InputError: there is none (HTTP 409).
    """
    done, _ = _stacks(history)
    if not done:
        raise InputError("nothing_to_undo", "There is no edit to take back.", http_status=409)
    last = done[-1]
    return apply_all(transcript, read_operations(bytes(last.back))), _change("undo", last.back, last.operations)


def redone(transcript: Transcript, history: Sequence[Edit]) -> tuple[Transcript, Change]:
    """Do again what was taken back last, if nothing was edited since.

    Raises:
        InputError: there is nothing (HTTP 409).
    """
    _, back = _stacks(history)
    if not back:
        raise InputError("nothing_to_redo", "There is no edit to do again.", http_status=409)
    last = back[-1]
    return apply_all(transcript, read_operations(bytes(last.operations))), _change("redo", last.operations, last.back)


def _stacks(history: Sequence[Edit]) -> tuple[list[Change], list[Change]]:
    """The edits that hold, and those that were taken back; of each, the last is the next to go."""
    done: list[Change] = []
    back: list[Change] = []
    for edit in history:
        change = read_change(edit)
        match change.kind:
            case "edit":
                done.append(change)
                back.clear()
            case "undo":
                back.append(done.pop())
            case "redo":
                done.append(back.pop())
    return done, back


def _change(kind: Kind, operations: bytes | msgspec.Raw, back: bytes | msgspec.Raw) -> Change:
    return Change(kind, msgspec.Raw(bytes(operations)), msgspec.Raw(bytes(back)))
