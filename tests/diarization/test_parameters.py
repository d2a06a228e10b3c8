"""The config.yaml of speaker-diarization-3.1: what is taken from it, and what is refused."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.diarization.parameters import Parameters, read_parameters
from diarist.model.errors import WeightsError

CONFIG = """\
version: 3.1.0

pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: AgglomerativeClustering
    embedding: pyannote/wespeaker-voxceleb-resnet34-LM
    embedding_batch_size: 32
    embedding_exclude_overlap: true
    segmentation: pyannote/segmentation-3.0
    segmentation_batch_size: 32

params:
  clustering:
    method: centroid
    min_cluster_size: 12
    threshold: 0.7045654963945799
  segmentation:
    min_duration_off: 0.0
"""


@pytest.fixture
def read(tmp_path: Path):
    def read(text: str | bytes) -> Parameters:
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_parameters(path)

    return read


def test_what_pyannote_published_is_what_is_built_in(read):
    assert read(CONFIG) == Parameters()


def test_other_parameters_are_taken(read):
    tuned = read(CONFIG.replace("0.7045654963945799", "0.65").replace("size: 12", "size: 15"))
    assert (tuned.threshold, tuned.min_cluster_size) == (0.65, 15)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("embedding: pyannote/wespeaker-voxceleb-resnet34-LM", "embedding: someone/wespeaker-voxceleb-resnet34-LM"),
        ("segmentation: pyannote/segmentation-3.0", "segmentation: /models/segmentation-3.0@main"),
        ("embedding_batch_size: 32", "embedding_batch_size: 8"),
        ("version: 3.1.0\n", ""),
        ("segmentation_batch_size: 32", "segmentation_step: 0.1"),
    ],
)
def test_what_changes_nothing_may_differ(read, there, instead):
    assert read(CONFIG.replace(there, instead)) == Parameters()


@pytest.mark.parametrize(
    ("there", "instead", "named"),
    [
        ("SpeakerDiarization", "VoiceActivityDetection", "pipeline.name"),
        ("AgglomerativeClustering", "VBxClustering", "pipeline.params.clustering"),
        ("wespeaker-voxceleb-resnet34-LM", "embedding", "pipeline.params.embedding"),
        ("segmentation-3.0", "segmentation", "pipeline.params.segmentation"),
        ("overlap: true", "overlap: false", "pipeline.params.embedding_exclude_overlap"),
        ("segmentation_batch_size: 32", "segmentation_step: 0.5", "pipeline.params.segmentation_step"),
        ("segmentation_batch_size: 32", "der_variant: {skip_overlap: true}", "pipeline.params.der_variant"),
        ("method: centroid", "method: average", "params.clustering.method"),
        ("min_duration_off: 0.0", "min_duration_off: 0.5", "params.segmentation.min_duration_off"),
        ("0.7045654963945799", "nan", "params.clustering.threshold"),
        ("0.7045654963945799", "-0.1", "params.clustering.threshold"),
        ("0.7045654963945799", "high", "params.clustering.threshold"),
        ("0.7045654963945799", "[0.7]", "params.clustering.threshold"),
        ("size: 12", "size: 1.5", "params.clustering.min_cluster_size"),
        ("size: 12", "size: 1e300", "params.clustering.min_cluster_size"),
        ("    threshold: 0.7045654963945799\n", "", "params.clustering.threshold"),
        ("    segmentation: pyannote/segmentation-3.0\n", "", "pipeline.params.segmentation"),
        ("  clustering:\n", "  grouping:\n", "params.clustering.method"),
    ],
)
def test_what_diarist_does_not_do_is_refused_by_name(read, there, instead, named):
    assert there in CONFIG
    with pytest.raises(WeightsError, match=rf"differs in '{named}'") as refusal:
        read(CONFIG.replace(there, instead))
    assert refusal.value.code == "config_unsupported"


@given(line=st.integers(0, CONFIG.count("\n") - 1), text=st.text(max_size=40))
def test_any_damage_is_read_or_refused(tmp_path_factory, line, text):
    lines = CONFIG.splitlines()
    lines[line] = text
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    with contextlib.suppress(WeightsError):
        assert 0 <= read_parameters(path).threshold <= 2
