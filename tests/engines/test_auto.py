"""What ``auto`` takes: the best model that is here and knows the language, else the small embedded one."""

import re

import pytest

from diarist.engines import auto_diarizer, auto_transcriber
from diarist.engines.auto import DIARIZERS, TRANSCRIBERS, sizes


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


def test_a_gpu_reads_the_checkpoint_where_the_cpu_reads_the_conversion():
    here = {"parakeet-tdt-0.6b-v2"}.__contains__
    assert auto_transcriber("en", here, gpu=True).weights == ("parakeet-tdt-0.6b-v2",)
    assert auto_transcriber("en", here, gpu=False).name == "whisper-base"
