"""Known voices: learnt from a job's speaker or from a clip, named in jobs that ask for it, and nobody else's."""

import json

import pytest

from diarist.audio.decode import decode
from diarist.audio.transport import encode_flac
from diarist.engines import load
from diarist.server.keys import Keys, Limits
from diarist.weights.fetch import ensure

AGREED = "said so on 1 May"

VOICE = {
    "name": "Anna",
    "embedding": [1.0, 0.0],
    "model": "embedded",
    "seconds": 12.0,
    "consent": AGREED,
    "added": "2026-01-02",
}


def keep(state, owner, *voices):
    folder = state / "voices"
    folder.mkdir(parents=True, exist_ok=True)
    document = {"schema": "diarist.voices/1", "note": "", "voices": voices}
    (folder / f"{owner}.json").write_text(json.dumps(document))


class TestOwners:
    @pytest.fixture
    def two(self, start, scripted, tmp_path):
        """A server with two keys, and clients of each."""
        state = tmp_path / "state"
        with Keys(state) as keys:
            first, second = keys.add("first", Limits()), keys.add("second", Limits())
        for key, name in ((first, "Anna"), (second, "Ben")):
            keep(state, key.split("_")[1], VOICE | {"name": name})
        client = start(scripted, use_keys=True)
        return client, {"Authorization": f"Bearer {first}"}, {"Authorization": f"Bearer {second}"}

    def test_each_key_has_its_own(self, two):
        client, first, second = two
        names = [[v["name"] for v in client.get("/v1/voices", headers=h).json()["data"]] for h in (first, second)]
        assert names == [["Anna"], ["Ben"]]
        assert client.get("/v1/voices/Anna", headers=second).status_code == 404
        assert client.delete("/v1/voices/Anna", headers=second).status_code == 404
        assert client.get("/v1/voices/Anna", headers=first).status_code == 200

    def test_nobody_sees_any_without_a_key(self, two):
        client, _, _ = two
        assert client.get("/v1/voices").status_code == 401


class TestKept:
    @pytest.fixture
    def client(self, start, scripted, tmp_path):
        keep(tmp_path / "state", "all", VOICE, VOICE | {"name": "a/b ü"})
        return start(scripted)

    def test_the_list_does_not_say_how_they_sound(self, client):
        listed = client.get("/v1/voices").json()
        assert listed["object"] == "list"
        assert listed["data"][0] == {k: v for k, v in VOICE.items() if k != "embedding"} | {"object": "voice"}

    def test_all_of_one_can_be_taken_away(self, client):
        answer = client.get("/v1/voices/Anna")
        assert answer.json() == VOICE | {"object": "voice"}
        assert answer.headers["cache-control"] == "no-store"

    def test_one_is_forgotten(self, client, tmp_path):
        assert client.delete("/v1/voices/a/b ü").status_code == 204
        assert client.delete("/v1/voices/Anna").status_code == 204
        assert client.get("/v1/voices").json()["data"] == []
        assert client.delete("/v1/voices/Anna").json()["error"]["code"] == "no_such_voice"
        assert "Anna" not in (tmp_path / "state" / "voices" / "all.json").read_text()

    @pytest.mark.parametrize(
        ("document", "field"),
        [
            ({"consent": AGREED, "job": "x", "speaker": "y"}, "name"),
            ({"name": "SPEAKER_01", "consent": AGREED, "job": "x", "speaker": "y"}, "name"),
            ({"name": "A", "consent": AGREED, "job": "x", "speaker": "y"}, "name"),
            ({"name": "n" * 65, "consent": AGREED, "job": "x", "speaker": "y"}, "name"),
            ({"name": "Anna", "job": "x", "speaker": "y"}, "consent"),
            ({"name": "Anna", "consent": "  ", "job": "x", "speaker": "y"}, "consent"),
            ({"name": "Anna", "consent": AGREED}, "job"),
            ({"name": "Anna", "consent": AGREED, "job": "x", "speaker": "y", "clip": "z"}, "clip"),
            ({"name": "Anna", "consent": "c" * 501, "job": "x", "speaker": "y"}, "consent"),
        ],
    )
    def test_what_is_wrong_is_said_by_its_field(self, client, document, field):
        answer = client.post("/v1/voices", json=document)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == field

    def test_a_speaker_who_is_not_there(self, client, wav):
        job = client.post("/v1/jobs", files={"file": ("a.wav", wav())}, data={"diarize": "true"}).json()["id"]
        client.get(f"/v1/jobs/{job}/events").read()
        answer = client.post("/v1/voices", json={"name": "Eva", "consent": AGREED, "job": job, "speaker": "SPEAKER_09"})
        assert answer.status_code == 400
        assert "SPEAKER_00, SPEAKER_01" in answer.json()["error"]["message"]

    def test_a_job_that_is_not_there(self, client):
        document = {"name": "Eva", "consent": AGREED, "job": "nothing", "speaker": "SPEAKER_00"}
        assert client.post("/v1/voices", json=document).status_code == 404


def test_a_damaged_file_tells_callers_nothing_of_the_servers_folders(start, scripted, tmp_path, caplog):
    client = start(scripted)
    (tmp_path / "state" / "voices").mkdir()
    (tmp_path / "state" / "voices" / "all.json").write_text("{")
    answer = client.get("/v1/voices")
    assert answer.json()["error"]["code"] == "voices_unusable"
    assert str(tmp_path) not in answer.text
    assert str(tmp_path) in caplog.text


@pytest.fixture(scope="module")
def real(start_module):
    return start_module(load("whisper-base", "embedded"))


@pytest.fixture(scope="module")
def halves():
    """Two halves of a conversation between two people."""
    audio = decode(ensure("sample-telephone") / "sample.wav")
    return [encode_flac(audio.part(0, audio.duration / 2)), encode_flac(audio.part(audio.duration / 2, None))]


@pytest.fixture(scope="module")
def reader():
    """Somebody else, who reads."""
    return (ensure("sample-reader") / "two_cities.wav").read_bytes()


@pytest.mark.models
@pytest.mark.slow
class TestRealSpeech:
    def test_a_speaker_of_one_recording_is_named_in_the_next(self, real, halves):
        job = done(real, halves[0], diarize="true")
        transcript = real.get(f"/v1/jobs/{job}/transcript").json()
        assert real.post(
            "/v1/voices",
            json={"name": "Anna", "consent": AGREED, "job": job, "speaker": longest(transcript)},
        ).json() | {"seconds": 0, "added": ""} == {
            "object": "voice", "name": "Anna", "model": "embedded", "seconds": 0, "consent": AGREED, "added": "",
        }  # fmt: skip
        assert len(real.get("/v1/voices/Anna").json()["embedding"]) > 100
        second = done(real, halves[1], known_voices="true")
        named = real.get(f"/v1/jobs/{second}/transcript").json()
        assert "Anna" in named["speakers"]
        assert len(named["speakers"]) == 2
        again = real.post(f"/v1/jobs/{second}/speakers", json={"max_speakers": 3}, headers={"If-Match": '"0"'})
        assert "Anna" in again.json()["transcript"]["speakers"]
        silent = real.get(f"/v1/jobs/{done(real, halves[1], diarize='true')}/transcript").json()
        assert silent["speakers"] == ["SPEAKER_00", "SPEAKER_01"]

    def test_a_voice_is_learnt_from_a_clip_and_strangers_are_not_named(self, real, reader, halves):
        answer = real.post("/v1/voices", data={"name": "Reader", "consent": AGREED}, files={"file": ("r.wav", reader)})
        assert answer.status_code == 201, answer.text
        plain = {"model": "whisper-1", "response_format": "diarized_json", "known_voices": "true"}
        call = real.post("/v1/audio/transcriptions", data=plain, files={"file": ("c.flac", halves[0])}).json()
        assert "Reader" not in {segment["speaker"] for segment in call["segments"]}
        own = real.post("/v1/audio/transcriptions", data=plain, files={"file": ("r.wav", reader)}).json()
        assert {segment["speaker"] for segment in own["segments"]} == {"Reader"}

    def test_what_was_answered_before_a_voice_was_known_is_not_the_answer_after(self, real, reader):
        real.delete("/v1/voices/Reader")
        plain = {"model": "whisper-1", "response_format": "diarized_json", "known_voices": "true"}
        own = real.post("/v1/audio/transcriptions", data=plain, files={"file": ("r.wav", reader)}).json()
        assert {segment["speaker"] for segment in own["segments"]} == {"A"}

    def test_a_clip_of_two_people_is_refused(self, real):
        call = (ensure("sample-telephone") / "sample.wav").read_bytes()
        answer = real.post("/v1/voices", data={"name": "Both", "consent": AGREED}, files={"file": ("c.wav", call)})
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "clip_has_others"


def done(client, recording, **fields):
    """Submit a job and wait for it; gives its id."""
    job = client.post("/v1/jobs", files={"file": ("a.flac", recording)}, data=fields).json()["id"]
    client.get(f"/v1/jobs/{job}/events").read()
    return job


def longest(transcript):
    """Who talks most."""
    return max(
        transcript["speakers"],
        key=lambda label: sum(turn["end"] - turn["start"] for turn in transcript["turns"] if turn["speaker"] == label),
    )
