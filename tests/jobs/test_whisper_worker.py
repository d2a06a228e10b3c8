"""Jobs written for RunPod's own Whisper worker: an endpoint here takes them as they are."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.jobs.request import DiarizationJob, SpeakerTextJob, TranscriptionJob, read_job
from diarist.jobs.wire_errors import FieldError

URL = "https://example.org/call.mp3"
FIELDS = ["audio_base64", "transcription", "initial_prompt", "model", "enable_vad"]
VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.text(max_size=3), max_size=2)
ITS_EXAMPLE = {"audio": URL, "model": "turbo", "transcription": "srt", "word_timestamps": False, "enable_vad": True}


@pytest.mark.parametrize("kind", [SpeakerTextJob, TranscriptionJob])
class TestWords:
    def test_an_unchanged_job_is_taken(self, kind):
        job = read_job(kind, ITS_EXAMPLE)
        assert (job.audio, job.response_format, job.word_timestamps) == (URL, "srt", False)

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            ({"audio_base64": "SUQz"}, {"audio": "SUQz"}),
            ({"transcription": "vtt"}, {"response_format": "vtt"}),
            ({"transcription": "plain_text"}, {"response_format": "json", "timestamps": True}),
            (
                {"transcription": "formatted_text", "word_timestamps": True},
                {"timestamps": True, "word_timestamps": True},
            ),
            ({"transcription": "plain_text", "timestamps": False}, {"timestamps": False}),
            ({"initial_prompt": "Nyx, Ada Lovelace."}, {"hotwords": ["Nyx", "Ada Lovelace"]}),
            ({"initial_prompt": None, "transcription": None}, {}),
            ({"model": "large-v3"}, {}),
            ({"enable_vad": False}, {}),
        ],
    )
    def test_each_field_means_what_it_means_there(self, kind, theirs, ours):
        audio = {} if "audio_base64" in theirs else {"audio": URL}
        assert read_job(kind, audio | theirs) == read_job(kind, audio | ours)

    @pytest.mark.parametrize(
        ("job", "field"),
        [
            ({"audio": URL, "audio_base64": "SUQz"}, "audio_base64"),
            ({"audio": URL, "transcription": "srt", "response_format": "vtt"}, "transcription"),
            ({"audio": URL, "initial_prompt": "Ada", "hotwords": ["Nyx"]}, "initial_prompt"),
        ],
    )
    def test_a_contradiction_is_refused_by_the_name_that_was_sent(self, kind, job, field):
        with pytest.raises(FieldError, match="contradicts") as caught:
            read_job(kind, job)
        assert caught.value.field == field

    def test_the_same_said_twice_is_none(self, kind):
        read_job(kind, {"audio": URL, "transcription": "srt", "response_format": "srt"})

    @pytest.mark.parametrize(
        ("job", "field"),
        [
            ({"audio_base64": 5}, "audio_base64"),
            ({"audio": URL, "transcription": "docx"}, "transcription"),
            ({"audio": URL, "transcription": ["srt"]}, "transcription"),
            ({"audio": URL, "model": "../x"}, "model"),
            ({"audio": URL, "enable_vad": "yes"}, "enable_vad"),
            ({"audio": URL, "initial_prompt": 3}, "initial_prompt"),
            ({"audio": URL, "best_of": 5}, "best_of"),  # not understood, so not passed over in silence
        ],
    )
    def test_what_is_wrong_is_refused_by_the_name_that_was_sent(self, kind, job, field):
        with pytest.raises(FieldError) as caught:
            read_job(kind, job)
        assert caught.value.field == field

    @given(name=st.sampled_from(FIELDS), value=VALUES)
    def test_any_value_gives_a_job_or_a_refusal_by_name(self, kind, name, value):
        with contextlib.suppress(FieldError):
            job = read_job(kind, {"audio": URL, name: value})
            assert value is None or name == "initial_prompt" or name in ("model", "enable_vad", "transcription")
            assert job.audio == URL


def test_the_diarization_endpoint_takes_the_recording_and_refuses_what_is_about_words():
    assert read_job(DiarizationJob, {"audio_base64": "SUQz"}).audio == "SUQz"
    for name, value in {"transcription": "srt", "model": "base", "initial_prompt": "Ada"}.items():
        with pytest.raises(FieldError) as caught:
            read_job(DiarizationJob, {"audio": URL, name: value})
        assert (caught.value.code, caught.value.field) == ("unknown_field", name)


def test_a_job_is_not_changed_by_being_read():
    job = {"audio_base64": "SUQz", "transcription": "srt"}
    before = json.dumps(job)
    read_job(SpeakerTextJob, job)
    assert json.dumps(job) == before
