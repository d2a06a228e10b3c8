"""Jobs are kept for as long as the policy says, and what is erased is found nowhere afterwards."""

import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.jobs import rows
from diarist.jobs.database import Database
from diarist.jobs.job import JobNotFoundError, Keep, NewJob, StoreError
from diarist.jobs.sqlite_store import SQLiteJobStore

HOUR, DAY = 3600.0, 86_400.0


def everything(folder):
    """All bytes of all files below a folder, by name."""
    return {path.name: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def files_with(folder, *needles):
    return {
        (name, needle)
        for name, content in everything(folder).items()
        for needle in needles
        if needle.encode() in content
    }


def test_audio_goes_before_text_and_both_when_it_is_time(open_store, clock, complete):
    store = open_store(audio=DAY, text=30 * DAY)
    job = complete(store, "Kept words.")
    assert job.expires == clock.now + 30 * DAY
    clock.now += DAY - 1
    assert store.expire() == ()
    clock.now += 1
    assert store.expire() == ("a1.mp3",)
    assert store.expire() == ()
    assert store.get(job.id).audio is None
    assert store.transcript(job.id)
    clock.now += 29 * DAY
    assert store.expire() == ()
    with pytest.raises(JobNotFoundError):
        store.get(job.id)


def test_a_recording_does_not_outlive_its_text(open_store, clock, complete):
    store = open_store(audio=None, text=HOUR)
    complete(store, "Words.")
    clock.now += HOUR
    assert store.expire() == ("a1.mp3",)
    assert store.list() == ()


def test_for_ever_is_for_ever_and_what_has_not_ended_stays(open_store, clock, complete, new_job):
    store = open_store()
    job = complete(store, "Words.")
    waiting, _ = open_store(audio=1.0, text=1.0).add(new_job(digest="w"))
    assert job.expires is None
    clock.now += 1e9
    assert store.expire() == ()
    open_store(audio=1.0, text=1.0).expire()
    assert [left.id for left in store.list()] == [waiting.id]


def test_another_policy_is_true_of_earlier_jobs(open_store, clock, complete):
    job = complete(open_store(text=30 * DAY), "Words.")
    clock.now += 2 * DAY
    stricter = open_store(text=DAY)
    assert stricter.get(job.id).expires == clock.now - DAY
    stricter.expire()
    assert stricter.list() == ()


def test_plain_requests_go_soon(open_store, clock, complete):
    store = open_store(text=DAY, transient=600)
    job = complete(store, "Words.", transient=True)
    assert job.expires == clock.now + 600
    clock.now += 600
    assert store.expire() == ("a1.mp3",)
    with pytest.raises(JobNotFoundError):
        store.get(job.id)


def test_nothing_kept_is_gone_with_the_answer(open_store, clock, complete, tmp_path):
    store = open_store(audio=0, text=0)
    job = complete(store, "Sibilant xylophones.")
    clock.now += HOUR
    assert store.expire() == ()
    assert store.transcript(job.id)
    assert store.collected(job.id) == ("a1.mp3",)
    with pytest.raises(JobNotFoundError):
        store.get(job.id)
    assert not files_with(tmp_path, "ibilant", "ylophone")
    assert store.collected(job.id) == (), "said twice"


def test_an_answer_that_nobody_collects_goes_after_a_day(open_store, clock, complete):
    store = open_store(audio=0, text=0)
    complete(store, "Words.")
    clock.now += DAY
    assert store.expire() == ("a1.mp3",)
    assert store.list() == ()


def test_only_audio_may_go_with_the_answer(open_store, complete):
    store = open_store(audio=0, text=DAY)
    job = complete(store, "Words.")
    assert store.collected(job.id) == ("a1.mp3",)
    assert store.transcript(job.id)
    assert store.collected(job.id) == ()


def test_what_is_kept_stays_when_it_is_collected(open_store, complete, new_job):
    store = open_store(audio=DAY, text=DAY)
    job = complete(store, "Words.")
    assert store.collected(job.id) == ()
    assert store.get(job.id).audio == "a1.mp3"
    waiting, _ = open_store(audio=0, text=0).add(new_job(digest="w"))
    assert open_store(audio=0, text=0).collected(waiting.id) == ()


def test_a_file_that_another_job_needs_is_not_named(store, complete, new_job):
    first, second = complete(store, "One."), complete(store, "Two.", digest="d2")
    assert store.audio() == {"a1.mp3"}
    assert store.delete(first.id) == ()
    assert store.delete(second.id) == ("a1.mp3",)
    assert store.audio() == frozenset()


def test_a_deleted_job_is_found_nowhere(open_store, complete, transcript, tmp_path):
    store = open_store()
    said = ("The heliotrope committee meets at Fensbury.", "Quinquagenarian budgets.")
    job = complete(
        store,
        *said,
        name="zanzibar-secrets.mp3",
        request='{"hotwords":"Wolverstone"}',
        webhook='{"url":"https://hook.example"}',
        idempotency_key="key-of-murgatroyd",
        parts={"transcription": b"heliotrope", "evidence": b"\xfe\xedvoiceprint" * 999},
    )
    store.edit(job.id, "key1", if_match=0, operations='["Ombersley"]', transcript=transcript("Ombersley meets."))
    store.edit(job.id, "key1", if_match=1, operations="[]", transcript=transcript("Nobody meets."))
    kept = complete(store, "The pelargonium committee.", digest="d2")
    secrets = {"eliotrope", "ensbury", "uinquagenarian", "zanzibar", "olverstone", "hook.example", "murgatroyd"}
    secrets |= {"mbersley", "voiceprint", job.id}
    assert {needle for _, needle in files_with(tmp_path, *secrets)} == secrets, "it was there before"
    store.delete(job.id)
    assert not files_with(tmp_path, *secrets)
    assert files_with(tmp_path, "elargonium")
    assert [hit.job.id for hit in store.search(None, "committee")] == [kept.id]
    store.close()
    assert not files_with(tmp_path, *secrets)


# Rows move between pages as others come and go, and leave copies; each job's words are its own.
@settings(max_examples=8, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 400), min_size=4, max_size=24),
    seed=st.randoms(use_true_random=False),
)
def test_no_word_of_any_deleted_job_is_left(tmp_path_factory, lengths, seed):
    folder = tmp_path_factory.mktemp("traces")
    store = SQLiteJobStore(folder / "jobs.sqlite3", keep=Keep(audio=None, text=None))
    jobs = {}
    for number, length in enumerate(lengths):
        words = " ".join(f"w{number}q{at}z" for at in range(length))
        job, _ = store.add(NewJob(owner="", request=words, digest=str(number)))
        document = f'{{"segments":[{{"text":"{words}"}}]}}'
        store.finish(store.lease(job.id, "w", 60), document, {"transcription": words.encode()})
        jobs[job.id] = number
    gone = seed.sample(sorted(jobs), len(jobs) // 2)
    for job_id in gone:
        store.delete(job_id)
    left = b"".join(everything(folder).values())
    assert not [job_id for job_id in gone if f"w{jobs[job_id]}q".encode() in left]
    assert all(f"w{jobs[job_id]}q0z".encode() in left for job_id in jobs if job_id not in gone)
    store.close()


def test_what_expired_is_found_nowhere(open_store, clock, complete, tmp_path):
    store = open_store(text=HOUR)
    complete(store, "Sibilant xylophones.")
    clock.now += HOUR
    store.expire()
    assert not files_with(tmp_path, "ibilant", "ylophone")


def test_traces_that_a_crash_left_go_with_the_next_expiry(open_store, complete, tmp_path, monkeypatch):
    store = open_store()
    job = complete(store, "Sibilant xylophones.")
    with monkeypatch.context() as broken:
        broken.setattr(Database, "scrub", lambda self: (_ for _ in ()).throw(StoreError("disk_full", "Full.")))
        assert store.delete(job.id) == ("a1.mp3",), "the file can go at least"
    assert files_with(tmp_path, "ylophone")
    open_store().expire()
    assert not files_with(tmp_path, "ibilant", "ylophone")


def test_copies_that_moving_rows_left_behind_go_too(open_store, tmp_path, monkeypatch):
    # Long keys in no order make the pages of an index split and join, and SQLite does not clean up after that: with
    # ``secure_delete`` alone, one of these keys is left (SQLite 3.40).
    store, chance, live, gone = open_store(), random.Random(8), {}, set()
    with monkeypatch.context() as unscrubbed:
        unscrubbed.setattr(rows, "new_id", lambda: f"{len(live) + len(gone):022}")  # the same pages each time
        unscrubbed.setattr(Database, "scrub", lambda self: None)
        for _ in range(400):
            if live and chance.random() < 0.45:
                job_id = chance.choice(list(live))
                store.delete(job_id)
                gone.add(live.pop(job_id))
            else:
                mark = f"{chance.random():.12f}"[2:]
                key = f"{mark}-" * chance.randint(1, 60)
                live[store.add(NewJob(owner="", request="", digest="", idempotency_key=key))[0].id] = mark
    store.expire()
    assert not files_with(tmp_path, *gone)
    assert {needle for _, needle in files_with(tmp_path, *live.values())} == set(live.values())


def test_a_reader_does_not_keep_traces_for_good(open_store, complete, tmp_path, monkeypatch):
    monkeypatch.setattr("diarist.jobs.database.BUSY_SECONDS", 0.1)
    store = open_store()
    job = complete(store, "Sibilant xylophones.")
    other = sqlite3.connect(tmp_path / "state" / "jobs.sqlite3", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM jobs").fetchone()
    store.delete(job.id)
    other.execute("ROLLBACK")
    other.close()
    store.expire()
    assert not files_with(tmp_path, "ibilant", "ylophone")


def test_the_oldest_recordings_make_room_first_then_the_oldest_jobs(store, clock, complete, new_job):
    jobs = []
    for number in range(3):
        jobs.append(complete(store, "Words " * 50, digest=str(number), audio=f"{number}.mp3", audio_bytes=1000).id)
        clock.now += 1
    waiting, _ = store.add(new_job(audio="w.mp3", audio_bytes=9999))
    assert store.evict(1500) == ("0.mp3", "1.mp3")
    assert store.usage().audio == 1000 + 9999
    assert store.evict(1100) == ("2.mp3",)
    assert [job.id for job in store.list()] == [waiting.id, *jobs[:0:-1]]
    assert store.evict(10**9) == ()
    assert [job.id for job in store.list()] == [waiting.id]
    assert store.evict(0) == ()


def test_usage_shrinks_with_what_is_deleted(store, complete):
    before = store.usage()
    job = complete(store, "Words.", audio_bytes=500, parts={"evidence": bytes(1 << 20)})
    used = store.usage()
    assert used.audio == 500
    assert used.database > before.database + (1 << 20)
    assert used.total == used.database + 500
    store.delete(job.id)
    assert store.usage().total < before.total + 100_000
