"""Pipelines whose engines are on RunPod: `SplitPipeline` (two endpoints) and `EndpointPipeline` (one).

Both are thin. A recording that endpoints can fetch themselves, or that came encoded already, is passed through;
anything else is sent by `diarist.audio.transport`. The split pipeline runs its two legs with
`diarist.pipelines.legs.run_legs`, as local engines do, so words meet speakers by the same code everywhere.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from diarist.audio.recording import as_recording
from diarist.jobs.request import DiarizationJob, SpeakerTextJob, TranscriptionJob
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, Transcript, Transcription
from diarist.pipelines.base import Naming, Source
from diarist.pipelines.bridge import in_thread, wait_for
from diarist.pipelines.legs import DifferentRecordingsError, run_legs
from diarist.runpod.ledger import Job
from diarist.runpod.remote import Listening, RemotePipeline, Sent, job_input, noun

if TYPE_CHECKING:
    from diarist.audio.audio import Audio
    from diarist.transcription.base import Heard


class SplitPipeline(RemotePipeline):
    """Transcription and diarization on two endpoints, called at the same time; words meet speakers here.

    Args:
        transcription: id of the transcription endpoint.
        diarization: id of the diarization endpoint.
        api_key: allowed to use both.
        place: what the transcript says about where it was made.
        others: see `RemotePipeline`.

    Raises:
        InputError: the key is none.
    """

    def __init__(
        self, transcription: str, diarization: str, api_key: str, *, place: str = "runpod:split", **others: Any
    ) -> None:
        super().__init__(api_key, place, **others)
        self._transcription = transcription
        self._diarization = diarization

    async def atranscribe(
        self,
        recording: Source | Audio,
        options: Options = Options(),
        progress: Progress = ignore,
        *,
        naming: Naming | None = None,
        heard: Heard | None = None,
    ) -> Transcript:
        """See `Pipeline.transcribe`. A failed leg cancels the other's job; `run_legs` says what fails what."""
        async with (
            self._sending(as_recording(recording), progress) as sent,
            self._connected() as endpoint,
        ):
            words = endpoint(self._transcription, "The transcription endpoint")
            turns = endpoint(self._diarization, "The diarization endpoint")

            async def transcribe() -> Transcription:
                listening = Listening(heard) if heard else None
                result = await self._job(words, sent, TranscriptionJob, options, "transcription", progress, listening)
                found = noun(Transcription, result, words.name)
                if listening:
                    listening.rest(found.words)
                return found

            async def diarize() -> Diarization:
                result = await self._job(turns, sent, DiarizationJob, options, "diarization", progress)
                # In a thread: hours of scores take a second to unpack, and others wait in this loop.
                return await in_thread(lambda _: noun(Diarization, result, turns.name), progress)

            async def both() -> Transcript:
                return await run_legs(transcribe, diarize if options.diarize else None, options, sent.warnings, naming)

            try:
                transcript = await both()
            except DifferentRecordingsError:
                if heard is not None:
                    raise  # words that were told cannot be taken back
                # What a URL names may have changed between the two downloads. Then both get the new one now.
                transcript = await both()
        return _placed(transcript, self._place, sent)


class EndpointPipeline(RemotePipeline):
    """Everything on one endpoint: the single worker, or the orchestrator.

    Args:
        endpoint: its id.
        api_key: allowed to use it.
        place: ``"runpod:single"`` or ``"runpod:orchestrator"``.
        others: see `RemotePipeline`.

    Raises:
        InputError: the key is none.
    """

    knows_voices = False

    def __init__(self, endpoint: str, api_key: str, place: str, **others: Any) -> None:
        # The orchestrator tries its legs once more by itself.
        super().__init__(api_key, place, retry_failed=place != "runpod:orchestrator", **others)
        self._endpoint = endpoint
        self._name = f"The {place.removeprefix('runpod:')} endpoint"

    async def atranscribe(
        self,
        recording: Source | Audio,
        options: Options = Options(),
        progress: Progress = ignore,
        *,
        naming: Naming | None = None,
        heard: Heard | None = None,
    ) -> Transcript:
        """See `Pipeline.transcribe`.

        Raises:
            InputError: also where names were asked for: this endpoint returns no voices to know people by.
        """
        if naming is not None:
            raise InputError(
                "not_there",
                f"{self._place} returns no voices, so nobody can be named or followed there.",
                "Use runpod:split, or engines on this machine.",
            )
        async with (
            self._sending(as_recording(recording), progress) as sent,
            self._connected() as endpoint,
        ):
            listening = Listening(heard) if heard else None
            result = await self._job(
                endpoint(self._endpoint, self._name), sent, SpeakerTextJob, options, "endpoint", progress, listening
            )
        transcript = noun(Transcript, result, self._name)
        if listening:
            listening.rest(transcript.words)
        warnings = dict.fromkeys((*sent.warnings, *transcript.warnings))
        return _placed(dataclasses.replace(transcript, warnings=tuple(warnings)), self._place, sent)

    def submit(
        self,
        recording: Source | Audio,
        options: Options = Options(),
        progress: Progress = ignore,
        *,
        start: float = 0.0,
    ) -> Job:
        """Submit a job and wait for nothing; `fetch` gets its transcript.

        Args:
            recording: as for `transcribe`.
            options: what is asked.
            progress: told about sending.
            start: second at which the recording begins on the clock that the transcript shall be on.

        Returns:
            The job, which the ledger knows. Where one that asks the same is there and nobody waits for it, that one.

        Raises:
            InputError: there is no place in which the job could be remembered, or a bucket would have to keep the
                recording with nobody to delete it.
            EndpointError: the endpoint does not take it.
        """
        ledger = self._ledger
        if ledger is None or self._store is not None:
            raise InputError(
                "not_there",
                "A bucket's recordings are deleted by who waits for the job.",
                "Give an https URL to a recording that does not fit a request.",
            )

        async def work() -> Job:
            async with self._sending(as_recording(recording), progress) as sent, self._connected() as open_endpoint:
                endpoint = open_endpoint(self._endpoint, self._name)
                fields = job_input(endpoint.id, sent.audio, SpeakerTextJob, options)
                question = fields["request_id"]
                if known := ledger.abandoned(question, endpoint.id, self._base_url):
                    if await endpoint.status(known.id) in ("IN_QUEUE", "IN_PROGRESS", "COMPLETED"):
                        return known
                    ledger.remove(known)
                job_id = await endpoint.submit(fields, self._limits(sent.seconds))
                job = self._noted(job_id, endpoint, question, sent.name, whole=True, start=start, detached=True)
                ledger.add(job)
                return job

        return wait_for(work)

    def fetch(self, job: Job, progress: Progress = ignore) -> Transcript:
        """Wait for the transcript of a job that was submitted earlier.

        Raises:
            DiaristError: it failed, the platform has forgotten it, or it takes too long.
        """

        async def work() -> Transcript:
            async with self._connected() as endpoint:
                result = await endpoint(self._endpoint, self._name).fetch(
                    job.id, self._limits(None), lambda stages: progress("endpoint", min(stages.values(), default=0.0))
                )
            found = noun(Transcript, result, self._name)
            return dataclasses.replace(found, place={"where": self._place}).shifted(job.start)

        return wait_for(work)

    def status(self, job: Job) -> str:
        """Ask the platform what became of a job: its own word, ``"UNKNOWN"`` where it has forgotten it."""

        async def work() -> str:
            async with self._connected() as endpoint:
                return await endpoint(self._endpoint, self._name).status(job.id)

        return wait_for(work)

    def cancel(self, job: Job) -> None:
        """Cancel a job; one that the platform has forgotten is no error."""

        async def work() -> None:
            async with self._connected() as open_endpoint:
                endpoint = open_endpoint(self._endpoint, self._name)
                if await endpoint.status(job.id) != "UNKNOWN":
                    await endpoint.cancel(job.id)

        wait_for(work)


def _placed(transcript: Transcript, place: str, sent: Sent) -> Transcript:
    return dataclasses.replace(transcript, place={"where": place, "audio": sent.how})
