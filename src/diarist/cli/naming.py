"""What the files of a batch are called, so that no recording writes over another's."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path, PurePath
from typing import Final

from diarist.cli.inputs import Named
from diarist.files import absolute
from diarist.formats import FORMATS

MAX_NAME_BYTES: Final = 255
"""The longest name of a file that common file systems take."""


def name_files(recordings: Sequence[Named], out: Path, formats: Sequence[str]) -> list[dict[str, Path]]:
    """Give every recording files of its own below ``out``.

    They are called after the recording; where two would have the same, also on a file system that knows no case, both
    keep their suffix (a.mp3, a.wav), else the folder they are in (mon/a.mp3, tue/a.mp3), else they get a number.

    Args:
        recordings: of one batch.
        out: the folder.
        formats: keys of `FORMATS`.

    Returns:
        For each recording, its file for each format.
    """
    candidates = [_candidates(recording) for recording in recordings]
    shared = [Counter(_plain(names[level]) for names in candidates) for level in range(3)]
    longest = max(len(os.fsencode(FORMATS[name].extension)) for name in formats) + 1
    taken: set[str] = set()
    found = []
    for names in candidates:
        alone = ((name, "") for level, name in enumerate(names) if shared[level][_plain(name)] == 1)
        numbered = ((names[0], f" ({number})" if number > 1 else "") for number in count(1))
        for name, number in chain(alone, numbered):
            stem = _shortened(name.name, MAX_NAME_BYTES - longest - len(number)) + number
            targets = {each: out / name.parent / f"{stem}.{FORMATS[each].extension}" for each in formats}
            keys = {_plain(path) for path in targets.values()}
            if not keys & taken:
                break
        taken |= keys
        found.append(targets)
    return found


def _candidates(recording: Named) -> tuple[PurePath, PurePath, PurePath]:
    name = recording.name
    stem = name.with_suffix("") if name.suffix else name
    folder = ""
    if recording.source != "-" and "://" not in recording.source:
        above = absolute(recording.source).parents
        folder = above[len(name.parts) - 1].name if len(above) >= len(name.parts) else ""
    return stem, name, PurePath(folder) / stem


def _plain(path: PurePath) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()


def _shortened(name: str, limit: int) -> str:
    """Cut whole letters off until the name has at most ``limit`` bytes."""
    while len(os.fsencode(name)) > limit:
        name = name[:-1]
    return name
