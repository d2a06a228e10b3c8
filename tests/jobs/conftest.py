"""A store of jobs with a clock that stands still, and transcripts to keep in it."""

import json
from dataclasses import replace

import pytest

from diarist.jobs.job import Keep, NewJob
from diarist.jobs.sqlite_store import SQLiteJobStore
from diarist.model.codec import dump
from diarist.model.transcript import Segment, Transcript, Word


class Clock:
    """Shows what a test says."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_store(tmp_path, clock):
    """Opens the same file again with each call, as another process would."""
    stores = []

    def opened(**kept):
        keep = Keep(**{"audio": None, "text": None, **kept})
        stores.append(SQLiteJobStore(tmp_path / "state" / "jobs.sqlite3", keep=keep, clock=clock))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


@pytest.fixture
def store(open_store):
    return open_store()


@pytest.fixture
def new_job():
    def made(**fields):
        job = NewJob(owner="key1", request='{"model":"auto"}', digest="d1", name="meeting.mp3", audio="a1.mp3")
        return replace(job, **fields)

    return made


@pytest.fixture
def transcript():
    """JSON of a transcript with these paragraphs, ten seconds each."""

    def made(*texts):
        segments = tuple(
            Segment(at, at + 10, "A", text, (Word(at, at + 10, text),))
            for at, text in zip(range(0, 10 * len(texts), 10), texts, strict=True)
        )
        return json.dumps(
            dump(
                Transcript(
                    duration=10.0 * len(texts), language="en", speakers=("A",), segments=segments, turns=(), models=()
                )
            ),
            ensure_ascii=False,
        )

    return made


@pytest.fixture
def complete(transcript, new_job):
    """Submits a job and completes it with paragraphs."""

    def completed(store, *texts, parts=None, **fields):
        job, _ = store.add(new_job(**fields))
        lease = store.lease(job.id, "w", 60)
        return store.finish(lease, transcript(*texts), parts)

    return completed
