"""pyannote.audio itself behind the same protocol: the reference that our engine is measured against.

Needs the extra ``pyannote`` (pyannote.audio 4, which brings torch: 1.6 GB). Everything else about it is slower; use it
to check a result, or for a pipeline of pyannote's that our engine does not run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Any

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.model.errors import DiaristError, EngineError, WeightsError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, ModelInfo, Turn


def load_pyannote(name: str = "pyannote/speaker-diarization-community-1", *, device: str = "auto") -> PyannoteDiarizer:
    """Load a pipeline of pyannote.audio.

    Args:
        name: its repository on the hub (gated: a token is taken from ``HF_TOKEN``), or a folder.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        EngineError: pyannote.audio is not installed.
        WeightsError: the pipeline cannot be loaded.
    """
    # It reports usage to its maker unless told otherwise.
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
    try:
        import pyannote.audio as library
        import torch
    except (ImportError, OSError) as error:
        raise EngineError(
            "pyannote_missing", "pyannote.audio cannot be imported.", "pip install 'diarist[pyannote]'"
        ) from error
    try:
        pipeline = library.Pipeline.from_pretrained(name, token=os.environ.get("HF_TOKEN"))
    except Exception as error:  # the library raises whatever the hub client or torch does
        raise WeightsError(
            "pyannote_weights", f"pyannote.audio cannot load {name} ({type(error).__name__}).", "Accept its terms?"
        ) from error
    if pipeline is None:
        raise WeightsError("pyannote_weights", f"pyannote.audio may not read {name}.", "Accept its terms on the hub.")
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        pipeline.to(torch.device("cuda"))
    return PyannoteDiarizer(pipeline, ModelInfo("diarization", name, None, f"pyannote.audio {library.__version__}"))


class PyannoteDiarizer:
    """A pipeline of pyannote.audio as a `diarist.diarization.base.Diarizer`. Gives no soft scores."""

    def __init__(self, pipeline: Any, model: ModelInfo) -> None:
        self._pipeline = pipeline
        self._model = model

    @property
    def model(self) -> ModelInfo:
        """What will be named in the transcript."""
        return self._model

    def diarize(self, audio: Audio, options: Options = Options(), progress: Progress = ignore) -> Diarization:
        """See `diarist.diarization.base.Diarizer`."""
        import torch

        def report(step: str, _: object, completed: int | None = None, total: int | None = None, **__: object) -> None:
            # Nearly all of its time goes into embeddings.
            if step == "embeddings" and completed is not None and total:
                progress("diarization", min(1.0, completed / total))

        started = time.perf_counter()
        progress("diarization", 0.0)
        if not len(audio.samples):
            return Diarization(turns=(), exclusive=(), duration=0.0, model=self._model)
        sound = {"waveform": torch.from_numpy(audio.samples)[None], "sample_rate": SAMPLE_RATE}
        hints = {key: getattr(options, key) for key in ("num_speakers", "min_speakers", "max_speakers")}
        try:
            found = self._pipeline(sound, hook=report, **hints)
        except DiaristError:
            raise
        except Exception as error:
            raise EngineError("pyannote_failed", f"pyannote.audio failed: {type(error).__name__}.") from error
        progress("diarization", 1.0)
        turns = _turns(found.speaker_diarization.itertracks(yield_label=True), audio.duration)
        names = {name: f"SPEAKER_{i:02d}" for i, name in enumerate(dict.fromkeys(turn.speaker for turn in turns))}
        voices = zip(found.speaker_diarization.labels(), found.speaker_embeddings, strict=False)
        return Diarization(
            turns=_renamed(turns, names),
            exclusive=_renamed(
                _turns(found.exclusive_speaker_diarization.itertracks(yield_label=True), audio.duration), names
            ),
            duration=audio.duration,
            model=self._model,
            embeddings={
                names[label]: tuple(float(x) for x in voice / (voice**2).sum() ** 0.5)
                for label, voice in voices
                if label in names and (voice**2).sum() > 0
            },
            timings={"networks": time.perf_counter() - started},
        )


def _turns(tracks: Iterable[tuple[Any, Any, str]], duration: float) -> tuple[Turn, ...]:
    """Its turns within the recording; they may run on into the padding of its last chunk."""
    spans = ((max(0.0, span.start), min(span.end, duration), label) for span, _, label in tracks)
    turns = [Turn(start, end, label) for start, end, label in spans if end - start > 0.0005]
    return tuple(sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker)))


def _renamed(turns: Iterable[Turn], names: dict[str, str]) -> tuple[Turn, ...]:
    return tuple(Turn(turn.start, turn.end, names[turn.speaker]) for turn in turns if turn.speaker in names)
