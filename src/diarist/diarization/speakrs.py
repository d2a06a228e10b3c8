"""speakrs behind the same protocol: community-1's pipeline in Rust, with its own kernels for NVIDIA GPUs.

On a CPU our engine does the same for a fraction of the work (``docs/diarization.md``). Needs the extra ``speakrs``
(0.7.0, exactly: it is beta, and reads files with names of its own).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from diarist.audio.audio import Audio
from diarist.diarization.adapter import Adapter, name_speakers, to_turns, within
from diarist.extras import install
from diarist.gpu import wants_gpu
from diarist.model.errors import EngineError, InputError, WeightsError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, ModelInfo


def load_speakrs(
    name: str,
    *,
    device: str = "auto",
    threads: int | None = None,  # noqa: ARG001 - all loaders are called alike
    progress: Progress = ignore,  # noqa: ARG001
) -> SpeakrsDiarizer:
    """Load speakrs from its own model files.

    Args:
        name: the folder that holds them; ``speakrs.prepare()`` fetches them and says where they are.
        device: ``"cuda"``, or ``"cpu"``, which ``"auto"`` means too: it cannot say beforehand whether a GPU will do.
        threads: not used: it takes as many as there are cores, at most four.
        progress: not used: nothing is fetched.

    Raises:
        EngineError: speakrs is not installed.
        InputError: it has no such device here.
        WeightsError: files are missing or cannot be read.
    """
    try:
        import speakrs
    except ImportError as error:
        raise EngineError("speakrs_missing", "speakrs cannot be imported.", install("speakrs")) from error
    folder, mode = Path(name).expanduser(), "cuda" if device == "cuda" and wants_gpu(device) else "cpu"
    try:
        pipeline = speakrs.Pipeline.from_prepared(speakrs.prepare(mode, model_dir=folder))
    except speakrs.SpeakrsError as error:
        if error.category == "unsupported_runtime":
            raise InputError("bad_device", "This speakrs has no CUDA.", "Use the device 'cpu'.") from error
        raise WeightsError(
            "speakrs_weights", f"speakrs cannot load {folder} ({error.code}).", "speakrs.prepare() fetches its files."
        ) from error
    return SpeakrsDiarizer(
        pipeline, ModelInfo("diarization", folder.name, None, f"speakrs {speakrs.__version__} {mode}")
    )


class SpeakrsDiarizer(Adapter):
    """A pipeline of speakrs as a `diarist.diarization.base.Diarizer`. Gives neither embeddings nor soft scores."""

    cannot_count = "speakrs"

    def __init__(self, pipeline: Any, model: ModelInfo) -> None:
        super().__init__(model)
        self._pipeline = pipeline

    def _find(self, audio: Audio, _options: Options, _progress: Progress) -> Diarization:
        import speakrs

        try:
            found = self._pipeline.diarize_samples(np.ascontiguousarray(audio.samples, np.float32))
        except speakrs.SpeakrsError as error:
            raise EngineError("speakrs_failed", f"speakrs failed: {error.code}.") from error
        turns, exclusive = (
            within(((s.start, s.end, s.speaker) for s in segments), audio.duration)
            for segments in (found.segments, found.exclusive_segments)
        )
        names = name_speakers(turns)
        return Diarization(
            turns=to_turns(turns, names),
            exclusive=to_turns(exclusive, names),
            duration=audio.duration,
            model=self._model,
        )
