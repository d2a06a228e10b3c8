"""Both legs at once, wherever they run, and what happens when one fails."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeGuard

import anyio

from diarist.attribution import attribute
from diarist.model.errors import Cancelled, DiaristError, EndpointError, InputError
from diarist.model.options import Options
from diarist.model.transcript import Diarization, Transcript, Transcription
from diarist.pipelines.base import Naming

NO_SPEAKERS: Final = "Diarization failed, so words carry no speaker"
"""How the warning of a transcript begins that has words only, because the other leg failed."""

_ROUNDING: Final = 0.001
"""Seconds: times of words are rounded to them, the length of a recording is not."""


class DifferentRecordingsError(EndpointError):
    """The legs did not read the same recording, so their results must not be joined."""


async def run_legs(
    transcribe: Callable[[], Awaitable[Transcription]],
    diarize: Callable[[], Awaitable[Diarization]] | None,
    options: Options = Options(),
    warnings: tuple[str, ...] = (),
    naming: Naming | None = None,
    *,
    together: bool = True,
) -> Transcript:
    """Run transcription and diarization and attribute words to speakers.

    A failed leg cancels the other. A failed diarization is not a failed transcript: the words come back without
    speakers and with a warning, unless ``options.on_diarization_failure`` is ``"fail"`` or the input was at fault.

    Args:
        transcribe: finds the words.
        diarize: finds the speakers; None where they are not wanted.
        options: what was asked.
        warnings: what is known to be wrong with the recording; they lead the transcript's.
        naming: gives known speakers their names; None numbers all of them.
        together: at the same time; else transcription first.

    Returns:
        The transcript. Its timings hold each leg's own seconds, and the ``total``.

    Raises:
        DifferentRecordingsError: each leg says what it read, and it is not the same.
        DiaristError: what the transcription leg (or, as above, the diarization leg) raised.
    """
    began = time.perf_counter()
    found: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    failures: list[Exception] = []
    degraded: list[DiaristError] = []

    def degradable(error: Exception, stage: str) -> TypeGuard[DiaristError]:
        return (
            stage == "diarization"
            and isinstance(error, DiaristError)
            and not isinstance(error, (Cancelled, InputError))
            and options.on_diarization_failure == "warn"
        )

    async def leg(stage: str, work: Callable[[], Awaitable[Any]], scope: anyio.CancelScope) -> None:
        start = time.perf_counter()
        try:
            found[stage] = await work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other leg stops and the caller is told
            if degradable(error, stage):
                degraded.append(error)
                return
            failures.append(error)
            scope.cancel()
        else:
            seconds[stage] = round(time.perf_counter() - start, 3)

    async with anyio.create_task_group() as group:
        if diarize is None or not together:
            await leg("transcription", transcribe, group.cancel_scope)
        else:
            group.start_soon(leg, "transcription", transcribe, group.cancel_scope)
        if diarize is not None and not failures:
            group.start_soon(leg, "diarization", diarize, group.cancel_scope)
    if failures:
        raise failures[0]

    return join_legs(
        found["transcription"],
        found.get("diarization"),
        naming,
        warnings,
        [f"{NO_SPEAKERS}: {error}" for error in degraded],
        seconds=seconds,
        began=began,
    )


def join_legs(
    words: Transcription,
    diarization: Diarization | None,
    naming: Naming | None = None,
    before: Iterable[str] = (),
    after: Iterable[str] = (),
    *,
    seconds: Mapping[str, float] = MappingProxyType({}),
    began: float,
) -> Transcript:
    """Attribute words to speakers, name these, and say what is wrong with the result.

    Args:
        words: of the transcription leg.
        diarization: of the other; None where there is none.
        naming: gives known speakers their names; None numbers all of them.
        before: warnings that lead those of the legs.
        after: warnings that follow them.
        seconds: timings to add.
        began: when the work began, by `time.perf_counter`; gives the timing ``total``.

    Raises:
        DifferentRecordingsError: each leg says what it read, and it is not the same.
    """
    warnings = [*before]
    if diarization is not None:
        _check_same(words, diarization)
    names: Mapping[str, str] = {}
    try:
        names = naming(diarization) if naming and diarization else {}
    except InputError as error:
        # The words are worth more than the names.
        warnings.append(f"Speakers were not named: {error}")
    transcript = attribute(words, diarization, names=names)
    warnings += [*transcript.warnings, *after]
    if not transcript.segments:
        warnings.append(_why_empty(words.peak, bool(transcript.turns)))
    timings = {**transcript.timings, **seconds, "total": round(time.perf_counter() - began, 3)}
    joined = dataclasses.replace(transcript, warnings=tuple(dict.fromkeys(warnings)), timings=timings)
    return joined.with_diarization(transcript.diarization)


def misplaced(transcription: Transcription) -> str | None:
    """Say in a few words what is wrong with the times of words that came from elsewhere; None where nothing is."""
    starts = [word.start for word in transcription.words]
    if starts != sorted(starts):
        return "its words are not in order of time"
    if any(word.end > transcription.duration + _ROUNDING for word in transcription.words):
        return "it has words after the end of the recording"
    return None


def _check_same(words: Transcription, diarization: Diarization) -> None:
    """Refuse to join what was found in different recordings, e.g. where a URL gave each leg something else."""
    one, other = words.source, diarization.source
    if one is None or other is None or one == other:
        return
    raise DifferentRecordingsError(
        "different_recordings",
        f"The transcription endpoint read other audio ({words.duration:.1f} s, SHA-256 {one.sha256[:8]}…) than the "
        f"diarization endpoint ({diarization.duration:.1f} s, SHA-256 {other.sha256[:8]}…).",
        "Give a URL that always names the same file, or send the recording itself.",
    )


def _why_empty(peak: float | None, voices: bool) -> str:
    """Say in one line why a transcript has no words. ``peak`` is a magnitude, 1 is full scale."""
    if peak == 0:
        return "There are no words: the recording is silent."
    level = "" if peak is None else f" (peak level {20 * math.log10(peak):.0f} dBFS)"
    if voices:
        return f"There are no words: voices were heard, but no words were made out{level}."
    return f"There are no words: no speech was found{level}."
