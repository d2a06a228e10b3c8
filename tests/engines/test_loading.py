"""Both engines ready to run, by name or as they are."""

import pytest

from diarist.engines import load, open_diarizer, open_transcriber, share_threads
from diarist.model.errors import InputError


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"model": "lagre-v3"}, "Did you mean whisper-large-v3"),
        ({"model": "community-1"}, "is for diarization, not transcription"),
        ({"model": "tiny.en", "language": "de"}, "does not know the language 'de'"),
        ({"model": "whisper:parakeet-tdt-0.6b-v3"}, "a model of parakeet, not of whisper"),
        ({"model": "embedded"}, "No model is called"),
        ({"diarizer": "3.2"}, "Use 'embedded'"),
        ({"diarizer": "whisper-base"}, "no diarization model"),
        ({"device": "tpu"}, "Choose from auto, cpu, cuda"),
        ({"model": "x" * 300}, "No model is called"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_loaded_or_fetched(asked, says, monkeypatch):
    monkeypatch.setattr("diarist.engines.registry.Found.open", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(InputError) as caught:
        load(**asked)
    assert says in str(caught.value)


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
    monkeypatch.setattr("diarist.engines.registry.Found.open", lambda *_, **__: None)
    monkeypatch.setattr("diarist.engines.auto._is_here", here.__contains__)
    notes = []
    load(**asked, device="cpu", note=notes.append)
    assert notes == ([told] if told else [])


@pytest.mark.parametrize(("threads", "shares"), [(1, (1, 1)), (2, (1, 1)), (3, (2, 1)), (4, (3, 1)), (16, (11, 5))])
def test_words_and_speakers_share_the_threads(threads, shares):
    assert share_threads(threads) == shares


class Ready:
    """An engine that somebody has made."""


def test_engines_that_are_ready_are_taken_as_they_are():
    words, speakers = Ready(), Ready()
    pipeline = load(words, speakers)
    assert (pipeline.transcriber, pipeline.diarizer) == (words, speakers)
    assert load(words, None).diarizer is None


def test_one_engine_can_be_loaded_alone_by_the_same_names():
    for opens in (open_transcriber, open_diarizer):
        with pytest.raises(InputError, match=r"no (diarization )?model|No model"):
            opens("no-such-model")
        with pytest.raises(InputError, match="no device 'tpu'"):
            opens(device="tpu")


@pytest.mark.models
def test_auto_alone_takes_what_both_together_take_and_says_so():
    said = []
    assert open_diarizer(note=said.append).model.name == load(Ready()).diarizer.model.name
    assert said[0].startswith("speakers: ")
