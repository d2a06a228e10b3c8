"""Transcripts of jobs over HTTP: read exactly, corrected by whoever has read what is there, found by their words."""

import json
import threading

import msgspec
import pytest

from diarist.engines import load
from diarist.model import codec
from diarist.model.transcript import Transcript
from diarist.weights.fetch import ensure

RENAME = {"op": "rename", "names": {"SPEAKER_00": "Anna"}}


def done(client, recording, **fields):
    """Submit a job and wait until it is over; gives its id."""
    fields = {"diarize": "true", **fields}
    job = client.post("/v1/jobs", files={"file": ("talk.wav", recording)}, data=fields).json()["id"]
    with client.stream("GET", f"/v1/jobs/{job}/events") as events:
        assert "event: end" in events.read().decode()
    return f"/v1/jobs/{job}"


def words(transcript):
    return " ".join(w["text"] for s in transcript["segments"] for w in s["words"])


@pytest.fixture
def client(start, scripted):
    return start(scripted)


@pytest.fixture
def job(client, wav):
    return done(client, wav())


def edit(client, job, *operations, revision=0, **headers):
    return client.post(
        f"{job}/edits", json={"operations": operations}, headers={"If-Match": f'"{revision}"', **headers}
    )


class TestReading:
    def test_all_that_is_known_is_there_and_its_revision(self, client, job):
        answer = client.get(f"{job}/transcript")
        assert answer.headers["etag"] == '"0"'
        assert answer.headers["content-type"] == "application/json"
        transcript = codec.read(Transcript, answer.content)
        assert transcript.text == "Hello there. Good morning."
        assert json.loads(msgspec.json.encode(codec.dump(transcript))) == answer.json()

    def test_with_its_edits_or_as_computed(self, client, job):
        edit(client, job, RENAME)
        assert client.get(f"{job}/transcript").json()["speakers"] == ["Anna", "SPEAKER_01"]
        assert client.get(f"{job}/transcript?edited=false").json()["speakers"] == ["SPEAKER_00", "SPEAKER_01"]

    def test_a_job_that_is_done_says_so_of_all_its_stages(self, client, scripted, wav):
        scripted.go.clear()
        job = client.post("/v1/jobs", files={"file": ("a.wav", wav())}).json()["id"]
        while not client.get(f"/v1/jobs/{job}").json()["stages"]:
            pass
        scripted.go.set()
        client.get(f"/v1/jobs/{job}/events").read()
        assert set(client.get(f"/v1/jobs/{job}").json()["stages"].values()) <= {1.0}

    def test_a_job_under_way_has_none_yet(self, client, scripted, wav):
        scripted.go.clear()
        job = client.post("/v1/jobs", files={"file": ("a.wav", wav())}).json()["id"]
        answer = client.get(f"/v1/jobs/{job}/transcript")
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "no_transcript"

    def test_every_format_has_the_edits(self, client, job):
        edit(client, job, RENAME)
        assert "Anna: " in client.get(f"{job}/result?format=txt").text
        assert "Anna" in client.get(f"{job}/result?format=rttm").text


class TestEditing:
    def test_operations_are_done_in_order_and_answered_with_the_result(self, client, job):
        answer = edit(client, job, RENAME, {"op": "replace", "first": 2, "stop": 4, "text": "Bonjour."})
        assert answer.status_code == 200
        assert answer.headers["etag"] == '"1"'
        document = answer.json()
        assert document["revision"] == 1
        assert words(document["transcript"]) == "Hello there. Bonjour."
        assert document["transcript"]["speakers"][0] == "Anna"
        assert client.get(f"{job}/transcript").json() == document["transcript"]
        assert client.get(job).json()["revision"] == 1

    def test_only_the_revision_where_no_more_is_wanted(self, client, job):
        answer = edit(client, job, RENAME, Prefer="return=minimal")
        assert answer.json() == {"revision": 1}
        assert answer.headers["preference-applied"] == "return=minimal"

    def test_who_read_an_older_revision_changes_nothing(self, client, job):
        edit(client, job, RENAME)
        answer = edit(client, job, {"op": "rename", "names": {"SPEAKER_01": "Ben"}})
        assert answer.status_code == 412
        assert answer.json()["error"] | {"message": ""} == {
            "message": "", "type": "invalid_request_error", "param": None, "code": "revision_conflict",
        }  # fmt: skip
        assert client.get(f"{job}/transcript").json()["speakers"] == ["Anna", "SPEAKER_01"]

    def test_of_two_at_once_one_is_kept_and_the_other_told(self, client, job):
        answers = []
        threads = [
            threading.Thread(
                target=lambda name=name: answers.append(
                    edit(client, job, {"op": "rename", "names": {"SPEAKER_00": name}}).status_code
                )
            )
            for name in ("Anna", "Ada", "Alma", "Aino")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200, 412, 412, 412]
        assert len(client.get(f"{job}/edits").json()["data"]) == 1

    @pytest.mark.parametrize("named", ["*", "0", 'W/"0"', '"nonsense"', '"0", "1"'])
    def test_the_revision_is_named_exactly(self, client, job, named):
        answer = client.post(f"{job}/edits", json={"operations": [RENAME]}, headers={"If-Match": named})
        assert answer.status_code == 412

    def test_without_a_revision_nothing_is_changed(self, client, job):
        answer = client.post(f"{job}/edits", json={"operations": [RENAME]})
        assert answer.status_code == 428
        assert answer.json()["error"]["code"] == "no_revision"

    def test_one_operation_that_cannot_be_done_undoes_all(self, client, job):
        answer = edit(client, job, RENAME, {"op": "split", "word": 99})
        assert answer.status_code in (400, 422)
        assert "Edit 2 " in answer.json()["error"]["message"]
        assert client.get(job).json()["revision"] == 0

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"{",
            b"\xff",
            b"null",
            b"{}",
            b'{"operations": {}}',
            b'{"operations": [{"op": "restore"}]}',
            b'{"operations": [], "undo": true}',
            b'{"operations": [], "revision": 3}',
            b'{"operations": ' + b"[" * 100_000,
        ],
    )
    def test_what_is_no_list_of_edits_is_refused(self, client, job, body):
        answer = client.post(f"{job}/edits", content=body, headers={"If-Match": '"0"'})
        assert answer.status_code == 422
        assert answer.json()["error"]["type"] == "invalid_request_error"

    def test_a_few_bytes_cannot_ask_for_endless_work(self, client, job):
        operations = [{"op": "rename", "names": {}}] * 100_000
        assert edit(client, job, *operations).status_code == 422


class TestUndoing:
    def test_edits_are_taken_back_and_done_again_exactly(self, client, job):
        def step(what, revision):
            answer = client.post(f"{job}/edits", json={what: True}, headers={"If-Match": f'"{revision}"'})
            assert answer.status_code == 200, answer.text
            return answer.json()["transcript"]

        first = client.get(f"{job}/transcript").json()
        second = edit(client, job, {"op": "replace", "first": 0, "stop": 2, "text": ""}).json()["transcript"]
        third = edit(client, job, {"op": "merge", "speakers": ["SPEAKER_01"], "into": "SPEAKER_00"}, revision=1)
        third = third.json()["transcript"]
        assert step("undo", 2) == second
        assert step("undo", 3) == first
        assert step("redo", 4) == second
        assert step("redo", 5) == third
        assert step("undo", 6) == second
        fourth = edit(client, job, RENAME | {"names": {"SPEAKER_01": "Ben"}}, revision=7).json()["transcript"]
        redo = client.post(f"{job}/edits", json={"redo": True}, headers={"If-Match": '"8"'})
        assert redo.status_code == 409
        assert redo.json()["error"]["code"] == "nothing_to_redo"
        assert client.get(f"{job}/transcript").json() == fourth
        assert step("undo", 8) == second
        assert step("undo", 9) == first
        undo = client.post(f"{job}/edits", json={"undo": True}, headers={"If-Match": '"10"'})
        assert undo.json()["error"]["code"] == "nothing_to_undo"

    def test_the_history_says_what_was_done(self, client, job):
        edit(client, job, RENAME)
        client.post(f"{job}/edits", json={"undo": True}, headers={"If-Match": '"1"'})
        history = client.get(f"{job}/edits").json()
        assert history["object"] == "list"
        assert [(entry["revision"], entry["kind"]) for entry in history["data"]] == [(1, "edit"), (2, "undo")]
        assert history["data"][0]["operations"] == [RENAME]
        assert history["data"][0]["at"] > 1.7e9


def test_a_plain_request_gets_what_was_heard_not_what_was_written(client, job, wav):
    edit(client, job, {"op": "replace", "first": 0, "stop": 4, "text": "Nonsense."})
    plain = client.post(
        "/v1/audio/transcriptions", files={"file": ("talk.wav", wav())}, data={"model": "diarist", "diarize": "true"}
    )
    assert plain.json()["text"] == "Hello there. Good morning."


class TestErasing:
    def test_what_edits_wrote_and_took_away_goes_with_the_job(self, client, job, tmp_path):
        edit(client, job, {"op": "replace", "first": 0, "stop": 1, "text": "Zwetschgenmus"})
        edit(client, job, {"op": "replace", "first": 0, "stop": 1, "text": "Marillenknoedel"}, revision=1)
        assert client.delete(job).status_code == 204
        for file in (tmp_path / "state").rglob("*"):
            found = file.read_bytes().lower() if file.is_file() else b""
            assert not any(word in found for word in (b"zwetschgenmus", b"marillenknoedel", b"morning")), file.name


class TestSpeakersAgain:
    def test_where_nothing_was_kept_it_is_said(self, client, job):
        answer = client.post(f"{job}/speakers", json={"num_speakers": 3}, headers={"If-Match": '"0"'})
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "no_evidence"
        assert "Submit the recording again" in answer.json()["error"]["message"]

    def test_words_only_have_no_speakers(self, client, wav):
        job = done(client, wav(), diarize="false")
        answer = client.post(f"{job}/speakers", json={"num_speakers": 3}, headers={"If-Match": '"0"'})
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "no_speakers"

    @pytest.mark.parametrize(
        "counts", [{"num_speakers": 0}, {"num_speakers": "3"}, {"min_speakers": 3, "max_speakers": 2}, {"speakers": 2}]
    )
    def test_counts_that_cannot_be_are_refused(self, client, job, counts):
        answer = client.post(f"{job}/speakers", json=counts, headers={"If-Match": '"0"'})
        assert answer.status_code in (400, 422)


class TestSearching:
    def test_words_are_found_with_their_place_after_edits_too(self, client, job):
        found = client.get("/v1/search", params={"q": "morning"}).json()
        assert found["object"] == "list"
        assert [hit["job"]["id"] for hit in found["data"]] == [job.rpartition("/")[2]]
        assert "morning" in found["data"][0]["text"]
        edit(client, job, {"op": "replace", "first": 3, "stop": 4, "text": "evening."})
        assert client.get("/v1/search", params={"q": "morning"}).json()["data"] == []
        assert len(client.get("/v1/search", params={"q": "good even"}).json()["data"]) == 1

    def test_it_is_said_what_is_missing(self, client):
        assert client.get("/v1/search").json()["error"]["param"] == "q"
        assert client.get("/v1/search?q=a&limit=0").json()["error"]["param"] == "limit"
        assert client.get("/v1/search?q=a&limit=x").json()["error"]["param"] == "limit"


@pytest.fixture(scope="module")
def real(start_module):
    return start_module(load("whisper-base", "embedded"))


@pytest.fixture(scope="module")
def call():
    """A telephone call between two people, 30 s."""
    return (ensure("sample-telephone") / "sample.wav").read_bytes()


@pytest.mark.models
@pytest.mark.slow
class TestRealSpeech:
    def test_another_number_of_speakers_is_what_a_whole_run_would_give(self, real, call):
        job = done(real, call)
        before = real.get(f"{job}/transcript").json()
        assert len(before["speakers"]) == 2
        answer = real.post(f"{job}/speakers", json={"num_speakers": 1}, headers={"If-Match": '"0"'})
        assert answer.status_code == 200, answer.text
        assert answer.headers["etag"] == '"1"'
        one = answer.json()["transcript"]
        assert one["speakers"] == ["SPEAKER_00"]
        assert words(one) == words(before)
        whole = real.get(f"{done(real, call, num_speakers=1)}/transcript").json()
        assert one | {"timings": {}} == whole | {"timings": {}}
        again = real.post(f"{job}/speakers", json={}, headers={"If-Match": '"1"'}).json()
        assert again["revision"] == 2
        assert again["transcript"] | {"timings": {}} == before | {"timings": {}}

    def test_edits_go_with_what_they_were_made_to(self, real, call):
        job = done(real, call)
        edit(real, job, {"op": "rename", "names": {"SPEAKER_00": "Anna"}})
        stale = real.post(f"{job}/speakers", json={"num_speakers": 1}, headers={"If-Match": '"0"'})
        assert stale.status_code == 412
        real.post(f"{job}/speakers", json={"num_speakers": 1}, headers={"If-Match": '"1"'})
        assert real.get(f"{job}/edits").json()["data"] == []
        assert real.get(f"{job}/result?format=diarist").json()["speakers"] == ["SPEAKER_00"]
