"""Where the engines run: from a place's name to a pipeline.

A place is a room of its own and one line here. Its room is imported when somebody asks for the place, so that this
module knows none of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from diarist.architectures import ARCHITECTURES
from diarist.model.errors import InputError
from diarist.model.progress import Progress, ignore
from diarist.pipelines.base import Pipeline

if TYPE_CHECKING:
    from diarist.diarization.base import Diarizer
    from diarist.transcription.base import Transcriber

PLACES: Final[Mapping[str, str]] = {
    "local": "diarist.places:_open_local",
    **{f"runpod:{architecture}": "diarist.runpod.place:open_place" for architecture in ARCHITECTURES},
    "http": "diarist.server.client:open_place",
}
"""Each place's name, where ``http`` is the address of any server, and what opens it: a function of the name, `Wanted`,
a progress callback and one for notes."""


SERVER: Final = "http://HOST:PORT"
"""How the address of another diarist server is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a caller asks of a place. A place refuses what is not its to choose.

    Attributes:
        model: transcription model or engine; ``"auto"`` leaves it to the place.
        diarizer: diarization model or engine; ``"auto"`` likewise, None where no recording will be diarized.
        language: what will be spoken, if known; ``auto`` takes a model that knows it.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: CPU threads for both engines together; None for all cores.
        audio_store: ``s3://BUCKET/PREFIX`` through which recordings go to where the engines are; None sends them along.
    """

    model: str | Transcriber = "auto"
    diarizer: str | Diarizer | None = "auto"
    language: str | None = None
    device: str = "auto"
    threads: int | None = None
    audio_store: str | None = None

    def refuse_engines(self, place: str) -> None:
        """For places with engines of their own.

        Raises:
            InputError: a model, device or number of threads was chosen.
        """
        if (self.model, self.device, self.threads) != ("auto", "auto", None) or self.diarizer not in ("auto", None):
            raise InputError(
                "not_there",
                f"model, diarizer, device and threads are for engines on this machine, not for {place}.",
                "Leave them out: the endpoint has its own.",
            )


def open_place(
    place: str,
    wanted: Wanted = Wanted(),
    *,
    progress: Progress = ignore,
    note: Callable[[str], None] = lambda _: None,
) -> Pipeline:
    """Make the pipeline of a place.

    Args:
        place: one of `PLACES`, or the address of another diarist server.
        wanted: what is asked of it.
        progress: told about downloads.
        note: told, in one line, what was chosen.

    Raises:
        InputError: no such place, or it cannot do what is wanted.
        WeightsError: weights are missing and could not be fetched.
    """
    entry = PLACES.get("http" if place.startswith(("http://", "https://")) else place)
    if entry is None:
        known = ", ".join(SERVER if name == "http" else name for name in PLACES)
        raise InputError("bad_place", f"There is no place {place!r}.", f"Choose from {known}.")
    module, _, name = entry.partition(":")
    pipeline: Pipeline = getattr(importlib.import_module(module), name)(place, wanted, progress, note)
    return pipeline


def _open_local(_: str, wanted: Wanted, progress: Progress, note: Callable[[str], None]) -> Pipeline:
    from diarist.engines import load

    if wanted.audio_store:
        raise InputError("not_here", "An audio store is for --on runpod:….", "Leave it out.")
    return load(
        wanted.model,
        wanted.diarizer,
        language=wanted.language,
        device=wanted.device,
        threads=wanted.threads,
        progress=progress,
        note=note,
    )
