"""``diarist rename``: gives speakers their names in a saved transcript and in the formats beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Annotated

import typer

from diarist.cli.terminal import say
from diarist.editing import Edit, Merge, Rename, apply_all
from diarist.files import write_whole
from diarist.formats import render
from diarist.model.errors import InputError
from diarist.samples import labels
from diarist.saved import read_own_transcript, rewrite_beside

_ALIKE = 0.6  # as difflib.get_close_matches, which of equally alike ones gives the last


def rename(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A transcript that diarist wrote as JSON.")],
    given: Annotated[list[str], typer.Argument(metavar="LABEL=NAME", help="As in: SPEAKER_00=Anna")],
    merge: Annotated[
        bool, typer.Option("--merge", help="Two labels that get one name are one person: make them one speaker.")
    ] = False,
) -> None:
    """Give speakers their names in a transcript and in the formats beside it.

    Files of the same name (call.txt, call.srt, …) are written again if they are as diarist wrote them. One that
    someone changed is left as it is.

    Examples:
      diarist rename call.json SPEAKER_00=Anna "SPEAKER_01=Ben Smith"

      diarist rename call.json SPEAKER_02=Anna --merge
    """
    old = read_own_transcript(str(path))
    names = parse_names(given, labels(old), merge=merge)
    new = apply_all(old, naming(names, labels(old)))
    content = render(new, "json")
    beside = rewrite_beside(path, old, new)
    # The transcript last: if a write fails, the same command does the rest.
    for file in beside:
        if file.content is not None:
            write_whole(file.path, file.content)
    write_whole(path, content if isinstance(content, bytes) else content.encode())
    for label, name in names.items():
        say(f"{label} is now {name}")
    say(f"written: {', '.join([path.name, *(file.path.name for file in beside if file.content is not None)])}")
    for file in beside:
        if file.content is None:
            say(f"left as it is: {file.path.name} ({file.why.rstrip('.')})", err=True)


def parse_names(given: Sequence[str], known: Sequence[str], *, merge: bool) -> dict[str, str]:
    """Read ``LABEL=NAME`` arguments.

    Args:
        given: the arguments.
        known: the labels that there are.
        merge: whether two speakers may get one name.

    Raises:
        InputError: an argument is not of that form, names no speaker, or two speakers would be one.
    """
    names: dict[str, str] = {}
    for argument in given:
        label, name = _split(argument, known)
        if label not in known:
            raise unknown_speaker(label, known)
        if label in names:
            raise InputError("bad_name", f"{label} is given two names.", "Give each label one name.")
        names[label] = name
    after = [names.get(label, label) for label in known]
    twice = next((name for name in after if after.count(name) > 1), None)
    if twice is not None and not merge:
        raise InputError(
            "same_name",
            f"Two speakers would be called {twice}.",
            "If they are one person, add --merge. This cannot be undone.",
        )
    return names


def naming(names: Mapping[str, str], known: Sequence[str]) -> tuple[Edit, ...]:
    """The edits that give names: those who get one name are first made one speaker, then all are named at once.

    Args:
        names: by label; others keep theirs.
        known: all labels.
    """
    groups: dict[str, list[str]] = {}
    for label in known:
        groups.setdefault(names.get(label, label), []).append(label)
    one = {name: name if name in group else group[0] for name, group in groups.items()}
    merges = (
        Merge(tuple(label for label in group if label != one[name]), one[name])
        for name, group in groups.items()
        if len(group) > 1
    )
    return (*merges, Rename({label: name for name, label in one.items() if label != name}))


def _split(argument: str, known: Sequence[str]) -> tuple[str, str]:
    cuts = [index for index, letter in enumerate(argument) if letter == "="]
    # A label may itself hold "=".
    cut = next((index for index in cuts if argument[:index] in known), cuts[0] if cuts else None)
    name = "" if cut is None else " ".join(argument[cut + 1 :].split())
    if cut is None or not name or not name.isprintable():
        raise InputError("bad_name", f"{argument!r} does not say who is who.", "Write LABEL=NAME, e.g. SPEAKER_00=Anna")
    return argument[:cut], name


def unknown_speaker(label: str, known: Sequence[str]) -> InputError:
    """The error for a label that is not in a transcript; lists those that are."""
    if not known:
        return InputError("no_speakers", "The transcript has no speakers.", "Transcribe without --no-diarize.")
    likeness = [SequenceMatcher(None, label.casefold(), other.casefold()).ratio() for other in known]
    best = max(likeness)
    meant = f"Did you mean {known[likeness.index(best)]}? " if best >= _ALIKE else ""
    more = f" and {len(known) - 20} more" if len(known) > 20 else ""
    return InputError(
        "no_such_speaker", f"There is no speaker {label!r}.", f"{meant}There are: {', '.join(known[:20])}{more}."
    )
