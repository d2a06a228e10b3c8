"""What can be done to a transcript, as small documents: an edit says what changes, and nothing of how.

Words, and segments for `Join`, are named by their place in the transcript as the edit before left it, counted from 0.
A line that has no times for its words counts as one word. Ranges are half-open: ``first`` to before ``stop``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from diarist.model import codec
from diarist.model.errors import InputError
from diarist.model.transcript import Segment, Turn

MAX_EDITS: Final = 2_000
"""Edits in one document: each makes the transcript anew, so a few bytes must not ask for hours of work."""

MAX_NAME: Final = 200
"""Characters of a speaker's name."""

MAX_TEXT: Final = 20_000
"""Characters that one edit may write: some twenty minutes of speech."""

Place = Annotated[int, Meta(ge=0, le=1 << 31)]


class _Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op"):
    """An operation; its JSON names it in ``op``."""


class Rename(_Operation, frozen=True, tag="rename"):
    """Give speakers other names, all at once, so that two can be swapped; two never get one name.

    Attributes:
        names: new names by the labels that they replace.
    """

    names: dict[str, str]


class Merge(_Operation, frozen=True, tag="merge"):
    """Make several speakers one.

    Attributes:
        speakers: their labels.
        into: the label that all of them get; that of a speaker, or a new one.
    """

    speakers: tuple[str, ...]
    into: str


class Split(_Operation, frozen=True, tag="split"):
    """Cut a segment before a word.

    Attributes:
        word: the word that begins the second part; not the first of its segment.
    """

    word: Place


class Join(_Operation, frozen=True, tag="join"):
    """Make segments of one speaker that follow each other one segment.

    Attributes:
        first: the first segment.
        stop: behind the last one.
    """

    first: Place
    stop: Place


class Assign(_Operation, frozen=True, tag="assign"):
    """Say who said a range of words.

    Attributes:
        first: the first word.
        stop: behind the last one.
        speaker: a label, known or new; None for nobody that one knows.
    """

    first: Place
    stop: Place
    speaker: str | None


class Replace(_Operation, frozen=True, tag="replace"):
    """Write a range of words anew. An empty text deletes them; an empty range inserts behind the word before it.

    Words that stand in both keep all that is known of them. A word for a word takes its time; others share the time of
    those that they replace, or the pause that they stand in. New words have no confidence, as nothing measured one.

    Attributes:
        first: the first word.
        stop: behind the last one.
        text: what is written there, with spaces as they belong.
    """

    first: Place
    stop: Place
    text: str


class Label(_Operation, frozen=True, tag="label"):
    """Give labels back, run by run: undoes `Merge` and itself. Each run is ``(first, stop, label)``.

    Attributes:
        speakers: of the transcript.
        segments: runs of segments.
        words: runs of words, of those segments that have any.
        turns: runs of turns.
    """

    speakers: tuple[str, ...]
    segments: tuple[tuple[Place, Place, str | None], ...]
    words: tuple[tuple[Place, Place, str | None], ...]
    turns: tuple[tuple[Place, Place, str], ...]


class Restore(_Operation, frozen=True, tag="restore"):
    """Put segments and turns back as they were: undoes what cuts or rewrites them, and itself.

    Attributes:
        speakers: of the transcript.
        first: the first segment that goes.
        stop: behind the last one.
        segments: what comes in their place.
        first_turn: the first turn that goes.
        stop_turn: behind the last one.
        turns: what comes in their place.
    """

    speakers: tuple[str, ...]
    first: Place
    stop: Place
    segments: tuple[Segment, ...]
    first_turn: Place
    stop_turn: Place
    turns: tuple[Turn, ...]


Edit = Rename | Merge | Split | Join | Assign | Replace
"""What a person does."""

_EDITS: Final[Any] = Annotated[tuple[Edit, ...], Meta(max_length=MAX_EDITS)]

Operation = Edit | Label | Restore
"""What a person does, and what undoes it."""


def read_edits(document: bytes) -> tuple[Edit, ...]:
    """Read edits from JSON that anybody may have written: a list of objects.

    Only what a person does is taken. What undoes it can put anything anywhere, so it is only for who wrote it: see
    `read_operations`.

    Raises:
        InputError: it is no such list, is too long, or a name or a text cannot be.
    """
    edits: tuple[Edit, ...] = codec.read(_EDITS, document, called="list of edits")
    for number, edit in enumerate(edits, 1):
        for text, is_name in _written(edit):
            kind, most = ("name", MAX_NAME) if is_name else ("text", MAX_TEXT)
            if len(text) > most or (is_name and not _is_name(text)) or any(map(_is_control, text)):
                raise InputError(
                    f"bad_{kind}",
                    f"Edit {number} holds a {kind} that cannot be.",
                    f"A {kind} has at most {most:,} characters, none of them control characters"
                    + (", and is not empty, nor are there spaces around it." if is_name else "."),
                    http_status=422,
                )
    return edits


def read_operations(document: bytes) -> tuple[Operation, ...]:
    """Read back what `write_operations` gave, undoing operations included.

    Raises:
        InputError: it is anything else.
    """
    return codec.read(tuple[Operation, ...], document, called="list of operations")


def write_operations(operations: Iterable[Operation]) -> bytes:
    """Write operations as JSON, for `read_operations`."""
    return msgspec.json.encode(list(operations))


def _written(edit: Edit) -> Iterator[tuple[str, bool]]:
    """All that an edit would write, and whether it is a name."""
    match edit:
        case Rename(names):
            yield from ((name, True) for name in names.values())
        case Merge(into=name) | Assign(speaker=str(name)):
            yield name, True
        case Replace(text=text):
            yield text, False


def _is_name(text: str) -> bool:
    return bool(text) and text == " ".join(text.split())


def _is_control(mark: str) -> bool:
    return unicodedata.category(mark) == "Cc" and not mark.isspace()
