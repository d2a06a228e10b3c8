"""What the adapters for other engines share: their frame, what they may be asked, how their speakers are named."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from diarist.audio.audio import Audio
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, ModelInfo, Turn

Found = tuple[float, float, Any]
"""Start and end in seconds, and the engine's own label of the speaker."""


class Adapter(ABC):
    """Another engine as a `diarist.diarization.base.Diarizer`.

    Attributes:
        cannot_count: the engine's name, if it cannot be told how many speakers there are.
    """

    cannot_count: ClassVar[str | None] = None

    def __init__(self, model: ModelInfo) -> None:
        self._model = model

    @property
    def model(self) -> ModelInfo:
        """What will be named in the transcript."""
        return self._model

    def diarize(self, audio: Audio, options: Options = Options(), progress: Progress = ignore) -> Diarization:
        """See `diarist.diarization.base.Diarizer`.

        Raises:
            InputError: a number of speakers was asked for, and the engine cannot be told.
            EngineError: the engine failed.
        """
        if self.cannot_count:
            refuse_speaker_counts(options, self.cannot_count)
        started = time.perf_counter()
        progress("diarization", 0.0)
        if not len(audio.samples):
            return Diarization(turns=(), exclusive=(), duration=0.0, model=self._model)
        found = self._find(audio, options, progress)
        progress("diarization", 1.0)
        return replace(found, timings={"networks": time.perf_counter() - started})

    @abstractmethod
    def _find(self, audio: Audio, options: Options, progress: Progress) -> Diarization:
        """Diarize at least one sample; the frame adds the timing."""


def shown_name(name: str) -> str:
    """What to call a model: its repository, or its folder without the path."""
    return Path(name).name if Path(name).is_dir() else name


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
