"""NVIDIA Parakeet-TDT: the engine, whatever runs its network.

Long audio goes through `diarist.transcription.windows`, features and decoding are the same for every backend, and a
backend (ONNX Runtime on CPU, torch on GPU) only turns features into encoder frames and scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.cpu_count import cpu_count
from diarist.gpu import check_device, torch_uses_gpu
from diarist.model.errors import DiaristError, InputError, WeightsError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.timeline import Span
from diarist.model.transcript import ModelInfo, Transcription, Word
from diarist.transcription import tdt
from diarist.transcription.base import Heard, unheard
from diarist.transcription.checkpoints import checkpoint_file
from diarist.transcription.features import HOP, batch, num_frames
from diarist.transcription.hearing import Hearing, put_together
from diarist.transcription.hotwords import Biases
from diarist.transcription.languages import drifts, language_of
from diarist.transcription.outline import Outline
from diarist.transcription.reloadable import Reloadable
from diarist.transcription.vocabulary import Vocabulary
from diarist.transcription.windows import Recognise

SUBSAMPLING: Final = 8
FRAME_SECONDS: Final = SUBSAMPLING * HOP / SAMPLE_RATE  # 80 ms
CONTEXT_SECONDS: Final = 1.0
"""What a window hears beyond its cuts; the convolutions and attention at its edges then see real sound."""

LANGUAGES_V3: Final = frozenset(
    {
        *("bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hr", "hu", "it"),
        *("lt", "lv", "mt", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "uk"),
    }
)
"""The 25 languages of v3, from its model card."""

P = TypeVar("P")


class Backend(tdt.Network[P], Protocol[P]):
    """Runs the network."""

    @property
    def bands(self) -> int:
        """Number of mel bands it takes."""

    @property
    def batch(self) -> int:
        """How many windows it likes at a time."""

    @property
    def engine(self) -> str:
        """The software, with its version."""

    def encode(self, features: NDArray[np.float32], lengths: NDArray[np.int64]) -> tuple[object, NDArray[np.int64]]:
        """Encode windows.

        Args:
            features: ``(windows, bands, frames)``, padded with zeros.
            lengths: ``(windows,)`` frames that count.

        Returns:
            The encoder's output in the backend's own terms, and ``(windows,)`` its frames that count.

        Raises:
            OutOfMemory: a smaller batch may do.
            EngineError: it failed.
        """


class Parakeet:
    """A loaded Parakeet model. Safe to use from several threads.

    Attributes:
        weights: what holds the backend; unload it to free its memory.
        vocabulary: the model's pieces.
        languages: those it knows.
        model: what will be named in the transcript.

    Args:
        load: loads the backend.
        vocabulary: the model's pieces.
        name: the model's name.
        revision: what pins its weights.
        idle_seconds: unload the weights when unused for so long; None: never.

    Raises:
        WeightsError: the weights cannot be loaded, or do not fit the vocabulary.
    """

    def __init__(
        self,
        load: Callable[[], Backend[Any]],
        vocabulary: Vocabulary,
        name: str,
        revision: str | None = None,
        idle_seconds: float | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.languages = LANGUAGES_V3 if vocabulary.multilingual else frozenset({"en"})
        self.weights = Reloadable(lambda: _checked(load(), vocabulary), idle_seconds)
        with self.weights.use() as backend:
            self.model = ModelInfo("transcription", name, revision, backend.engine)

    def transcribe(
        self, audio: Audio, options: Options = Options(), progress: Progress = ignore, heard: Heard = unheard
    ) -> Transcription:
        """See `diarist.transcription.base.StreamingTranscriber.transcribe`."""
        self._refuse(options)
        hearing = Hearing(audio, progress, heard, voice_share=0.05, context=CONTEXT_SECONDS)
        with self.weights.use() as backend:
            words = hearing.recognise(self._recogniser(backend, hearing, options), backend.batch)
        return self._transcription(words, audio.duration, options, hearing.timings())

    def outline(self, audio: Audio, options: Options = Options(), progress: Progress = ignore) -> Outline:
        """See `diarist.transcription.base.PartwiseTranscriber.outline`."""
        self._refuse(options)
        return Hearing(audio, progress, voice_share=1.0, context=CONTEXT_SECONDS).outline

    def hear(
        self, audio: Audio, part: Outline, origin: int = 0, options: Options = Options(), progress: Progress = ignore
    ) -> list[list[Word]]:
        """See `diarist.transcription.base.PartwiseTranscriber.hear`."""
        hearing = Hearing(audio, progress, outline=part, origin=origin)
        with self.weights.use() as backend:
            return list(hearing.decoded(self._recogniser(backend, hearing, options), backend.batch))

    def gather(self, outline: Outline, found: Iterable[Sequence[Word]], options: Options = Options()) -> Transcription:
        """See `diarist.transcription.base.PartwiseTranscriber.gather`."""
        return self._transcription(put_together(outline, found), outline.duration, options, {})

    def _recogniser(self, backend: Backend[Any], hearing: Hearing, options: Options) -> Recognise:
        return lambda spans: self.recognise(backend, [hearing.cut(span) for span in spans], spans, options)

    def _transcription(
        self, words: tuple[Word, ...], duration: float, options: Options, timings: Mapping[str, float]
    ) -> Transcription:
        language = options.language or (language_of(words) if self.vocabulary.multilingual else "en")
        return Transcription(
            words=words,
            language=language,
            duration=duration,
            model=self.model,
            timings=timings,
            warnings=_drift_warnings(words, language) if self.vocabulary.multilingual and language else (),
            spoken_language=language,
            task="transcribe",
            temperature=0.0,
        )

    def recognise(
        self,
        backend: Backend[Any],
        windows: Sequence[NDArray[np.float32]],
        spans: Sequence[Span],
        options: Options = Options(),
    ) -> list[list[Word]]:
        """Recognise the words of a batch of windows.

        Args:
            backend: what runs the network.
            windows: samples of each.
            spans: where each lies in the recording.
            options: ``hotwords`` and ``language`` change what is favoured.

        Returns:
            The words of each window, with times in the recording.
        """
        long_enough = [window if num_frames(len(window)) >= SUBSAMPLING else _padded(window) for window in windows]
        encoded, lengths = backend.encode(*batch(long_enough, backend.bands))
        bias = Biases.of(self.vocabulary, options, len(windows)) if self._biased(options) else None
        tokens = tdt.decode_tokens(backend, encoded, lengths, bias)
        return [
            [
                replace(word, start=span.start + word.start, end=span.start + word.end)
                for word in self.vocabulary.words(each, FRAME_SECONDS)
            ]
            for span, each in zip(spans, tokens, strict=True)
        ]

    def _refuse(self, options: Options) -> None:
        name = self.model.name
        if options.task == "translate":
            raise InputError(
                "no_translation", f"{name} cannot translate.", "Choose a multilingual Whisper: --model whisper-base."
            )
        if options.temperature:
            raise InputError("no_temperature", f"{name} decodes without chance.", "Leave the temperature out.")
        if options.language and options.language not in self.languages:
            knows = "English only" if self.languages == {"en"} else f"{len(self.languages)} languages"
            raise InputError(
                "bad_language",
                f"{name} knows {knows}, not {options.language!r}.",
                "Choose parakeet-tdt-0.6b-v3 for 25 European languages, or whisper-base for 99."
                if options.language in LANGUAGES_V3
                else "Choose whisper-base, which knows 99 languages.",
            )

    def _biased(self, options: Options) -> bool:
        return bool(options.hotwords or (options.language and self.vocabulary.multilingual))


def load_parakeet(
    name: str = "parakeet-tdt-0.6b-v2",
    *,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = ignore,
    idle_seconds: float | None = None,
) -> Parakeet:
    """Load a Parakeet-TDT model; its weights are fetched if they are not on this machine.

    Args:
        name: ``"parakeet-tdt-0.6b-v2"`` or ``-v3`` (on the CPU this means the ONNX conversion, on a GPU the
            checkpoint), one of the catalog's more exact names, a folder, or a ``.nemo`` file.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: CPU threads; as many as this process may use if not given.
        progress: told about downloads.
        idle_seconds: unload the weights when unused for so long; None: never.

    Raises:
        InputError: no such model or device.
        WeightsError: the weights are missing, damaged, or do not fit each other.
        EngineError: a checkpoint was asked for, and torch is not installed.
    """
    device, threads = check_device(device), threads or cpu_count()
    path = Path(name).expanduser()
    revision = None
    if not path.exists():
        from diarist.weights.catalog import find_model
        from diarist.weights.fetch import ensure
        from diarist.weights.locate import locate

        entry = find_model(name)
        name = entry.name.removesuffix("-onnx")
        wanted = entry.name if entry.engine != "parakeet" or torch_uses_gpu(device) else f"{entry.name}-onnx"
        path = ensure(wanted, progress=progress)
        located = locate(wanted)
        revision = located.revision if located else None
    else:
        name = path.resolve().name.removesuffix(".nemo")
    checkpoint = path if path.is_file() else None
    if checkpoint is None and not any(path.glob("encoder-model*.onnx")):
        checkpoint = checkpoint_file(path)
    if checkpoint is not None:
        return _torch_engine(checkpoint, name, revision, device, threads, idle_seconds)
    return _onnx_engine(path, name, revision, device, threads, idle_seconds)


def _onnx_engine(
    folder: Path, name: str, revision: str | None, device: str, threads: int, idle_seconds: float | None
) -> Parakeet:
    from diarist.transcription.parakeet_onnx import OnnxBackend, quantisation

    if device == "cuda":
        raise InputError(
            "bad_device", f"{name} is a conversion for the CPU.", "Use the device 'cpu', or the model without -onnx."
        )
    quantisation(folder)  # complains of a folder without graphs
    vocabulary = Vocabulary.read(folder / "vocab.txt")
    return Parakeet(lambda: OnnxBackend(folder, vocabulary.blank, threads), vocabulary, name, revision, idle_seconds)


def _torch_engine(
    path: Path, name: str, revision: str | None, device: str, threads: int, idle_seconds: float | None
) -> Parakeet:
    from diarist.transcription.checkpoints import read_network
    from diarist.transcription.parakeet_torch import TorchBackend

    where = "cuda" if torch_uses_gpu(device) else "cpu"
    first = [read_network(path)]  # the first load need not read it again
    vocabulary = first[0].vocabulary

    def load() -> TorchBackend:
        return TorchBackend(first.pop() if first else read_network(path), where, threads)

    return Parakeet(load, vocabulary, name, revision, idle_seconds)


def _checked(backend: Backend[Any], vocabulary: Vocabulary) -> Backend[Any]:
    """Run the network once on a second of silence: it warms up, and weights that do not fit show here.

    Raises:
        WeightsError: vocabulary, encoder and decoder are not of one model.
    """
    try:
        encoded, lengths = backend.encode(*batch([np.zeros(SAMPLE_RATE, np.float32)], backend.bands))
        scores = backend.joint(np.zeros(1, np.int64), backend.begin(encoded, len(lengths)))
    except DiaristError as error:
        raise WeightsError(
            "weights_mismatch", f"The model's parts do not fit each other: {error.message}", "Fetch the model again."
        ) from error
    width = vocabulary.blank + 1 + len(backend.durations)
    if backend.blank != vocabulary.blank or scores.shape[1] != width or len(backend.durations) < 2:
        raise WeightsError(
            "bad_vocabulary",
            f"The vocabulary has {vocabulary.blank} pieces, but the network scores {scores.shape[1]} outputs.",
            "Use the vocabulary that came with the weights.",
        )
    return backend


def _drift_warnings(words: Sequence[Word], language: str) -> tuple[str, ...]:
    return tuple(
        f"From {span.start:.0f} to {span.end:.0f} s the words look like {other!r}, not {language!r}: "
        "the model may have drifted into another language."
        for span, other in drifts(words, language)
    )


def _padded(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lengthen a window to what gives one encoder frame."""
    return np.pad(window, (0, SUBSAMPLING * HOP - len(window)))
