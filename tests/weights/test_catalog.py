"""What the catalog promises about every model in it."""

import re
from pathlib import PurePosixPath

import pytest

from diarist.model.errors import InputError
from diarist.weights.catalog import CATALOG, HubSource, ModelEntry, WheelSource, find_model

entries = pytest.mark.parametrize("entry", CATALOG.values(), ids=CATALOG)


@entries
def test_every_model_says_whose_it_is_and_where_from(entry: ModelEntry):
    assert entry.attribution
    assert entry.licence
    assert entry.files
    assert entry.sources


@entries
def test_paths_stay_inside_the_model_folder(entry: ModelEntry):
    paths = [file.path for file in entry.files] + [path for paths in entry.also for path in paths]
    for path in paths:
        assert not PurePosixPath(path).is_absolute()
        assert ".." not in PurePosixPath(path).parts


@entries
def test_embedded_models_are_pinned_completely(entry: ModelEntry):
    if not entry.embedded:
        return
    assert isinstance(entry.sources[0], WheelSource)
    assert not entry.large
    assert re.fullmatch("[0-9a-f]{12}", entry.revision or "")
    for source in entry.sources:
        files = entry.brought_by(source)
        for file in files:
            assert file.size
            assert re.fullmatch("[0-9a-f]{64}", file.sha256 or "")
        if isinstance(source, WheelSource):
            members = {path for wheel in source.wheels for _, path in wheel.members}
            assert members == {file.path for file in files}


@entries
def test_names_are_found_in_any_case(entry: ModelEntry):
    assert find_model(entry.name.upper()) is entry


def test_the_embedded_set_needs_no_hub():
    embedded = {entry.name for entry in CATALOG.values() if entry.embedded and entry.task != "sample"}
    assert embedded == {"whisper-tiny.en", "whisper-base", "segmentation-3.0", "campplus", "silero-vad"}


@pytest.mark.parametrize("name", ["whisper-base", "segmentation-3.0", "campplus"])
def test_no_single_wheel_can_stop_a_first_run(name: str):
    wheels = [set(source.wheels) for source in find_model(name).sources if isinstance(source, WheelSource)]
    assert len(wheels) >= 2
    assert not set.intersection(*wheels)


def test_what_is_not_measured_is_absent_and_counts_as_large():
    parakeet = find_model("parakeet-tdt-0.6b-v2")
    assert parakeet.size is None
    assert parakeet.revision is None
    assert parakeet.large


def test_gated_models_are_marked():
    gated = {
        entry.name
        for entry in CATALOG.values()
        if any(isinstance(source, HubSource) and source.gated for source in entry.sources)
    }
    assert gated == {"segmentation-3.0", "community-1", "speaker-diarization-3.1"}


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("large-v3", "whisper-large-v3"),
        ("Large_V3", "whisper-large-v3"),
        ("whisper large v3", "whisper-large-v3"),
        ("large", "whisper-large-v3"),
        ("turbo", "whisper-large-v3-turbo"),
        ("base", "whisper-base"),
        ("tiny.en", "whisper-tiny.en"),
        ("openai/whisper-large-v3-turbo", "whisper-large-v3-turbo"),
        ("Systran/faster-whisper-base", "whisper-base"),
        ("faster-whisper-small", "whisper-small"),
        ("distil-large-v3", "whisper-distil-large-v3"),
        ("Systran/faster-distil-whisper-large-v3", "whisper-distil-large-v3"),
        ("nvidia/parakeet-tdt-0.6b-v3", "parakeet-tdt-0.6b-v3"),
        ("parakeet", "parakeet-tdt-0.6b-v3"),
        ("pyannote/speaker-diarization-community-1", "community-1"),
    ],
)
def test_a_model_has_many_names(typed, name):
    assert find_model(typed).name == name


@pytest.mark.parametrize("typed", ["./whisper-base", "/models/whisper-base", "models/whisper-base", "~/whisper-base"])
def test_a_folder_that_is_not_there_is_no_name(typed):
    with pytest.raises(InputError, match="No model is called"):
        find_model(typed)


def test_a_wrong_name_is_answered_with_near_ones():
    with pytest.raises(InputError) as refusal:
        find_model("wisper-tiny")
    assert refusal.value.code == "unknown_model"
    assert "whisper-tiny" in refusal.value.hint


def test_a_hopeless_name_is_answered_with_the_list():
    with pytest.raises(InputError, match="diarist models list"):
        find_model("zzz")
