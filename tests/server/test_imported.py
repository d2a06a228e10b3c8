"""A transcript from a file becomes a job that is done, beside a copy of its recording."""

import json

import pytest

from diarist.jobs.sqlite_store import SQLiteJobStore
from diarist.model import codec
from diarist.model.errors import InputError
from diarist.model.transcript import Segment, Transcript, Word
from diarist.server.desk import Desk
from diarist.server.imported import take_in

TRANSCRIPT = Transcript(
    duration=2.0,
    language="en",
    speakers=("Ada",),
    segments=(Segment(0.0, 1.0, "Ada", "Hello", (Word(0.0, 1.0, "Hello", 0.9, "Ada"),)),),
    turns=(),
    models=(),
)


@pytest.fixture
def desk(tmp_path):
    store = SQLiteJobStore(tmp_path / "jobs.db")
    yield Desk(store, tmp_path / "audio")
    store.close()


@pytest.fixture
def recording(tmp_path, wav):
    path = tmp_path / "meeting.wav"
    path.write_bytes(wav())
    return path


def test_it_is_listed_as_done_with_its_recording(desk, recording):
    job_id = take_in(desk, TRANSCRIPT, "meeting.wav", recording)
    [job] = desk.store.list("")
    assert (job.id, job.state, job.name, job.seconds) == (job_id, "completed", "meeting.wav", 2.0)
    assert codec.load(Transcript, json.loads(desk.store.transcript(job_id))) == TRANSCRIPT
    recording.unlink()  # it is copied
    assert (desk.folder / job.audio).stat().st_size == job.audio_bytes > 0


def test_opened_again_it_still_has_its_corrections(desk, recording):
    first = take_in(desk, TRANSCRIPT, "meeting.wav", recording)
    corrected = desk.store.transcript(first).replace("Hello", "Hallo")
    desk.store.edit(first, "", if_match=0, operations="[]", transcript=corrected)
    assert take_in(desk, TRANSCRIPT, "meeting.wav", recording) == first
    assert "Hallo" in desk.store.transcript(first)
    assert len(list(desk.folder.iterdir())) == 1  # and no second copy


def test_another_transcript_of_the_recording_is_another_job(desk, recording):
    other = codec.load(Transcript, {**codec.dump(TRANSCRIPT), "language": "de"})
    assert take_in(desk, TRANSCRIPT, "a", recording) != take_in(desk, other, "a", recording)


def test_without_a_recording_the_text_is_there(desk):
    take_in(desk, TRANSCRIPT, "meeting", None)
    [job] = desk.store.list("")
    assert (job.state, job.audio) == ("completed", None)


def test_a_recording_that_is_gone_leaves_nothing(desk, tmp_path):
    with pytest.raises(InputError, match="Cannot copy"):
        take_in(desk, TRANSCRIPT, "meeting", tmp_path / "gone.wav")
    assert desk.store.list("") == ()
    assert not list(desk.folder.iterdir())
