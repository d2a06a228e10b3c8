"""Jobs are kept, leased, ended, edited and erased, each in one transaction."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from diarist.jobs.job import Conflict, JobNotFoundError, LeaseLostError, Load
from diarist.jobs.wire_errors import read_error, write_error
from diarist.model.errors import EngineError, InputError

HELD = 60.0


def test_what_was_accepted_is_there_for_the_next_process(open_store, new_job):
    job, is_new = open_store().add(new_job(seconds=12.5, audio_bytes=99))
    assert is_new
    assert len(job.id) == 22
    again = open_store().get(job.id, "key1")
    assert again == job
    assert (again.state, again.name, again.audio, again.seconds) == ("queued", "meeting.mp3", "a1.mp3", 12.5)
    assert (again.created, again.started, again.ended, again.expires) == (1_000_000.0, None, None, None)


def test_jobs_wait_in_order_of_arrival_and_a_lease_takes_one_out(store, new_job):
    first, second, third = (store.add(new_job(digest=d))[0] for d in "abc")
    lease = store.lease(second.id, "w", HELD)
    assert [job.id for job in store.queued()] == [first.id, third.id]
    assert (lease.job.state, lease.job.attempts, lease.until) == ("running", 1, 1_000_060.0)
    assert store.lease(second.id, "another", HELD) is None
    assert store.lease("no-such-job-at-all-000", "w", HELD) is None


def test_a_result_comes_with_its_state(store, new_job, transcript):
    job, _ = store.add(new_job())
    lease = store.lease(job.id, "w", HELD)
    with pytest.raises(InputError) as refused:
        store.transcript(job.id)
    assert (refused.value.code, refused.value.http_status) == ("no_transcript", 409)
    done = store.finish(lease, transcript("Good morning."), {"evidence": b"\0\1"})
    assert done.state == store.get(job.id).state == "completed"
    assert store.transcript(job.id) == transcript("Good morning.")
    assert store.parts(job.id) == {"evidence": b"\0\1"}


def test_parts_are_kept_when_their_leg_ends_and_found_by_the_next_attempt(open_store, clock, new_job):
    store = open_store()
    job, _ = store.add(new_job())
    store.keep(store.lease(job.id, "w", HELD), "transcription", b"words")
    clock.now += HELD
    again = open_store()
    assert [waiting.id for waiting in again.queued()] == [job.id]
    lease = again.lease(job.id, "w2", HELD)
    assert again.parts(job.id) == {"transcription": b"words"}
    again.keep(lease, "transcription", b"other words")
    assert again.parts(job.id) == {"transcription": b"other words"}


def test_progress_is_by_stage_and_begins_anew_with_each_attempt(store, new_job):
    job, _ = store.add(new_job())
    lease = store.lease(job.id, "w", HELD)
    store.progress(lease, {"transcription": 0.25})
    store.progress(lease, {"diarization": 0.5})
    store.progress(lease, {"transcription": 0.75})
    assert store.get(job.id).progress == {"transcription": 0.75, "diarization": 0.5}
    store.hand_back(lease)
    assert store.lease(job.id, "w", HELD).job.progress == {}


def test_what_is_found_out_about_a_recording_is_kept(store, new_job):
    job, _ = store.add(new_job(audio=None))
    lease = store.lease(job.id, "w", HELD)
    store.describe(lease, audio="fetched.mp3", audio_bytes=5)
    store.describe(lease, seconds=61.0)
    found = store.get(job.id)
    assert (found.audio, found.audio_bytes, found.seconds) == ("fetched.mp3", 5, 61.0)


@pytest.mark.parametrize("how", ["taken over", "cancelled", "deleted", "completed", "failed", "handed back"])
def test_a_stale_lease_changes_nothing(store, clock, new_job, transcript, how):
    job, _ = store.add(new_job())
    lease = store.lease(job.id, "w", HELD)
    match how:
        case "taken over":
            clock.now += HELD
            store.queued()
            store.lease(job.id, "w2", HELD)
        case "cancelled":
            store.cancel(job.id)
        case "deleted":
            store.delete(job.id)
        case "completed":
            store.finish(lease, transcript("Mine."))
        case "failed":
            store.fail(lease, "{}")
        case "handed back":
            store.hand_back(lease)
    jobs, parts = store.list(), [store.parts(job.id) for job in store.list()]
    attempts = [
        lambda: store.renew(lease, HELD),
        lambda: store.progress(lease, {"decode": 1.0}),
        lambda: store.describe(lease, seconds=1.0),
        lambda: store.keep(lease, "transcription", b"stale"),
        lambda: store.finish(lease, transcript("Stale."), {"evidence": b"stale"}),
        lambda: store.fail(lease, "{}"),
        lambda: store.hand_back(lease),
    ]
    for attempt in attempts:
        with pytest.raises(LeaseLostError):
            attempt()
    assert store.list() == jobs
    assert [store.parts(job.id) for job in jobs] == parts
    assert store.search(None, "stale") == ()


def test_a_lease_that_ran_out_is_good_until_somebody_takes_its_job(store, clock, new_job, transcript):
    job, _ = store.add(new_job())
    lease = store.lease(job.id, "w", HELD)
    clock.now += 10 * HELD
    assert store.renew(lease, HELD).until == clock.now + HELD
    assert store.queued() == ()
    assert store.finish(lease, transcript("Late.")).state == "completed"


def test_a_job_that_ends_its_worker_is_given_up_after_three_attempts(store, clock, new_job):
    job, _ = store.add(new_job(webhook="{}"))
    for _ in range(3):
        assert [waiting.id for waiting in store.queued()] == [job.id]
        store.lease(job.id, "w", HELD)
        clock.now += HELD
    assert store.queued() == ()
    failed = store.get(job.id)
    assert (failed.state, failed.attempts, failed.ended) == ("failed", 3, clock.now)
    error = read_error(failed.error, "here")
    assert (error.code, error.http_status) == ("crashed", 422)
    assert error.hint
    assert [call.state for call in store.due()] == ["failed"]


def test_what_is_handed_back_does_not_count_as_an_attempt(store, new_job):
    job, _ = store.add(new_job())
    for _ in range(5):
        store.hand_back(store.lease(job.id, "w", HELD))
    assert store.get(job.id).state == "queued"
    assert store.lease(job.id, "w", HELD).job.attempts == 1


def test_a_server_that_starts_again_puts_back_what_it_held(store, new_job):
    mine, others = (store.add(new_job(digest=d))[0] for d in "ab")
    store.lease(mine.id, "this", HELD)
    store.lease(others.id, "another", HELD)
    assert store.release("this") == 1
    assert [job.id for job in store.queued()] == [mine.id]
    for _ in range(2):
        store.lease(mine.id, "this", HELD)
        store.release("this")
    assert store.get(mine.id).state == "failed"


def test_a_failure_is_kept_as_it_was_written(store, new_job):
    job, _ = store.add(new_job())
    error = write_error(EngineError("broken", "It broke.", "Mend it."))
    assert store.fail(store.lease(job.id, "w", HELD), error).error == error
    assert store.get(job.id).state == "failed"


@pytest.mark.parametrize("is_running", [False, True])
def test_cancelling_ends_a_job_at_once(store, new_job, is_running):
    job, _ = store.add(new_job())
    if is_running:
        store.lease(job.id, "w", HELD)
    assert store.cancel(job.id, "key1").state == "cancelled"
    assert store.queued() == ()


def test_what_has_ended_is_not_cancelled_any_more(store, complete):
    job = complete(store, "Done.")
    assert store.cancel(job.id) == job


def test_the_same_key_is_the_same_job_and_other_work_is_refused(store, new_job):
    job, _ = store.add(new_job(idempotency_key="k"))
    assert store.add(new_job(idempotency_key="k", audio="uploaded-again.mp3")) == (job, False)
    with pytest.raises(InputError) as refused:
        store.add(new_job(idempotency_key="k", digest="other"))
    assert (refused.value.code, refused.value.http_status) == ("idempotency_mismatch", 422)
    of_another, is_new = store.add(new_job(idempotency_key="k", digest="other", owner="key2"))
    assert is_new
    assert of_another.id != job.id


def test_a_key_lives_as_long_as_its_job(store, new_job):
    job, _ = store.add(new_job(idempotency_key="k"))
    store.delete(job.id)
    assert store.add(new_job(idempotency_key="k", digest="other"))[1]


@pytest.mark.parametrize("state", ["queued", "running", "completed"])
def test_identical_plain_requests_share_a_job(store, new_job, transcript, state):
    job, _ = store.add(new_job(transient=True))
    if state != "queued":
        lease = store.lease(job.id, "w", HELD)
    if state == "completed":
        store.finish(lease, transcript("Done."))
    joined, is_new = store.add(new_job(transient=True, audio="again.mp3"))
    assert (joined.id, joined.state, is_new) == (job.id, state, False)


def test_nobody_joins_what_failed_was_cancelled_or_is_anothers(store, new_job):
    failed, _ = store.add(new_job(transient=True))
    store.fail(store.lease(failed.id, "w", HELD), "{}")
    cancelled, is_new = store.add(new_job(transient=True))
    assert is_new
    store.cancel(cancelled.id)
    assert store.add(new_job(transient=True))[1]
    assert store.add(new_job(transient=True, owner="key2"))[1]
    assert store.add(new_job(transient=True, digest="other"))[1]


def test_nobody_joins_what_was_changed_since(store, new_job, transcript):
    job, _ = store.add(new_job())
    store.finish(store.lease(job.id, "w", HELD), transcript("Good mourning."))
    assert store.add(new_job(transient=True))[0].id == job.id
    store.edit(job.id, job.owner, if_match=0, operations="[]", transcript=transcript("Good morning."))
    other, is_new = store.add(new_job(transient=True))
    assert is_new
    assert other.id != job.id


def test_a_listed_job_joins_none_and_a_plain_request_joins_it(store, new_job):
    job, _ = store.add(new_job())
    other, is_new = store.add(new_job())
    assert is_new
    assert store.add(new_job(transient=True))[0].id in (job.id, other.id)


def test_others_jobs_are_not_there(store, complete):
    job = complete(store, "Mine.")
    calls = [
        lambda: store.get(job.id, "key2"),
        lambda: store.cancel(job.id, "key2"),
        lambda: store.delete(job.id, "key2"),
        lambda: store.transcript(job.id, "key2"),
        lambda: store.history(job.id, "key2"),
        lambda: store.list("key2", before=job.id),
        lambda: store.edit(job.id, "key2", if_match=0, operations="[]", transcript="{}"),
        lambda: store.replace_transcript(job.id, "key2", if_match=0, transcript="{}"),
        lambda: store.get("no-such-job"),
        lambda: store.get("\ud800' OR 1=1 --"),
        lambda: store.parts("x" * 22),
    ]
    for call in calls:
        with pytest.raises(JobNotFoundError) as unknown:
            call()
        assert (unknown.value.code, unknown.value.http_status) == ("job_not_found", 404)
        assert "\n" not in str(unknown.value)
    assert store.list("key2") == ()
    assert store.search("key2", "mine") == ()
    assert store.transcript(job.id, "key1")


def test_a_job_without_keys_has_an_owner_like_any_other(store, new_job):
    job, _ = store.add(new_job(owner=""))
    assert store.get(job.id, "") == job
    with pytest.raises(JobNotFoundError):
        store.get(job.id, "key1")


def test_lists_are_newest_first_by_pages_and_by_state_without_plain_requests(store, new_job, complete):
    jobs = [store.add(new_job(digest=str(number)))[0].id for number in range(5)]
    store.add(new_job(digest="t", transient=True))
    store.add(new_job(owner="key2"))
    page = store.list("key1", limit=2)
    assert [job.id for job in page] == jobs[:-3:-1]
    assert [job.id for job in store.list("key1", before=page[-1].id)] == jobs[2::-1]
    assert len(store.list()) == 6
    done = complete(store, "Done.")
    assert [job.id for job in store.list("key1", state="completed")] == [done.id]


def test_the_load_is_counted_by_owner(store, new_job):
    for seconds in (10.0, None, 20.5):
        running, _ = store.add(new_job(seconds=seconds, digest=str(seconds)))
    store.add(new_job(owner="key2", seconds=1.0, transient=True))
    store.lease(running.id, "w", HELD)
    assert store.load() == {
        "key1": Load(queued=2, running=1, seconds_queued=10.0),
        "key2": Load(queued=1, running=0, seconds_queued=1.0),
    }
    store.cancel(running.id)
    assert store.load()["key1"].running == 0


def test_edits_count_up_and_what_was_computed_stays(store, complete, transcript):
    job = complete(store, "Good mourning.")
    edited = transcript("Good morning.")
    assert store.edit(job.id, "key1", if_match=0, operations='[{"op":"replace"}]', transcript=edited) == 1
    assert store.get(job.id).revision == 1
    assert store.transcript(job.id) == edited
    assert store.transcript(job.id, edited=False) == transcript("Good mourning.")
    assert [(edit.revision, edit.operations) for edit in store.history(job.id)] == [(1, '[{"op":"replace"}]')]


def test_two_tabs_do_not_overwrite_each_other(store, complete, transcript):
    job = complete(store, "One.")
    store.edit(job.id, "key1", if_match=0, operations="[]", transcript=transcript("Two."))
    with pytest.raises(Conflict) as conflict:
        store.edit(job.id, "key1", if_match=0, operations="[]", transcript=transcript("Three."))
    assert (conflict.value.http_status, conflict.value.revision) == (412, 1)
    assert store.transcript(job.id) == transcript("Two.")
    assert len(store.history(job.id)) == 1


def test_only_what_is_completed_can_be_edited(store, new_job, transcript):
    job, _ = store.add(new_job())
    with pytest.raises(InputError) as refused:
        store.edit(job.id, "key1", if_match=0, operations="[]", transcript=transcript("One."))
    assert refused.value.code == "no_transcript"


def test_another_number_of_speakers_begins_a_new_history_at_a_new_revision(store, complete, transcript):
    job = complete(store, "One.", parts={"diarization": b"two", "transcription": b"words"})
    store.edit(job.id, "key1", if_match=0, operations="[]", transcript=transcript("Two."))
    again = transcript("One.", "Again.")
    assert store.replace_transcript(job.id, "key1", if_match=1, transcript=again, parts={"diarization": b"three"}) == 2
    assert store.transcript(job.id) == store.transcript(job.id, edited=False) == again
    assert store.history(job.id) == ()
    assert store.parts(job.id) == {"diarization": b"three", "transcription": b"words"}
    with pytest.raises(Conflict):
        store.replace_transcript(job.id, "key1", if_match=1, transcript=again)


def test_a_transcript_that_is_none_is_refused_whole(store, complete, new_job):
    job = complete(store, "One.")
    with pytest.raises(InputError) as refused:
        store.edit(job.id, "key1", if_match=0, operations="[]", transcript="not JSON")
    assert refused.value.code == "bad_document"
    assert store.get(job.id).revision == 0


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled"])
def test_a_call_is_due_as_soon_as_its_job_ended(store, clock, new_job, transcript, how):
    job, _ = store.add(new_job(webhook='{"url":"https://example.org"}'))
    lease = store.lease(job.id, "w", HELD)
    assert store.due() == ()
    match how:
        case "completed":
            store.finish(lease, transcript("Done."))
        case "failed":
            store.fail(lease, "{}")
        case "cancelled":
            store.cancel(job.id)
    (call,) = store.due()
    assert (call.job, call.state, call.tries, call.ended) == (job.id, how, 0, clock.now)
    assert json.loads(call.webhook) == {"url": "https://example.org"}


def test_a_call_is_tried_again_until_it_arrives(store, clock, complete):
    complete(store, "Done.", webhook="{}")
    (first,) = store.due(hold=30)
    assert store.due() == (), "somebody is at it"
    clock.now += 30
    (after_a_crash,) = store.due()
    assert after_a_crash == first
    store.retry_at(first.id, clock.now + 300)
    assert store.due() == ()
    clock.now += 300
    (second,) = store.due()
    assert (second.id, second.tries) == (first.id, 1)
    store.delivered(first.id)
    clock.now += 1e6
    assert store.due() == ()


def test_a_call_that_is_given_up_is_forgotten(store, clock, complete):
    complete(store, "Done.", webhook="{}")
    store.dropped(store.due()[0].id)
    clock.now += 1e6
    assert store.due() == ()


def test_threads_share_a_store(store, new_job, transcript):
    jobs = [store.add(new_job(digest=str(number)))[0].id for number in range(12)]

    def work(name):
        finished = []
        while waiting := store.queued():
            for job in waiting:
                if lease := store.lease(job.id, name, HELD):
                    store.keep(lease, "transcription", name.encode())
                    store.finish(lease, transcript(f"From {name}."))
                    finished.append(job.id)
        return finished

    with ThreadPoolExecutor(4) as pool:
        finished = [job for done in pool.map(work, "abcd") for job in done]
    assert sorted(finished) == sorted(jobs)
