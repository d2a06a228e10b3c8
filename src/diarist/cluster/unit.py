"""What a worker does with a unit: from its samples to the words of its windows and the evidence of its chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import Audio
from diarist.cluster.plan import Unit
from diarist.diarization.base import Diarizer
from diarist.diarization.engine import WindowedDiarizer
from diarist.model.errors import Cancelled, DiaristError, InputError
from diarist.model.options import Options
from diarist.model.transcript import Word
from diarist.pipelines.local import LocalPipeline, engine_failures
from diarist.transcription.base import PartwiseTranscriber, Transcriber


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found in a unit.

    Attributes:
        number: of the unit.
        words: of each of its windows, with times in the recording.
        evidence: packed, as `diarist.diarization.evidence.Evidence.to_bytes` does; None where speakers are not wanted.
        trouble: why there is no evidence, where diarization failed and the words are wanted all the same.
    """

    number: int
    words: Sequence[Sequence[Word]]
    evidence: bytes | None
    trouble: DiaristError | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What a worker is sent: a unit, its samples ``(num_samples,)`` in 16 bits, and what was asked."""

    unit: Unit
    samples: NDArray[np.int16]
    options: Options


def compute(work: Work, pipeline: LocalPipeline) -> Found:
    """Compute a unit with the engines of this process.

    Raises:
        InputError: an engine cannot work on parts of a recording.
        EngineError: an engine failed, whatever it raised.
    """
    unit, options = work.unit, work.options
    audio = Audio(work.samples.astype(np.float32) / np.float32(32768))
    transcriber = partwise(pipeline.transcriber)

    def words() -> Sequence[Sequence[Word]]:
        if unit.words is None:
            return []
        with engine_failures(transcriber.model.name):
            return transcriber.hear(audio, unit.words, unit.start, options)

    def evidence() -> bytes | DiaristError | None:
        portion = unit.portion
        if portion is None:
            return None
        diarizer = windowed(pipeline.diarizer)
        samples = audio.samples[portion.start - unit.start : portion.end - unit.start]
        try:
            with engine_failures(diarizer.model.name):
                return diarizer.segment_and_embed(samples, portion).to_bytes()
        except (Cancelled, InputError):
            raise
        except DiaristError as error:
            if options.on_diarization_failure == "fail":
                raise
            return error

    said, packed = _both(words, evidence, together=pipeline.together)
    if isinstance(packed, DiaristError):
        return Found(unit.number, said, None, packed)
    return Found(unit.number, said, packed)


def _both(
    words: Callable[[], Sequence[Sequence[Word]]],
    evidence: Callable[[], bytes | DiaristError | None],
    *,
    together: bool,
) -> tuple[Sequence[Sequence[Word]], bytes | DiaristError | None]:
    if not together:
        return words(), evidence()
    with ThreadPoolExecutor(1, "words") as executor:
        said = executor.submit(words)
        packed = evidence()
        return said.result(), packed


def partwise(transcriber: Transcriber) -> PartwiseTranscriber:
    """Return a transcriber that can hear parts of a recording.

    Raises:
        InputError: this one cannot.
    """
    if not isinstance(transcriber, PartwiseTranscriber):
        raise _whole_only(transcriber.model.name)
    return transcriber


def windowed(diarizer: Diarizer | None) -> WindowedDiarizer:
    """Return a diarizer that can work on parts of a recording.

    Raises:
        InputError: this one cannot, or there is none.
    """
    if diarizer is None:
        raise InputError("no_diarizer", "There is no diarizer.", "Ask for diarize=False, or load one.")
    if not isinstance(diarizer, WindowedDiarizer):
        raise _whole_only(diarizer.model.name)
    return diarizer


def _whole_only(name: str) -> InputError:
    return InputError(
        "whole_only",
        f"{name} takes whole recordings only, so one cannot be spread over workers.",
        "Use one worker, or one of diarist's own models.",
    )
