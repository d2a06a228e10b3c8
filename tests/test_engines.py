"""What ``auto`` takes: the best model that is here and knows the language, else the small embedded one."""

import importlib
import re

import pytest

from diarist.engines import (
    DIARIZERS,
    OTHER_DIARIZERS,
    TRANSCRIBERS,
    _load_diarizer,
    auto_diarizer,
    auto_transcriber,
    diarizer_name,
    load,
    share_threads,
    sizes,
    transcriber_name,
)
from diarist.model.errors import InputError
from diarist.model.progress import ignore


@pytest.mark.parametrize(
    ("language", "here", "takes"),
    [
        (None, set(), "whisper-base"),
        (None, {"parakeet-tdt-0.6b-v2-onnx", "parakeet-tdt-0.6b-v3-onnx"}, "parakeet-tdt-0.6b-v3"),
        (None, {"parakeet-tdt-0.6b-v2-onnx", "whisper-small"}, "parakeet-tdt-0.6b-v2"),
        ("en", {"whisper-base", "whisper-tiny.en"}, "whisper-base"),
        ("en", {"whisper-tiny.en"}, "whisper-tiny.en"),
        ("en", {"parakeet-tdt-0.6b-v2-onnx", "parakeet-tdt-0.6b-v3-onnx"}, "parakeet-tdt-0.6b-v2"),
        ("de", {"parakeet-tdt-0.6b-v2-onnx", "parakeet-tdt-0.6b-v3-onnx"}, "parakeet-tdt-0.6b-v3"),
        ("de", {"whisper-tiny.en"}, "whisper-base"),
        ("ja", {"parakeet-tdt-0.6b-v3-onnx", "whisper-large-v3-turbo"}, "whisper-large-v3-turbo"),
    ],
)
def test_auto_takes_the_best_model_here(language, here, takes):
    assert auto_transcriber(language, here.__contains__).name == takes


def test_auto_says_how_to_get_better_only_where_there_is_better():
    assert auto_transcriber("en", {"parakeet-tdt-0.6b-v2-onnx"}.__contains__).better == ()
    assert auto_transcriber("en", set().__contains__).better == ("parakeet-tdt-0.6b-v2-onnx",)


@pytest.mark.parametrize(
    ("asked", "here", "told"),
    [
        (
            {"language": "de"},
            set(),
            "words: whisper-base, speakers: embedded; better: "
            "diarist models pull parakeet-tdt-0.6b-v3-onnx community-1 (about 670 MB, about 33 MB)",
        ),
        (
            {"language": "ja"},
            {"community-1"},
            "words: whisper-base, speakers: community-1; better: diarist models pull whisper-large-v3-turbo "
            "(about 1.6 GB)",
        ),
        (
            {"language": "en"},
            {"community-1", "parakeet-tdt-0.6b-v2-onnx"},
            "words: parakeet-tdt-0.6b-v2, speakers: community-1",
        ),
        (
            {"model": "whisper-tiny.en"},
            set(),
            "speakers: embedded; better: diarist models pull community-1 (about 33 MB)",
        ),
        ({"model": "whisper-tiny.en", "diarizer": None}, set(), None),
    ],
)
def test_what_auto_took_and_what_is_better_is_told_in_one_line_with_what_there_is_to_fetch(
    asked, here, told, monkeypatch
):
    monkeypatch.setattr("diarist.engines._load_transcriber", lambda *_: None)
    monkeypatch.setattr("diarist.engines._load_diarizer", lambda *_: None)
    monkeypatch.setattr("diarist.engines._is_here", here.__contains__)
    notes = []
    load(**asked, device="cpu", note=notes.append)
    assert notes == ([told] if told else [])


def test_there_is_a_size_for_every_model_that_may_be_called_better():
    for known in (*TRANSCRIBERS, *DIARIZERS):
        for gpu in (False, True):
            assert re.search(r"\d [MG]B", sizes(known.needs(gpu=gpu)))
            assert "not known" not in sizes(known.needs(gpu=gpu))


def test_the_embedded_diarizer_needs_both_its_parts():
    assert auto_diarizer({"community-1"}.__contains__).name == "community-1"
    assert auto_diarizer(set().__contains__).name == "embedded"
    assert auto_diarizer(set().__contains__).reason == "none is here, and this one is small"


def test_speaker_diarization_3_1_goes_before_the_embedded_models_and_after_community_1():
    parts = {"segmentation-3.0", "wespeaker-voxceleb-resnet34-LM", "campplus"}
    assert auto_diarizer(parts.__contains__).name == "3.1"
    assert auto_diarizer({"segmentation-3.0", "campplus"}.__contains__).name == "embedded"
    assert auto_diarizer((parts | {"community-1"}).__contains__).name == "community-1"


@pytest.mark.parametrize("name", ["nemo:model", "nemotron:", ":model", "nemotron", "3.2"])
def test_an_unknown_diarizer_is_refused_in_one_line(name):
    with pytest.raises(InputError, match=rf"no (diarizer|diarization model) '{name}'"):
        _load_diarizer(name, "cpu", 1, ignore)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"model": "lagre-v3"}, "Did you mean whisper-large-v3"),
        ({"model": "community-1"}, "is for diarization, not transcription"),
        ({"model": "tiny.en", "language": "de"}, "does not know the language 'de'"),
        ({"diarizer": "3.2"}, "Use 'embedded'"),
        ({"device": "tpu"}, "Choose from auto, cpu, cuda"),
        ({"model": "x" * 300}, "No model is called"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_loaded_or_fetched(asked, says, monkeypatch):
    monkeypatch.setattr("diarist.engines._load_transcriber", lambda *_: pytest.fail("loaded"))
    with pytest.raises(InputError) as caught:
        load(**asked)
    assert says in str(caught.value)


def test_names_may_be_written_as_people_type_them():
    assert transcriber_name("Large-V3") == "whisper-large-v3"
    assert transcriber_name("AUTO") == "auto"
    assert diarizer_name("pyannote/speaker-diarization-community-1") == "community-1"
    assert diarizer_name("Embedded") == "embedded"
    assert diarizer_name("pyannote:community-1") == "pyannote:community-1"


def test_the_other_engines_have_their_loaders():
    for engine in OTHER_DIARIZERS:
        assert callable(getattr(importlib.import_module(f"diarist.diarization.{engine}"), f"load_{engine}"))


def test_a_gpu_reads_the_checkpoint_where_the_cpu_reads_the_conversion():
    here = {"parakeet-tdt-0.6b-v2"}.__contains__
    assert auto_transcriber("en", here, gpu=True).weights == ("parakeet-tdt-0.6b-v2",)
    assert auto_transcriber("en", here, gpu=False).name == "whisper-base"


@pytest.mark.parametrize(("threads", "shares"), [(1, (1, 1)), (2, (1, 1)), (3, (2, 1)), (4, (3, 1)), (16, (11, 5))])
def test_words_and_speakers_share_the_threads(threads, shares):
    assert share_threads(threads) == shares


def test_an_unknown_device_is_refused_before_anything_is_loaded():
    with pytest.raises(InputError, match="no device 'tpu'"):
        load(device="tpu")
