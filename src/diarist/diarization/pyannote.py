"""pyannote.audio itself behind the same protocol: the reference that our engine is measured against.

Needs the extra ``pyannote`` (pyannote.audio 4, which brings torch: 1.6 GB). Everything else about it is slower; use it
to check a result, or for a pipeline of pyannote's that our engine does not run.
"""

from __future__ import annotations

import os
from typing import Any

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.diarization.adapter import Adapter, name_speakers, shown_name, to_turns, within
from diarist.extras import install
from diarist.gpu import torch_uses_gpu
from diarist.model.errors import DiaristError, EngineError, WeightsError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, ModelInfo


def load_pyannote(
    name: str = "pyannote/speaker-diarization-community-1",
    *,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = ignore,  # noqa: ARG001 - all loaders are called alike
) -> PyannoteDiarizer:
    """Load a pipeline of pyannote.audio.

    Args:
        name: its repository on the hub (gated: a token is taken from ``HF_TOKEN``), or a folder.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: CPU threads; sets torch's, for the process.
        progress: not used: the library tells of its downloads itself.

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
        raise EngineError("pyannote_missing", "pyannote.audio cannot be imported.", install("pyannote")) from error
    on_gpu = torch_uses_gpu(device)
    try:
        pipeline = library.Pipeline.from_pretrained(name, token=os.environ.get("HF_TOKEN"))
    except Exception as error:  # the library raises whatever the hub client or torch does
        raise WeightsError(
            "pyannote_weights", f"pyannote.audio cannot load {name} ({type(error).__name__}).", "Accept its terms?"
        ) from error
    if pipeline is None:
        raise WeightsError("pyannote_weights", f"pyannote.audio may not read {name}.", "Accept its terms on the hub.")
    if threads:
        torch.set_num_threads(threads)
    if on_gpu:
        pipeline.to(torch.device("cuda"))
    return PyannoteDiarizer(
        pipeline, ModelInfo("diarization", shown_name(name), None, f"pyannote.audio {library.__version__}")
    )


class PyannoteDiarizer(Adapter):
    """A pipeline of pyannote.audio as a `diarist.diarization.base.Diarizer`. Gives no soft scores."""

    def __init__(self, pipeline: Any, model: ModelInfo) -> None:
        super().__init__(model)
        self._pipeline = pipeline

    def _find(self, audio: Audio, options: Options, progress: Progress) -> Diarization:
        import torch

        def report(step: str, _: object, completed: int | None = None, total: int | None = None, **__: object) -> None:
            # Nearly all of its time goes into embeddings.
            if step == "embeddings" and completed is not None and total:
                progress("diarization", min(1.0, completed / total))

        sound = {"waveform": torch.from_numpy(audio.samples)[None], "sample_rate": SAMPLE_RATE}
        hints = {key: getattr(options, key) for key in ("num_speakers", "min_speakers", "max_speakers")}
        try:
            found = self._pipeline(sound, hook=report, **hints)
        except DiaristError:
            raise
        except Exception as error:
            raise EngineError("pyannote_failed", f"pyannote.audio failed: {type(error).__name__}.") from error
        turns, exclusive = (
            within(
                ((span.start, span.end, label) for span, _, label in some.itertracks(yield_label=True)), audio.duration
            )
            for some in (found.speaker_diarization, found.exclusive_speaker_diarization)
        )
        names = name_speakers(turns)
        voices = zip(found.speaker_diarization.labels(), found.speaker_embeddings, strict=False)
        return Diarization(
            turns=to_turns(turns, names),
            exclusive=to_turns(exclusive, names),
            duration=audio.duration,
            model=self._model,
            embeddings={
                names[label]: tuple(float(x) for x in voice / (voice**2).sum() ** 0.5)
                for label, voice in voices
                if label in names and (voice**2).sum() > 0
            },
        )
