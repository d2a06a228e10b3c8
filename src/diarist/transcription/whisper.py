"""Whisper by faster-whisper (CTranslate2): any model of the family, in faster-whisper's folder layout.

faster-whisper's own handling of a whole recording was rejected for three reasons: it computes the spectrum of all of
it at once, it joins speech across pauses so that a word's two ends can fall on different sides of one, and where a
window goes wrong it samples at random, so that the same recording gives different words. Here every window of at most
30 s is cut at a pause and decoded alone by beam search, and decoded again without repeats if it looped.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import Audio
from diarist.cpu_count import cpu_count
from diarist.extras import pip
from diarist.gpu import check_device, wants_gpu
from diarist.model.errors import EngineError, InputError, WeightsError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.timeline import Span
from diarist.model.transcript import ModelInfo, Transcription, Word
from diarist.transcription.base import Heard, unheard
from diarist.transcription.hallucinations import is_known_hallucination, repeats
from diarist.transcription.hearing import Hearing, put_together
from diarist.transcription.lockstep import in_lockstep
from diarist.transcription.outline import Outline
from diarist.transcription.reloadable import Reloadable
from diarist.transcription.vad import FRAME_SECONDS
from diarist.transcription.windows import OutOfMemory, Recognise
from diarist.transcription.words import whole_words

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment

REQUIRED_FILES: Final = ("model.bin", "config.json", "tokenizer.json")
BEAM: Final = 5  # as OpenAI's and faster-whisper's own command lines

# OpenAI's thresholds: a window repeats itself above this ratio of text to compressed text, and a passage is not speech
# if the model says so and is unsure of its words.
MAX_COMPRESSION: Final = 2.4
NO_SPEECH: Final = 0.6
MIN_LOGPROB: Final = -1.0
NO_REPEAT: Final = 3  # tokens, when a window that looped is decoded again

HALLUCINATION_VOICE: Final = 0.5  # mean probability of voice below which a phrase known from silence is no speech
SLACK: Final = 0.5  # seconds by which Whisper's word times may miss the voice they belong to
LANGUAGE_WINDOWS: Final = 3
GPU_BATCH: Final = 8
"""Windows decoded at a time on a GPU; halved where memory does not do. Not measured: no GPU was at hand."""
# By platform: libraries, in order of loading, and their folder in the wheel.
_CUBLAS: Final = {
    "linux": (("libcublasLt.so.12", "libcublas.so.12"), "lib"),
    "win32": (("cublasLt64_12.dll", "cublas64_12.dll"), "bin"),
}


def load_whisper(
    name: str = "whisper-tiny.en",
    *,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = ignore,
    idle_seconds: float | None = None,
) -> Whisper:
    """Load a Whisper model; its weights are fetched if they are not on this machine.

    Args:
        name: a model's name in the catalog, or a folder in faster-whisper's layout.
        device: ``"auto"`` (CUDA where there is one), ``"cpu"`` (int8 weights) or ``"cuda"`` (float16).
        threads: CPU threads; as many as this process may use if not given.
        progress: told about downloads.
        idle_seconds: unload the weights when unused for so long; None: never.

    Raises:
        InputError: no such model or device.
        WeightsError: the weights are missing or damaged and cannot be fetched.
    """
    folder, device = Path(name).expanduser(), check_device(device)
    if folder.is_dir():
        info = ModelInfo("transcription", folder.resolve().name, None, _engine())
    else:
        from diarist.weights.fetch import ensure
        from diarist.weights.locate import locate

        folder = ensure(name, progress=progress)
        located = locate(name)
        info = ModelInfo("transcription", name, located.revision if located else None, _engine())
    return Whisper(Reloadable(lambda: _open(folder, device, threads or cpu_count()), idle_seconds), info)


class Whisper:
    """A loaded Whisper model. Safe to use from several threads.

    Args:
        weights: what holds faster-whisper's model; unload it to free its memory.
        model: what will be named in the transcript.

    Attributes:
        languages: those it knows.
        batch: windows decoded at a time: 1 on a CPU, which gains nothing by more.
    """

    def __init__(self, weights: Reloadable[WhisperModel], model: ModelInfo) -> None:
        self.weights = weights
        self.model = model
        with weights.use() as network:
            # faster-whisper lists Cantonese for every model, though only the newest have a token for it.
            known = network.hf_tokenizer.get_vocab()
            self.batch = GPU_BATCH if network.model.device == "cuda" else 1
            self.languages = frozenset(
                code for code in network.supported_languages if code == "en" or f"<|{code}|>" in known
            )

    def transcribe(
        self, audio: Audio, options: Options = Options(), progress: Progress = ignore, heard: Heard = unheard
    ) -> Transcription:
        """See `diarist.transcription.base.StreamingTranscriber.transcribe`."""
        self._refuse(options)
        # Voice detection is about a tenth of the work of the smallest model.
        hearing = Hearing(audio, progress, heard, voice_share=0.1)
        language = options.language or self._language(hearing)
        words = hearing.recognise(self._recogniser(hearing, language, options), self.batch)
        return self._transcription(words, audio.duration, language, options, hearing.timings())

    def outline(self, audio: Audio, options: Options = Options(), progress: Progress = ignore) -> Outline:
        """See `diarist.transcription.base.PartwiseTranscriber.outline`."""
        self._refuse(options)
        hearing = Hearing(audio, progress, voice_share=1.0)
        return replace(hearing.outline, language=options.language or self._language(hearing))

    def hear(
        self, audio: Audio, part: Outline, origin: int = 0, options: Options = Options(), progress: Progress = ignore
    ) -> list[list[Word]]:
        """See `diarist.transcription.base.PartwiseTranscriber.hear`."""
        hearing = Hearing(audio, progress, outline=part, origin=origin)
        return list(hearing.decoded(self._recogniser(hearing, part.language, options), self.batch))

    def gather(self, outline: Outline, found: Iterable[Sequence[Word]], options: Options = Options()) -> Transcription:
        """See `diarist.transcription.base.PartwiseTranscriber.gather`."""
        return self._transcription(put_together(outline, found), outline.duration, outline.language, options, {})

    def _transcription(
        self,
        words: tuple[Word, ...],
        duration: float,
        language: str | None,
        options: Options,
        timings: Mapping[str, float],
    ) -> Transcription:
        return Transcription(
            words=words,
            # Whisper translates into English only.
            language="en" if options.task == "translate" and language else language,
            duration=duration,
            model=self.model,
            timings=timings,
            spoken_language=language,
            task=options.task,
            temperature=options.temperature or 0.0,
        )

    def _recogniser(self, hearing: Hearing, language: str | None, options: Options) -> Recognise:
        def recognise(spans: Sequence[Span]) -> list[list[Word]]:
            found = self._decode([hearing.cut(span) for span in spans], language, options)
            return [
                believed(segments, span.start, hearing.probability, hearing.regions)
                for span, segments in zip(spans, found, strict=True)
            ]

        return recognise

    def _refuse(self, options: Options) -> None:
        english = self.languages == {"en"}
        if options.task == "translate" and english:
            raise InputError(
                "no_translation",
                f"{self.model.name} knows English only, so it cannot translate.",
                "Choose a multilingual model: --model whisper-base.",
            )
        if options.language is None or options.language in self.languages:
            return
        if english:
            raise InputError(
                "bad_language",
                f"{self.model.name} knows English only, not {options.language!r}.",
                "Choose a multilingual model: --model whisper-base knows 99 languages.",
            )
        raise InputError(
            "bad_language",
            f"{self.model.name} does not know the language {options.language!r}.",
            "Leave the language out to have it detected.",
        )

    def _language(self, hearing: Hearing) -> str | None:
        """The language of the first minutes of voice; None where there is none to tell it by."""
        if self.languages == {"en"}:
            return "en"
        if not hearing.windows:
            return None
        voice = np.concatenate([hearing.cut(window.heard) for window in hearing.windows[:LANGUAGE_WINDOWS]])
        with _engine_errors(self.model.name), self.weights.use() as network:
            language, _, _ = network.detect_language(voice, language_detection_segments=LANGUAGE_WINDOWS)
        return str(language)

    def _decode(
        self, windows: Sequence[NDArray[np.float32]], language: str | None, options: Options = Options()
    ) -> list[list[Segment]]:
        """Decode windows, each of them once more without repeats if it looped."""

        def decode(network: WhisperModel, samples: NDArray[np.float32]) -> list[Segment]:
            segments = _run(network, samples, language, options)
            if _looped(*segments):
                segments = _run(network, samples, language, options, no_repeat_ngram_size=NO_REPEAT)
            return segments

        def work(network: WhisperModel, samples: NDArray[np.float32], model: Any) -> list[Segment]:
            beside = copy(network)
            beside.model = model
            return decode(beside, samples)

        with _engine_errors(self.model.name), self.weights.use() as network:
            if len(windows) == 1:
                return [decode(network, windows[0])]
            return in_lockstep(network.model, [partial(work, network, samples) for samples in windows])


def believed(
    segments: Sequence[Segment], offset: float, probability: NDArray[np.float32], regions: Sequence[Span]
) -> list[Word]:
    """The words of a window that somebody said, as far as can be told.

    Dropped are passages that still repeat themselves, phrases that subtitles taught Whisper to put over silence where
    there was hardly any voice, and words that lie wholly outside the stretches with voice.

    Args:
        segments: what Whisper made of the window, with word times from its start.
        offset: start of the window in the recording, in seconds.
        probability: of voice, per frame of the recording.
        regions: stretches of the recording with voice, in order and disjoint.
    """
    words: list[Word] = []
    for segment in segments:
        if _looped(segment) or not segment.words:
            continue
        if is_known_hallucination(segment.text) and _voice(probability, segment, offset) < HALLUCINATION_VOICE:
            continue
        for word in whole_words(segment.words, offset):
            after = bisect_right(regions, word.start - SLACK, key=lambda region: region.end)
            if after < len(regions) and regions[after].start < word.end + SLACK:
                words.append(word)
    return words


def _run(
    network: WhisperModel, samples: NDArray[np.float32], language: str | None, options: Options, **more: Any
) -> list[Segment]:
    segments, _ = network.transcribe(
        samples,
        language=language,
        task=options.task,
        hotwords=", ".join(options.hotwords) or None,
        beam_size=BEAM,
        temperature=options.temperature or 0.0,
        no_speech_threshold=NO_SPEECH,
        log_prob_threshold=MIN_LOGPROB,
        condition_on_previous_text=False,
        word_timestamps=True,
        **more,
    )
    return list(segments)


def _looped(*segments: Segment) -> bool:
    """Whether segments of one window repeat themselves: a loop may give each of its rounds a segment of its own."""
    tight = any(segment.compression_ratio > MAX_COMPRESSION for segment in segments)
    return tight and repeats(" ".join(segment.text for segment in segments))


def _voice(probability: NDArray[np.float32], segment: Segment, offset: float) -> float:
    """Mean probability of voice during a segment."""
    first = int((offset + segment.start) / FRAME_SECONDS)
    last = int((offset + segment.end) / FRAME_SECONDS) + 1
    frames = probability[first:last]
    return float(frames.mean()) if len(frames) else 0.0


def _open(folder: Path, device: str, threads: int) -> WhisperModel:
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        raise WeightsError(
            "weights_incomplete",
            f"{folder} is not a faster-whisper model: it lacks {', '.join(missing)}.",
            "Give a folder with model.bin, config.json, tokenizer.json and the vocabulary.",
        )
    # CTranslate2's OpenMP reads this when it is loaded. Its threads spin while they wait, by default, and so take the
    # cores from diarization beside them: ten times the CPU time, and ten times the wait, on a busy 2-core machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import ctranslate2
    from faster_whisper import WhisperModel

    gpu = wants_gpu(device)
    if gpu and not (ctranslate2.get_cuda_device_count() and load_cublas()):
        if device == "cuda":
            raise InputError(
                "no_cuda", "Whisper needs cuBLAS of CUDA 12.", f"Install it: {pip('install', 'nvidia-cublas-cu12')}"
            )
        gpu = False
    try:
        return WhisperModel(
            str(folder),
            device="cuda" if gpu else "cpu",
            compute_type="float16" if gpu else "int8",
            cpu_threads=threads,
            local_files_only=True,
        )
    except Exception as error:  # CTranslate2 and tokenizers raise RuntimeError, ValueError and plain Exception
        raise WeightsError(
            "weights_damaged",
            f"{folder} cannot be loaded as a Whisper model: {_first_line(error)}",
            "If it came by `diarist models pull`, run: diarist models verify",
        ) from error


def load_cublas() -> bool:
    """Whether CTranslate2 will find cuBLAS of CUDA 12, without which it fails when it first computes on a GPU.

    Loads it from the wheel ``nvidia-cublas-cu12`` if that is installed: no loader path leads there.
    """
    names, place = _CUBLAS.get(sys.platform, ((), ""))
    try:
        wheel = importlib.util.find_spec("nvidia.cublas")
    except ModuleNotFoundError:
        wheel = None
    folders = [Path(folder) / place for folder in (wheel.submodule_search_locations or () if wheel else ())]
    try:
        for name in names:
            ctypes.CDLL(next((str(folder / name) for folder in folders if (folder / name).is_file()), name))
    except OSError:
        return False
    return bool(names)


@contextmanager
def _engine_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if "out of memory" in str(error):
            raise OutOfMemory from error
        raise EngineError("engine_failed", f"{name} failed: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _engine() -> str:
    return f"faster-whisper {version('faster-whisper')}"
