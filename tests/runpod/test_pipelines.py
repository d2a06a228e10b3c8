"""What a remote pipeline sends: the caller's own bytes where they fit, samples without loss otherwise."""

import hashlib
import io

import av
import numpy as np
import pytest

from diarist.audio import decode as decode_module
from diarist.audio.recording import Recording
from diarist.audio.transport import encode_flac
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.runpod import pipelines, remote
from diarist.runpod.emulator.emulator import emulate
from diarist.runpod.pipelines import EndpointPipeline
from diarist.runpod.place import open_pipeline

from .conftest import sound


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """A single endpoint whose worker says what reached it."""
    from .conftest import handler_files

    files = handler_files(tmp_path_factory.mktemp("handlers"))
    with emulate("single", handlers={**files, "single": files["digest"]}) as emulator:
        key = emulator.environ["RUNPOD_API_KEY"]
        yield EndpointPipeline("emulated-single", key, "runpod:single", base_url=emulator.url)


def mp3(audio):
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as output:
        stream = output.add_stream("libmp3lame", rate=16_000)
        frame = av.AudioFrame.from_ndarray((audio.samples * 32767).astype(np.int16)[None], format="s16p", layout="mono")
        frame.sample_rate = 16_000
        for each in (frame, None):
            output.mux(stream.encode(each))
    return file.getvalue()


def arrived(transcript):
    (word,) = transcript.words
    (name,) = transcript.warnings
    return word.text, name


def test_a_file_that_fits_arrives_byte_for_byte_and_is_not_decoded_here(endpoint, tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("it was decoded")

    monkeypatch.setattr(decode_module, "_decode_track", never)
    data = mp3(sound(100, 200))
    (tmp_path / "Gespräch, 2; neu.mp3").write_bytes(data)
    transcript = endpoint.transcribe(tmp_path / "Gespräch, 2; neu.mp3")
    assert arrived(transcript) == (hashlib.sha256(data).hexdigest(), "Gespräch, 2; neu.mp3")
    assert transcript.place == {"where": "runpod:single", "audio": "original"}


def test_samples_and_parts_arrive_without_loss(endpoint, tmp_path):
    whole, half = sound(100, 200), sound(100)
    (tmp_path / "a.flac").write_bytes(encode_flac(whole))
    from diarist.audio.recording import as_recording

    for recording, samples in (
        (Recording.of(whole), whole),
        (as_recording(tmp_path / "a.flac").part(stop=1.0), half),
    ):
        transcript = endpoint.transcribe(recording)
        assert arrived(transcript)[0] == hashlib.sha256(encode_flac(samples)).hexdigest()
        assert transcript.place["audio"] == "flac"


def test_what_is_too_large_is_packed_and_said(endpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "MAX_SENT_BYTES", 40_000)
    (tmp_path / "noise.flac").write_bytes(encode_flac(sound(*[500] * 8)))
    transcript = endpoint.transcribe(tmp_path / "noise.flac")
    assert transcript.place["audio"] == "opus"
    assert transcript.warnings[0].startswith("Sent as Opus")


@pytest.mark.parametrize("kind", ["data:;base64,", ""])
def test_what_is_encoded_already_goes_as_it_is(endpoint, kind):
    import base64

    data = encode_flac(sound(100))
    recording = Recording("mine", None, wire=kind + base64.b64encode(data).decode())
    transcript = endpoint.transcribe(recording)
    assert arrived(transcript)[0] == hashlib.sha256(data).hexdigest()
    assert transcript.place["audio"] == "inline"


def test_what_is_no_recording_is_not_sent(tmp_path):
    (tmp_path / "notes.mp3").write_text("Dear diary, today I was renamed.")
    nowhere = EndpointPipeline("e", "key", "runpod:single", base_url="http://127.0.0.1:9")
    with pytest.raises(InputError) as caught:
        nowhere.transcribe(tmp_path / "notes.mp3")
    assert caught.value.code == "audio_not_recognised"


def test_an_endpoint_that_returns_no_voices_refuses_to_name_people():
    nowhere = EndpointPipeline("e", "key", "runpod:single", base_url="http://127.0.0.1:9")
    with pytest.raises(InputError, match="runpod:single returns no voices"):
        nowhere.transcribe(sound(100), Options(), naming=lambda _: {})


def test_people_are_named_by_the_client_of_a_split(handlers):
    with emulate("split", handlers=handlers) as emulator:
        pipeline = pipelines.SplitPipeline(
            "emulated-transcription",
            "emulated-diarization",
            emulator.environ["RUNPOD_API_KEY"],
            base_url=emulator.url,
        )
        transcript = pipeline.transcribe(sound(100, 200), naming=lambda found: {found.speakers[0]: "Ada"})
    assert transcript.speakers[0] == "Ada"


@pytest.mark.parametrize("architecture", ["single", "split", "orchestrator"])
def test_four_hours_of_21_speakers_come_back_with_their_speakers(architecture, handlers):
    """What a worker returns for them was 24 MB, which no platform takes, and then words came without speakers."""
    with emulate(architecture, handlers=handlers) as emulator:
        transcript = open_pipeline(f"runpod:{architecture}", emulator.environ).transcribe(sound(993, 200))
    assert transcript.text == "993 200"
    assert len(transcript.speakers) == 2
    assert transcript.warnings == ()
