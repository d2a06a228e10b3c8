"""Whatever is done to jobs, in any order, each has one life: one holder at a time, three attempts, one end."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from diarist.jobs.job import JobNotFoundError, Keep, LeaseLostError, NewJob
from diarist.jobs.sqlite_store import SQLiteJobStore

HELD = 10.0
KEPT = 1000.0
ENDED = ("completed", "failed", "cancelled")


class Expected:
    """What a job should be, in a few words."""

    def __init__(self):
        self.state, self.attempts, self.token, self.until, self.parts, self.ended = "queued", 0, None, 0.0, set(), 0.0

    def end(self, state, now):
        self.state, self.token, self.ended = state, None, now

    def lose_worker(self, now):
        if self.attempts == 3:
            self.end("failed", now)
        else:
            self.state, self.token = "queued", None


class LifeOfJobs(RuleBasedStateMachine):
    jobs = Bundle("jobs")
    leases = Bundle("leases")

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.now = 0.0
        self.stores = [self.opened(), self.opened()]
        self.expected = {}
        self.calls = 0

    def opened(self):
        keep = Keep(audio=None, text=KEPT)
        return SQLiteJobStore(self.folder / "jobs.sqlite3", keep=keep, clock=lambda: self.now)

    def teardown(self):
        for store in self.stores:
            store.close()
        shutil.rmtree(self.folder)

    @property
    def store(self):
        """Two processes take turns."""
        self.calls += 1
        return self.stores[self.calls % 2]

    def held(self, lease, act):
        """Do something with a lease: it works for the holder, and is refused to all others."""
        expected = self.expected.get(lease.job.id)
        if expected is None or expected.token != lease.token:
            with pytest.raises(LeaseLostError):
                act()
            return None
        act()
        return expected

    @rule(target=jobs)
    def submit(self):
        job, is_new = self.store.add(NewJob(owner="", request="{}", digest="", webhook="{}"))
        assert is_new
        self.expected[job.id] = Expected()
        return job.id

    def taken(self, job):
        """A lease, if the job waits."""
        lease = self.store.lease(job, "w", HELD)
        expected = self.expected.get(job)
        assert (lease is not None) == (expected is not None and expected.state == "queued")
        if lease:
            expected.state, expected.token, expected.until = "running", lease.token, self.now + HELD
            expected.attempts += 1
            assert lease.job.attempts == expected.attempts <= 3
        return lease

    @rule(target=leases, job=jobs)
    def take(self, job):
        lease = self.taken(job)
        return multiple(lease) if lease else multiple()

    @rule(target=leases, job=jobs, times=st.integers(1, 4))
    def lose_workers(self, job, times):
        leases = []
        for _ in range(times):
            if lease := self.taken(job):
                leases.append(lease)
                self.now += HELD
                self.look_for_work()
        return multiple(*leases)

    @rule(lease=leases)
    def renew(self, lease):
        if expected := self.held(lease, lambda: self.store.renew(lease, HELD)):
            expected.until = self.now + HELD

    @rule(lease=leases, part=st.sampled_from(["transcription", "diarization"]))
    def keep(self, lease, part):
        if expected := self.held(lease, lambda: self.store.keep(lease, part, lease.token.encode())):
            expected.parts.add(part)

    @rule(lease=leases)
    def finish(self, lease):
        if expected := self.held(lease, lambda: self.store.finish(lease, f'{{"by":"{lease.token}"}}')):
            expected.end("completed", self.now)

    @rule(lease=leases)
    def fail(self, lease):
        if expected := self.held(lease, lambda: self.store.fail(lease, "{}")):
            expected.end("failed", self.now)

    @rule(lease=consumes(leases))
    def hand_back(self, lease):
        if expected := self.held(lease, lambda: self.store.hand_back(lease)):
            expected.state, expected.token = "queued", None
            expected.attempts -= 1

    @rule(job=jobs)
    def cancel(self, job):
        if (expected := self.expected.get(job)) is None:
            with pytest.raises(JobNotFoundError):
                self.store.cancel(job)
            return
        if expected.state not in ENDED:
            expected.end("cancelled", self.now)
        assert self.store.cancel(job).state == expected.state

    @rule(job=consumes(jobs))
    def delete(self, job):
        if self.expected.pop(job, None):
            self.store.delete(job)

    @rule(seconds=st.sampled_from([1.0, HELD, KEPT]))
    def pass_time(self, seconds):
        self.now += seconds

    @rule()
    def look_for_work(self):
        for expected in self.expected.values():
            if expected.state == "running" and expected.until <= self.now:
                expected.lose_worker(self.now)
        waiting = [job for job, expected in self.expected.items() if expected.state == "queued"]
        assert [job.id for job in self.store.queued()] == waiting

    @rule()
    def expire(self):
        self.store.expire()
        self.expected = {
            job: expected
            for job, expected in self.expected.items()
            if expected.state not in ENDED or expected.ended + KEPT > self.now
        }

    @rule()
    def start_again(self):
        self.stores[0].close()
        self.stores[0] = self.opened()

    @invariant()
    def every_job_is_as_expected(self):
        listed = {job.id: job for job in self.store.list(limit=1000)}
        assert set(listed) == set(self.expected)
        for job, expected in self.expected.items():
            assert (listed[job].state, listed[job].attempts) == (expected.state, expected.attempts)
            assert set(self.store.parts(job)) == expected.parts

    @invariant()
    def there_is_one_call_for_each_end(self):
        with self.stores[1]._database.reading() as db:
            calls = db.execute("SELECT jobs.id FROM webhooks JOIN jobs ON seq = job ORDER BY 1").fetchall()
        assert [row[0] for row in calls] == sorted(
            job for job, expected in self.expected.items() if expected.state in ENDED
        )


TestLifeOfJobs = LifeOfJobs.TestCase
TestLifeOfJobs.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
