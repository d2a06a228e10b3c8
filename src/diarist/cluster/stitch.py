"""From what was found in all units to the transcript that a single pass gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from diarist.cluster.unit import Found, partwise, windowed
from diarist.diarization.evidence import Evidence
from diarist.model.options import Options
from diarist.model.transcript import Diarization, Transcript, Transcription
from diarist.pipelines.base import Naming
from diarist.pipelines.bridge import wait_for
from diarist.pipelines.legs import run_legs
from diarist.pipelines.local import LocalPipeline, engine_failures
from diarist.transcription.outline import Outline


def stitch(
    found: Sequence[Found],
    outline: Outline,
    pipeline: LocalPipeline,
    options: Options = Options(),
    *,
    warnings: tuple[str, ...] = (),
    peak: float | None = None,
    naming: Naming | None = None,
) -> Transcript:
    """Join the words, find the speakers once in the evidence of all units, and attribute.

    Args:
        found: of all units, in any order.
        outline: of the whole recording.
        pipeline: engines of the names that the workers have; their networks are not run.
        options: what was asked.
        warnings: what is wrong with the recording.
        peak: its largest magnitude.
        naming: gives known speakers their names.

    Raises:
        EngineError: an engine failed, in a unit or here.
    """
    ordered = sorted(found, key=lambda each: each.number)
    transcriber = partwise(pipeline.transcriber)

    async def words() -> Transcription:
        with engine_failures(transcriber.model.name):
            whole = transcriber.gather(outline, chain.from_iterable(each.words for each in ordered), options)
        return replace(whole, warnings=(*warnings, *whole.warnings), peak=peak)

    async def speakers() -> Diarization:
        diarizer = windowed(pipeline.diarizer)
        if trouble := next((each.trouble for each in ordered if each.trouble), None):
            raise trouble
        with engine_failures(diarizer.model.name):
            evidence = Evidence.joined(Evidence.from_bytes(each.evidence) for each in ordered if each.evidence)
            whole = diarizer.cluster(evidence, options)
        return replace(whole, warnings=(*warnings, *whole.warnings))

    return wait_for(
        lambda: run_legs(words, speakers if options.diarize else None, options, naming=naming, together=False)
    )
