"""What a published pipeline is tuned to, and the file that says so.

The repository ``pyannote/speaker-diarization-3.1`` holds no weights: its ``config.yaml`` names two networks, which are
in repositories of their own, and the parameters with which they were tuned. RunPod's Model Store caches one repository,
so a worker may have this file from there and the networks from its image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from diarist.model.errors import WeightsError
from diarist.weights.config import read_config

SEGMENTATION: Final = "segmentation-3.0"
EMBEDDING: Final = "wespeaker-voxceleb-resnet34-LM"

_PIPELINE: Final = "pyannote.audio.pipelines.SpeakerDiarization"
# What only says how to run, or what pyannote.audio 4 asks for without using it here.
_INDIFFERENT: Final = frozenset({"segmentation_batch_size", "embedding_batch_size", "plda", "token", "use_auth_token"})


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of agglomerative clustering; by default those that pyannote published with 3.1.

    Attributes:
        threshold: Euclidean distance between centroids of unit embeddings above which voices differ.
        min_cluster_size: a cluster of fewer embeddings is small.
    """

    threshold: float = 0.7045654963945799
    min_cluster_size: int = 12


def read_parameters(path: Path) -> Parameters:
    """Read the ``config.yaml`` of speaker-diarization-3.1, in any of its revisions.

    Raises:
        WeightsError: it cannot be read, or asks for something else than what diarist does under the name of 3.1.
    """
    config = _Config(path)
    config.expect("pipeline.name", _PIPELINE)
    options = config.mapping("pipeline.params")
    for name in options:
        if name in _INDIFFERENT:
            continue
        where = f"pipeline.params.{name}"
        if name in ("segmentation", "embedding"):
            wanted = SEGMENTATION if name == "segmentation" else EMBEDDING
            if config.text(where).rpartition("/")[2].partition("@")[0] != wanted:
                config.refuse(where)
        elif name == "clustering":
            config.expect(where, "AgglomerativeClustering")
        elif name == "embedding_exclude_overlap":
            config.expect(where, "true")
        elif name == "segmentation_step":
            config.number(where, 0.1, 0.1)
        else:
            config.refuse(where)
    for name in ("segmentation", "embedding", "clustering"):
        config.text(f"pipeline.params.{name}")
    config.expect("params.clustering.method", "centroid")
    config.number("params.segmentation.min_duration_off", 0.0, 0.0)
    return Parameters(
        threshold=config.number("params.clustering.threshold", 0.0, 2.0),
        min_cluster_size=config.whole("params.clustering.min_cluster_size", 1, 10_000),
    )


class _Config:
    """Looks values up by ``a.b.c`` and refuses what is not as it should be, by name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values = read_config(path)

    def text(self, key: str) -> str:
        value: Any = self._values
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if not isinstance(value, str):
            self.refuse(key)
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        value: Any = self._values
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if not isinstance(value, dict):
            self.refuse(key)
        return value

    def expect(self, key: str, value: str) -> None:
        if self.text(key).lower() != value.lower():
            self.refuse(key)

    def number(self, key: str, low: float, high: float) -> float:
        try:
            value = float(self.text(key))
        except ValueError:
            self.refuse(key)
        if not (math.isfinite(value) and low <= value <= high):
            self.refuse(key)
        return value

    def whole(self, key: str, low: int, high: int) -> int:
        value = self.number(key, low, high)
        if value != int(value):
            self.refuse(key)
        return int(value)

    def refuse(self, key: str) -> NoReturn:
        raise WeightsError(
            "config_unsupported",
            f"{self._path} is not what diarist knows as speaker-diarization-3.1: it differs in {key[:80]!r}.",
            "Take another revision of that repository, or another diarizer: embedded.",
        )
