"""What the adapters for other engines share: what they may be asked, and how their speakers are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.transcript import Turn

Found = tuple[float, float, Any]
"""Start and end in seconds, and the engine's own label of the speaker."""


def refuse_speaker_counts(options: Options, engine: str) -> None:
    """For engines that cannot be told how many speakers there are.

    To drop some of the speakers found would leave their speech to nobody, and to merge some would be a guess.

    Raises:
        InputError: a number of speakers is asked for.
    """
    for name in ("num_speakers", "min_speakers", "max_speakers"):
        if getattr(options, name) is not None:
            raise InputError(
                "bad_speakers", f"{engine} cannot honour {name}.", "Leave it out, or choose another diarizer."
            )


def within(found: Iterable[Found], duration: float) -> list[Found]:
    """What lies within the recording, in whole ms and in order; engines may run on into their last chunk's padding."""
    cut = ((round(max(0.0, start), 3), round(min(end, duration), 3), label) for start, end, label in found)
    return sorted((start, end, label) for start, end, label in cut if end > start)


def name_speakers(found: Iterable[Found]) -> dict[Any, str]:
    """Our names for the engine's labels, in order of first turn."""
    return {label: f"SPEAKER_{n:02d}" for n, label in enumerate(dict.fromkeys(label for _, _, label in found))}


def to_turns(found: Iterable[Found], names: Mapping[Any, str]) -> tuple[Turn, ...]:
    """Turns without confidence, of the speakers that have a name."""
    turns = (Turn(start, end, names[label]) for start, end, label in found if label in names)
    return tuple(sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker)))
