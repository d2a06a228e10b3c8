"""Doing one job: from what was sent to a transcript."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from diarist.audio.recording import Kind, Recording, as_recording, parse_recording
from diarist.audio.sandbox import Sandbox
from diarist.audio.url_rules import UrlRules
from diarist.jobs.warm_up import voice_like
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Transcript
from diarist.pipelines.base import Naming, Pipeline
from diarist.pipelines.bridge import in_thread
from diarist.pipelines.channels import transcribe_channels
from diarist.pipelines.kept import Kept, Resumable
from diarist.pipelines.local import LocalPipeline
from diarist.server.ask import Ask, Clip
from diarist.server.bare import BYTES_PER_SECOND, is_bare, samples
from diarist.server.forms import cannot_keep
from diarist.speakers.identify import Voice, identify, voice_of
from diarist.transcription.reloadable import Reloadable

if TYPE_CHECKING:
    from diarist.audio.audio import Audio
    from diarist.transcription.base import Heard

_KEPT_VOICES: Final = 256
_CONSENT: Final = "sent with a request"


class Workshop:
    """The engines of a server, and what it takes to feed them.

    Args:
        load: makes the place where the work is done; called at once, and again where it is needed after it was let go.
        max_seconds: a longer recording is refused.
        rules: what URLs of recordings may reach.
        unload_after: let the engines go when unused for so many seconds; None: never.

    Attributes:
        engines: the place where the work is done.
        fetches: whether what is at a URL comes to this machine; engines elsewhere fetch it themselves.
    """

    def __init__(
        self,
        load: Callable[[], Pipeline],
        *,
        max_seconds: float,
        rules: UrlRules = UrlRules(),
        unload_after: float | None = None,
    ) -> None:
        self.engines: Final = Reloadable(load, unload_after)
        with self.engines.use() as pipeline:
            self._knows_voices = pipeline.knows_voices
            self.fetches: Final = isinstance(pipeline, LocalPipeline)
        self._max_seconds = max_seconds
        self._rules = rules
        self._decoder = Sandbox()
        self._voices: OrderedDict[str, Voice] = OrderedDict()
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Run each engine here once, and start what decodes; raises `EngineError` where one fails."""
        self._decoder.start()
        with self.engines.use() as pipeline:
            if isinstance(pipeline, LocalPipeline):
                options = Options(on_diarization_failure="fail", diarize=pipeline.diarizer is not None)
                pipeline.transcribe(voice_like(), options)

    def close(self) -> None:
        """End the processes that decode, and let the engines go."""
        self._decoder.close()
        self.engines.unload()

    def check(self, path: Path, name: str, *, pcm: bool = False, field: str = "file") -> float | None:
        """Look at a recording's head, before it is taken in.

        Args:
            path: the file.
            name: for messages.
            pcm: whether it may be bare samples.
            field: of the request; named in an error.

        Returns:
            Its length in seconds, where the head tells.

        Raises:
            FieldError: it is no recording, or longer than is taken here.
        """
        seconds: float | None
        if pcm and _is_bare(_recording(path, name)):
            seconds = path.stat().st_size / BYTES_PER_SECOND
        else:
            try:
                seconds = self._decoder.probe(_recording(path, name))
            except InputError as error:
                raise FieldError(
                    error.code, error.message, error.hint, field=field, http_status=error.http_status
                ) from None
        if seconds is not None and seconds > self._max_seconds:
            raise FieldError(
                "audio_too_long",
                f"The recording is {seconds / 3600:.1f} h long; this server takes {self._max_seconds / 3600:.1f} h.",
                "Cut it into parts.",
                field=field,
                http_status=413,
            )
        return seconds

    def check_names(self, ask: Ask) -> None:
        """Refuse voices to be named where the engines compare none; raises `FieldError`."""
        if (ask.known or ask.known_voices) and not self._knows_voices:
            raise FieldError(
                "no_voices",
                "The engines of this server return no voices to compare.",
                "Leave the known speakers out.",
                field="known_speaker_names" if ask.known else "known_voices",
                http_status=400,
            )

    def check_url(self, url: str) -> str:
        """Look at a URL, before it is taken in; returns its short name for people.

        Raises:
            FieldError: it is none that recordings may be fetched from.
        """
        try:
            return parse_recording(url, frozenset({Kind.URL}), rules=self._rules).name
        except InputError as error:
            raise FieldError(
                error.code, error.message, error.hint, field="url", http_status=error.http_status
            ) from None

    async def transcribe(
        self,
        ask: Ask,
        path: Path | None,
        name: str,
        *,
        progress: Progress,
        heard: Heard,
        kept: Kept,
        learned: Callable[[float], None],
        voices: Sequence[Voice] = (),
    ) -> Transcript:
        """Do a job.

        Args:
            ask: what is wanted.
            path: the recording; None where ``ask`` has its URL.
            name: of the recording, for people.
            progress: told how far each stage is; where it waits, the job waits.
            heard: told words as they are final.
            kept: where parts of the result are kept.
            learned: told the recording's length in seconds once it is known.
            voices: that may be named besides those that came with the request.

        Raises:
            DiaristError: it cannot be done.
        """
        if path is None:
            recording = parse_recording(ask.url or "", frozenset({Kind.URL}), rules=self._rules)
        else:
            recording = _recording(path, name)
        async with self._at_hand() as pipeline:
            if ask.channels == "separate":
                return await in_thread(partial(self._separate, pipeline, ask, recording, voices, learned), progress)
            if isinstance(pipeline, LocalPipeline) or ask.pcm:
                audio = await in_thread(partial(self._decode, ask, recording), progress)
                learned(audio.duration)
                recording = Recording.of(audio, recording.name)
            naming = await in_thread(partial(self._naming, ask.known, voices), progress)
            if isinstance(pipeline, Resumable):
                return await pipeline.atranscribe(
                    recording, ask.options, progress, naming=naming, heard=heard, kept=kept
                )
            return await pipeline.atranscribe(recording, ask.options, progress, naming=naming, heard=heard)

    @asynccontextmanager
    async def _at_hand(self) -> AsyncIterator[Pipeline]:
        """The engines; to load them again takes seconds, so threads do."""
        use = self.engines.use()
        pipeline = await anyio.to_thread.run_sync(use.__enter__)
        try:
            yield pipeline
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(use.__exit__, None, None, None)

    def fetch(self, url: str, path: Path, progress: Progress) -> int:
        """Fetch a recording to a file that is not there yet; returns its size once it is safe on the disk.

        Raises:
            InputError: it cannot be had from there.
            DiskFullError: it cannot be kept.
        """
        from diarist.audio.download import download

        try:
            with path.open("xb") as file:
                download(url, file, self._rules, progress)
                file.flush()
                os.fsync(file.fileno())
                return file.tell()
        except OSError as error:
            raise cannot_keep(error) from error

    def decode(self, ask: Ask, path: Path, name: str) -> Audio:
        """Decode the recording of a job, for those who want to hear it.

        Raises:
            InputError: it cannot be decoded.
        """
        return self._decode(ask, _recording(path, name), ignore)

    def recluster(
        self, ask: Ask, options: Options, transcription: bytes, evidence: bytes, voices: Sequence[Voice] = ()
    ) -> Transcript:
        """Find the speakers of a job again, from what was kept of it.

        Args:
            ask: the job's.
            options: its own, with another number of speakers.
            transcription: the part of that name.
            evidence: the part of that name.
            voices: as for `transcribe`.

        Raises:
            InputError: these engines cannot, or what was kept is another model's.
        """
        with self.engines.use() as pipeline:
            if not isinstance(pipeline, Resumable):
                raise InputError("cannot_recluster", "Where this server's models are, speakers are not found again.")
            naming = self._naming(ask.known, voices, ignore)
            return pipeline.recluster(transcription, evidence, options, naming=naming)

    def learn(self, audio: Audio, name: str, consent: str, progress: Progress) -> Voice:
        """Make a voice of the sound of one person.

        Raises:
            InputError: there is too little speech or more than one voice, or the models here compare none.
        """
        today = datetime.now(UTC).date().isoformat()
        with self.engines.use() as pipeline:
            if isinstance(pipeline, LocalPipeline):
                if pipeline.diarizer is None:
                    raise InputError("no_diarizer", "This server finds no speakers.", "Ask for words only.")
                # A report that may wait for this job's turn, as one of the engines' own would.
                progress("diarization", 0.0)
                from diarist.speakers.learn import learn

                return learn(audio, pipeline.diarizer, name, consent, today)
            found = pipeline.transcribe(audio, Options(), progress).diarization
        if found is None:
            raise InputError("no_embeddings", "The models of this server compare no voices.", "Leave the names out.")
        return voice_of(found, name, consent, today)

    def decode_clip(self, path: Path) -> Audio:
        """Decode a clip of one person.

        Raises:
            InputError: it is none, or too long.
        """
        return self._decoder.decode(_recording(path, "the clip"), max_seconds=_MOST_CLIP_SECONDS)

    def _decode(self, ask: Ask, recording: Recording, progress: Progress) -> Audio:
        if ask.pcm and _is_bare(recording):
            with recording.open(progress) as file:
                return samples(file)
        return self._decoder.decode(recording, max_seconds=self._max_seconds, progress=progress)

    def _separate(
        self,
        pipeline: Pipeline,
        ask: Ask,
        recording: Recording,
        voices: Sequence[Voice],
        learned: Callable[[float], None],
        progress: Progress,
    ) -> Transcript:
        channels = self._decoder.decode_channels(recording, max_seconds=self._max_seconds, progress=progress)
        learned(channels[0].duration)
        naming = self._naming(ask.known, voices, progress)
        return transcribe_channels(channels, pipeline, ask.options, progress, naming=naming)

    def _naming(self, clips: tuple[Clip, ...], voices: Sequence[Voice], progress: Progress) -> Naming | None:
        if not (clips or voices):
            return None
        sent = {clip.name: self._voice(clip, number, progress) for number, clip in enumerate(clips)}
        known = [*sent.values(), *(voice for voice in voices if voice.name not in sent)]
        return lambda diarization: identify(diarization, known)

    def _voice(self, clip: Clip, number: int, progress: Progress) -> Voice:
        with self._lock:
            known = self._voices.get(clip.sha256)
        if known is None:
            try:
                audio = self._decoder.decode(
                    as_recording(clip.read()), max_seconds=_MOST_CLIP_SECONDS, progress=progress
                )
                known = self.learn(audio, clip.name, _CONSENT, progress)
            except InputError as error:
                raise FieldError(
                    error.code,
                    f"The clip of {clip.name!r} cannot be used: {error.message}",
                    error.hint,
                    field=f"known_speaker_references[{number}]",
                    http_status=400,
                ) from None
            with self._lock:
                self._voices[clip.sha256] = known
                while len(self._voices) > _KEPT_VOICES:
                    self._voices.popitem(last=False)
        return Voice(
            name=clip.name,
            embedding=known.embedding,
            model=known.model,
            seconds=known.seconds,
            consent=known.consent,
            added=known.added,
        )


def digest(ask_digest: str, recording: str, models: str) -> str:
    """Name a piece of work: what is asked, of which recording, and of which models. SHA-256 in hexadecimal."""
    return hashlib.sha256(f"{ask_digest} {recording} {models}".encode()).hexdigest()


def _recording(path: Path, name: str) -> Recording:
    recording = as_recording(path)
    recording.name = name or "recording"
    return recording


def _is_bare(recording: Recording) -> bool:
    with recording.open() as file:
        return is_bare(file)


_MOST_CLIP_SECONDS: Final = 60.0
