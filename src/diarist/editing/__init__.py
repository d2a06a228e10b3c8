"""Corrections to a transcript: operations that change it, each of which can be undone exactly.

`apply` makes a new transcript; `invert` says what undoes it. Both are pure, and a transcript never changes, so whoever
keeps the operations can go back and forth without end::

    edit = Rename({"SPEAKER_00": "Anna"})
    undo = invert(transcript, edit)
    apply(apply(transcript, edit), undo) == transcript

What every edit keeps: segments are in order of time; words stay in order within theirs, and inside it; a value that
nobody measured is None. Turns follow when words are given to somebody (see `diarist.editing.labels`), and stay as they
were found when a text is corrected, as that says nothing of who was heard. The evidence behind the speakers
(`Transcript.diarization`) goes along under their names; of speakers made one, one voice stays, and undoing does not
bring the other back: it is only in the transcript from before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from diarist.editing.finding import replace_all
from diarist.editing.labels import assign, label, label_back, merge, rename
from diarist.editing.operations import (
    Assign,
    Edit,
    Join,
    Label,
    Merge,
    Operation,
    Rename,
    Replace,
    Restore,
    Split,
    read_edits,
    read_operations,
    write_operations,
)
from diarist.editing.ranges import OTHER_VERSION, join, split
from diarist.editing.rewording import reword
from diarist.model.errors import InputError
from diarist.model.transcript import Transcript

__all__ = [
    "Assign",
    "Edit",
    "Join",
    "Label",
    "Merge",
    "Operation",
    "Rename",
    "Replace",
    "Restore",
    "Split",
    "apply",
    "apply_all",
    "invert",
    "read_edits",
    "read_operations",
    "replace_all",
    "write_operations",
]

T = TypeVar("T")


def apply(transcript: Transcript, operation: Operation) -> Transcript:
    """Do one operation.

    Raises:
        InputError: it names a word, a segment or a speaker that is not there, or cannot be done.
    """
    match operation:
        case Rename():
            return rename(transcript, operation)
        case Merge():
            return merge(transcript, operation)
        case Split():
            return split(transcript, operation)
        case Join():
            return join(transcript, operation)
        case Assign():
            return assign(transcript, operation)
        case Replace():
            return reword(transcript, operation)
        case Label():
            return label(transcript, operation)
        case Restore():
            return _restore(transcript, operation)


def apply_all(transcript: Transcript, operations: Iterable[Operation]) -> Transcript:
    """Do operations one after the other: each names places in what the one before left.

    Raises:
        InputError: one cannot be done; the message says which, counted from 1.
    """
    for number, operation in enumerate(operations, 1):
        try:
            transcript = apply(transcript, operation)
        except InputError as error:
            said = f"Edit {number} cannot be done. {error.message}"
            raise InputError(error.code, said, error.hint, http_status=error.http_status) from error
    return transcript


def invert(transcript: Transcript, operation: Operation) -> Operation:
    """Say what undoes an operation: applied to its result, it gives a transcript that equals this one.

    Args:
        transcript: as it is before the operation.
        operation: what is, or was, done to it.

    Raises:
        InputError: as `apply`.
    """
    after = apply(transcript, operation)
    match operation:
        case Rename(names):
            return Rename({name: one for one, name in names.items()})
        case Merge() | Label():
            return label_back(transcript, after)
    first, stop, was = _difference(transcript.segments, after.segments)
    first_turn, stop_turn, were = _difference(transcript.turns, after.turns)
    return Restore(transcript.speakers, first, stop, was, first_turn, stop_turn, were)


def _restore(transcript: Transcript, edit: Restore) -> Transcript:
    found = replace(
        transcript,
        speakers=edit.speakers,
        segments=_spliced(transcript.segments, edit.first, edit.stop, edit.segments),
        turns=_spliced(transcript.turns, edit.first_turn, edit.stop_turn, edit.turns),
    )
    return found.with_diarization(transcript.diarization)


def _spliced(items: tuple[T, ...], first: int, stop: int, new: tuple[T, ...]) -> tuple[T, ...]:
    if not first <= stop <= len(items):
        raise InputError("no_such_place", f"There is nothing from {first} to {stop}.", OTHER_VERSION)
    return (*items[:first], *new, *items[stop:])


def _difference(before: tuple[T, ...], after: tuple[T, ...]) -> tuple[int, int, tuple[T, ...]]:
    """Where two differ: the first place, behind the last one in ``after``, and what ``before`` has there."""
    shorter = min(len(before), len(after))
    head = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    tail = next((n for n in range(shorter - head) if before[-1 - n] != after[-1 - n]), shorter - head)
    return head, len(after) - tail, before[head : len(before) - tail]
