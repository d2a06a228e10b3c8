"""How jobs share the machine: simulated window by window on a scripted clock, then with real threads."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.jobs.turns import Book, Claim, Job, Turns, whose_turn
from diarist.model.errors import Cancelled, EngineError
from diarist.model.options import Options
from diarist.model.transcript import Diarization, ModelInfo, Transcription
from diarist.pipelines.bridge import in_thread
from diarist.pipelines.local import LocalPipeline
from diarist.weights.fetch import ensure

WINDOW = 3.0  # seconds of computing for each window of 25 s of audio


@dataclass(eq=False)
class Run:
    """A job of a simulation, and what became of it."""

    owner: str
    seconds: float
    comes: float = 0.0
    job: Job = field(init=False)
    windows: int = 0
    first: float | None = None
    ended: float | None = None
    computed: float = 0.0
    gap: float = 0.0
    stopped: float = 0.0

    def __post_init__(self):
        self.job = Job(self.owner, self.seconds)
        self.windows = max(1, -(-int(self.seconds) // 25))
        self.stopped = self.comes

    @property
    def waited(self):
        """For its first window."""
        return self.first - self.comes


def simulate(*runs, until=float("inf"), window=WINDOW):
    """Compute windows in the order that the book says, one at a time, on a clock that only windows move."""
    book, now, coming = Book(), 0.0, sorted(runs, key=lambda run: run.comes)
    here, done = [], dict.fromkeys(runs, 0)
    while (coming or here) and now < until:
        if not here:
            now = max(now, coming[0].comes)
        while coming and coming[0].comes <= now:
            here.append(coming.pop(0))
            book.ask(here[-1].job, max(here[-1].comes, 0.0))
        (run,) = (run for run in here if book.has_turn(run.job))
        run.first = now if run.first is None else run.first
        run.gap = max(run.gap, now - run.stopped)
        ends = now + window
        while coming and coming[0].comes < ends:  # they come while it computes
            here.append(coming.pop(0))
            book.ask(here[-1].job, here[-1].comes)
        now = run.stopped = ends
        run.computed += window
        done[run] += 1
        run.job.done["transcription"] = done[run] / run.windows
        if done[run] == run.windows:
            run.ended = now
            here.remove(run)
            book.leave(run.job, now)
        else:
            book.ask(run.job, now)
    return now


HOUR = 3600.0


class TestASimulatedMachine:
    @pytest.mark.parametrize("owner", ["one", "another"])
    @pytest.mark.parametrize("comes", [0.5, 7.0, 100.0, 400.0])
    def test_a_clip_beside_an_hour_waits_for_one_window_at_most(self, owner, comes):
        hour, clip = Run("one", HOUR), Run(owner, 10, comes)
        simulate(hour, clip)
        assert clip.waited <= WINDOW
        assert clip.ended - clip.comes <= 2 * WINDOW
        assert hour.ended == (hour.windows + 1) * WINDOW  # nothing is lost by taking turns

    def test_owners_share_evenly_though_one_queues_ten_times_as_much(self):
        modest, greedy = Run("modest", HOUR), [Run("greedy", HOUR) for _ in range(10)]
        simulate(modest, *greedy, until=300.0)
        assert modest.computed == pytest.approx(sum(run.computed for run in greedy), abs=WINDOW)

    def test_three_owners_have_a_third_each(self):
        runs = [Run("a", HOUR), Run("b", HOUR), *(Run("c", HOUR) for _ in range(5))]
        simulate(*runs, until=450.0)
        assert [runs[0].computed, runs[1].computed, sum(run.computed for run in runs[2:])] == [150.0] * 3

    def test_an_owners_short_jobs_go_before_its_long_ones(self):
        long, middle, short = Run("a", 900), Run("a", 300), Run("a", 30)
        simulate(long, middle, short)
        assert short.ended < middle.ended < long.ended
        assert short.ended == WINDOW + short.windows * WINDOW  # all came at once, and the first began

    def test_what_is_left_counts_not_how_long_it_was(self):
        nearly, fresh = Run("a", 100), Run("a", 60, comes=2.5 * WINDOW)
        simulate(nearly, fresh)
        assert nearly.ended < fresh.ended

    def test_a_long_job_goes_on_beside_an_endless_queue_of_short_ones(self):
        long, short = Run("a", 900), [Run("a", 20, comes=WINDOW * number) for number in range(2000)]
        simulate(long, *short)
        assert long.ended < short[-1].ended
        # They come as fast as they are done, so for each of its windows one more of them waits, in its turn, beside it.
        assert long.gap <= 30 + WINDOW * (1 + long.windows)

    def test_nobody_starves_beside_owners_that_come_and_go(self):
        """Whoever leaves and comes back has not saved up anything, nor forgotten what it used."""
        long = Run("a", 900)
        short = [Run("bc"[number % 2], 20, comes=1 + WINDOW * number) for number in range(400)]
        simulate(long, *short)
        assert long.gap <= 3 * WINDOW
        assert long.ended < short[200].ended

    def test_who_was_away_has_saved_up_nothing(self):
        early, late = Run("early", HOUR), Run("late", HOUR, comes=200.0)
        simulate(early, late, until=300.0)
        assert late.computed == pytest.approx(50, abs=WINDOW)

    def test_who_computed_alone_owes_nothing(self):
        early, late, again = Run("early", 1250), Run("late", HOUR, comes=149.0), Run("early", HOUR, comes=160.0)
        simulate(early, late, again, until=400.0)
        assert again.computed == pytest.approx(120, abs=2 * WINDOW)

    def test_a_job_alone_never_waits(self):
        alone = Run("a", HOUR)
        simulate(alone)
        assert alone.ended == alone.windows * WINDOW

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.builds(
                Run, st.sampled_from("abc"), st.integers(1, 400).map(float), st.floats(0, 100, allow_subnormal=False)
            ),
            min_size=1,
            max_size=12,
        )
    )
    def test_whatever_comes_all_of_it_is_done_and_no_turn_is_idle(self, runs):
        runs = [Run(run.owner, run.seconds, run.comes) for run in runs]
        ended = simulate(*runs)
        assert all(run.ended is not None for run in runs)
        assert sum(run.computed for run in runs) == sum(run.windows for run in runs) * WINDOW
        assert ended <= max(run.comes for run in runs) + sum(run.computed for run in runs) + 1e-6
        assert max(run.gap for run in runs) <= sum(run.computed for run in runs)

    def test_no_memory_is_kept_of_owners_that_are_gone(self):
        book = Book()
        for number in range(1000):
            job = Job(f"owner {number}", 10)
            book.ask(job, number)
            book.leave(job, number + 0.5)
        assert not vars(book)["_used"]

    def test_several_slots_compute_side_by_side(self):
        book, jobs = Book(2), [Job("a", 30), Job("a", 20), Job("b", 10)]
        for job in jobs:
            book.ask(job, 0)
        assert [book.has_turn(job) for job in jobs] == [True, True, False]
        book.ask(jobs[0], 3)
        assert [book.has_turn(job) for job in jobs] == [False, True, True]


class TestABook:
    @pytest.fixture
    def jobs(self):
        return {name: Job(name[0], seconds) for name, seconds in (("a", 300), ("b", 400), ("c", 200), ("a2", 500))}

    @pytest.fixture
    def book(self, jobs):
        """At second 17, a has used 3 s and waits, b has used 10 s and waits, c has used 4 s and computes."""
        book = Book()
        for name, now in (("c", 0), ("a", 0), ("b", 0), ("c", 3), ("a", 6), ("b", 16)):
            book.ask(jobs[name], now)
        assert book.has_turn(jobs["c"])
        return book

    def test_an_owner_that_waits_loses_nothing_when_another_of_its_jobs_comes(self, book, jobs):
        book.ask(jobs["a2"], 17)
        book.ask(jobs["c"], 19)
        assert book.has_turn(jobs["a"])

    def test_a_newcomer_begins_where_the_one_is_that_has_used_least_of_those_who_wait(self, book, jobs):
        newcomer = Job("d", 10)
        book.ask(newcomer, 17)
        book.ask(jobs["c"], 19)
        assert book.has_turn(newcomer)
        book.ask(newcomer, 19.1)
        assert book.has_turn(jobs["a"])


class TestWhoseTurn:
    def test_the_owner_that_used_least_comes_first(self):
        assert whose_turn([Claim("a", 5, 1, 0), Claim("b", 4, 900, 0)]) == 1

    def test_then_the_job_with_least_left(self):
        assert whose_turn([Claim("a", 5, 60, 0), Claim("a", 5, 30, 0), Claim("b", 5, 45, 0)]) == 1

    def test_unless_one_of_its_owner_has_waited_for_half_a_minute(self):
        assert whose_turn([Claim("a", 5, 900, 30), Claim("a", 5, 30, 29.9)]) == 0
        assert whose_turn([Claim("b", 6, 900, 300), Claim("a", 5, 30, 0)]) == 1

    def test_between_equals_the_first_that_came(self):
        assert whose_turn([Claim("a", 0, 10, 0), Claim("b", 0, 10, 0)]) == 0


class Clock:
    """Moves when it is told to, and tells which named thread looked at it, which is always before that thread waits."""

    def __init__(self):
        self.now = 0.0
        self.looked = {}

    def __call__(self):
        if (event := self.looked.get(threading.current_thread().name)) is not None:
            event.set()
        return self.now


class Leg(threading.Thread):
    """A thread that reports as an engine does."""

    def __init__(self, clock, progress, *reports):
        self.looked = threading.Event()
        super().__init__(name=f"leg {id(self)}", daemon=True)
        clock.looked[self.name] = self.looked
        self.progress, self.reports, self.error = progress, reports, None
        self.start()

    def run(self):
        try:
            for report in self.reports:
                self.progress(*report)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def is_waiting(self):
        """Once it has asked for its turn, it has either got it and ended, or waits."""
        assert self.looked.wait(10)
        return True

    def ended(self):
        self.join(10)
        assert not self.is_alive()
        return self.error


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def turns(clock):
    return Turns(clock=clock)


class TestThreads:
    def test_a_report_waits_until_another_job_has_computed_a_window(self, turns, clock):
        told = []
        with turns.ticket("a", 3600) as long, turns.ticket("b", 10) as short:
            long.progress()("transcription", 0.0)
            leg = Leg(clock, short.progress(lambda *report: told.append(report)), ("transcription", 0.0))
            assert leg.is_waiting()
            assert told == [("transcription", 0.0)]  # who looks on is told at once
            clock.now = 3.0
            back = Leg(clock, long.progress(), ("transcription", 0.01))
            assert leg.ended() is None
            assert back.is_waiting()
            assert back.is_alive()
            short.progress()("transcription", 1.0)
            assert back.ended() is None

    def test_both_legs_of_a_job_wait_and_go_on_together(self, turns, clock):
        with turns.ticket("a", 3600) as one, turns.ticket("b", 10) as other:
            one.progress()("transcription", 0.0)
            legs = [Leg(clock, other.progress(), (stage, 0.0)) for stage in ("transcription", "diarization")]
            assert all(leg.is_waiting() for leg in legs)
            assert all(leg.is_alive() for leg in legs)
            one.progress()("transcription", 1.0)
            assert [leg.ended() for leg in legs] == [None, None]

    def test_downloads_and_decoding_never_wait(self, turns):
        with turns.ticket("a", 3600) as one, turns.ticket("b", 10) as other:
            one.progress()("transcription", 0.0)
            for stage in ("download", "decode", "upload", "whatever"):
                other.progress()(stage, 0.5)

    def test_a_leg_that_is_done_does_not_wait(self, turns):
        with turns.ticket("a", 3600) as one, turns.ticket("b", 10) as other:
            one.progress()("transcription", 0.0)
            other.progress()("transcription", 1.0)

    def test_nor_does_one_whose_job_waits_for_its_other_leg(self, turns, clock):
        with turns.ticket("a", 3600) as one, turns.ticket("b", 10) as other:
            one.progress()("transcription", 0.0)
            leg = Leg(clock, other.progress(), ("diarization", 0.0))
            assert leg.is_waiting()
            other.progress()("transcription", 1.0)
            assert leg.is_alive()
            one.progress()("transcription", 1.0)
            assert leg.ended() is None

    def test_a_job_whose_legs_are_done_gives_its_turn_away_before_it_is_closed(self, turns):
        with turns.ticket("a", 3600) as one, turns.ticket("b", 10) as other:
            report = one.progress()
            for stage, done in [("transcription", 0.0), ("diarization", 0.0), ("transcription", 1.0)]:
                report(stage, done)
            report("diarization", 1.0)
            other.progress()("transcription", 0.0)

    def test_a_cancelled_ticket_wakes_at_once_and_lets_nobody_wait_again(self, turns, clock):
        with turns.ticket("a", 3600) as one, turns.ticket("b", 10) as other:
            one.progress()("transcription", 0.0)
            leg = Leg(clock, other.progress(), ("diarization", 0.0))
            assert leg.is_waiting()
            other.cancel()
            assert isinstance(leg.ended(), Cancelled)
            for stage in ("transcription", "decode"):
                with pytest.raises(Cancelled):
                    other.progress()(stage, 0.5)
            one.progress()("transcription", 0.5)

    def test_a_cancelled_job_gives_its_turn_away_where_it_stops(self, turns):
        with turns.ticket("a", 3600) as one, turns.ticket("b", 10) as other:
            one.progress()("transcription", 0.0)
            one.cancel()
            with pytest.raises(Cancelled):
                one.progress()("transcription", 0.5)
            other.progress()("transcription", 0.0)

    @pytest.mark.parametrize("error", [EngineError("broken", "It broke."), KeyboardInterrupt()])
    def test_an_engine_that_raises_leaves_no_turn_taken(self, turns, error):
        def fail():
            with turns.ticket("a", 3600) as one:
                one.progress()("transcription", 0.0)
                raise error

        with pytest.raises(type(error)):
            fail()
        with turns.ticket("b", 10) as other:
            other.progress()("transcription", 0.0)

    def test_what_the_callback_raises_leaves_no_turn_taken(self, turns):
        def full_disk(stage, done):
            if done:
                raise OSError("no space left")

        def work():
            with turns.ticket("a", 3600) as one:
                report = one.progress(full_disk)
                report("transcription", 0.0)
                report("transcription", 0.5)

        with pytest.raises(OSError, match="no space"):
            work()
        with turns.ticket("b", 10) as other:
            other.progress()("transcription", 0.0)

    def test_a_ticket_that_is_closed_in_a_wait_leaves_no_turn_taken(self, turns, clock):
        with turns.ticket("a", 3600) as one:
            one.progress()("transcription", 0.0)
            with turns.ticket("b", 10) as other:
                leg = Leg(clock, other.progress(), ("transcription", 0.0))
                assert leg.is_waiting()
            assert isinstance(leg.ended(), Cancelled)
        with turns.ticket("c", 10) as third:
            third.progress()("transcription", 0.0)

    def test_many_jobs_in_many_threads_all_end_and_one_computes_at_a_time(self):
        turns, computing, most, ended = Turns(), 0, [0], []
        lock = threading.Lock()

        def work(number):
            nonlocal computing
            with turns.ticket("abc"[number % 3], number) as ticket:
                report = ticket.progress()
                for window in range(20):
                    report("transcription", window / 20)
                    with lock:
                        computing += 1
                        most[0] = max(most[0], computing)
                    with lock:
                        computing -= 1
                report("transcription", 1.0)
            ended.append(number)

        threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(ended) == list(range(12))
        assert most == [1]


class Engine:
    """Finds nothing, in as many windows as the test says; each waits for the test's word."""

    def __init__(self, task, windows=1, error=None):
        self.model = ModelInfo(task, task, None, "t")
        self.windows, self.error = windows, error
        self.computes, self.go = threading.Event(), threading.Event()

    def transcribe(self, audio, options=None, progress=None):
        self.compute(progress)
        return Transcription(words=(), language=None, duration=audio.duration, model=self.model)

    def diarize(self, audio, options=None, progress=None):
        self.compute(progress)
        return Diarization(turns=(), exclusive=(), duration=audio.duration, model=self.model)

    def compute(self, progress):
        for window in range(self.windows):
            progress(self.model.task, window / self.windows)
            self.computes.set()
            assert self.go.wait(10)
        if self.error:
            raise self.error


HUM = Audio(np.zeros(SAMPLE_RATE, np.float32))


class TestWithAPipeline:
    def test_an_engine_that_never_reports_computes_only_in_its_turn(self, turns, clock):
        """The pipeline reports for it before it begins."""
        silent = Engine("transcription", windows=0)

        async def run():
            with turns.ticket("a", 3600) as holder, turns.ticket("b", 1) as ticket:
                holder.progress()("transcription", 0.0)
                asked = threading.Event()
                progress = ticket.progress(lambda stage, done: asked.set() if stage == "transcription" else None)
                work = LocalPipeline(silent, None).atranscribe(HUM, Options(diarize=False), progress)
                task = asyncio.create_task(work)
                await asyncio.to_thread(asked.wait, 10)
                assert not task.done()
                holder.progress()("transcription", 1.0)
                return await task

        assert asyncio.run(run()).duration == 1.0

    def test_a_task_that_is_cancelled_while_its_job_waits_ends_at_once(self, turns, clock):
        async def run():
            with turns.ticket("a", 3600) as holder, turns.ticket("b", 1) as ticket:
                holder.progress()("transcription", 0.0)
                asked = threading.Event()
                words = Engine("transcription")
                progress = ticket.progress(lambda stage, done: asked.set() if stage == "transcription" else None)
                task = asyncio.create_task(
                    LocalPipeline(words, None).atranscribe(HUM, Options(diarize=False), progress)
                )
                await asyncio.to_thread(asked.wait, 10)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert not words.computes.is_set()
                holder.progress()("transcription", 0.5)  # and still has its turn

        asyncio.run(asyncio.wait_for(run(), 20))

    def test_a_leg_that_fails_ends_the_one_that_waits_for_a_turn(self, turns, clock):
        """Words fail at the end of a window that outlasted their job's turn, when the other leg waits already."""
        words, speakers = Engine("transcription", error=RuntimeError("x")), Engine("diarization", windows=2)

        async def run():
            with turns.ticket("b", 1) as ticket, turns.ticket("a", 3600) as other:
                work = LocalPipeline(words, speakers).atranscribe(HUM, Options(), ticket.progress())
                task = asyncio.create_task(work)
                for engine in (words, speakers):
                    assert await asyncio.to_thread(engine.computes.wait, 10)
                newcomer = Leg(clock, other.progress(), ("transcription", 0.0))
                assert await asyncio.to_thread(newcomer.is_waiting)
                clock.now = 3.0
                speakers.go.set()
                assert await asyncio.to_thread(newcomer.ended) is None  # it has the turn now
                words.go.set()
                with pytest.raises(EngineError, match="transcription failed"):
                    await task

        asyncio.run(asyncio.wait_for(run(), 20))

    def test_a_thread_is_stopped_out_of_its_wait(self, turns):
        async def run():
            with turns.ticket("a", 3600) as holder, turns.ticket("b", 1) as ticket:
                holder.progress()("transcription", 0.0)
                asked = threading.Event()
                progress = ticket.progress(lambda *_: asked.set())
                task = asyncio.create_task(in_thread(lambda report: report("diarization", 0.2), progress))
                await asyncio.to_thread(asked.wait, 10)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

        asyncio.run(asyncio.wait_for(run(), 20))


@pytest.mark.models
def test_jobs_that_took_turns_give_what_they_give_alone():
    """One pair of engines, two jobs of different owners, real speech: paused between windows, not a word differs."""
    from diarist.engines import load

    pipeline = load("whisper-tiny.en", "embedded", threads=2)
    long, clip = (
        Audio(decode(next(ensure(name).glob("*.wav"))).samples[: seconds * SAMPLE_RATE])
        for name, seconds in (("sample-two-voices", 25), ("sample-telephone", 10))
    )
    turns = Turns()

    async def job(owner, audio):
        with turns.ticket(owner, audio.duration) as ticket:
            return await pipeline.atranscribe(audio, progress=ticket.progress())

    async def both():
        return await asyncio.gather(job("a", long), job("b", clip))

    together = asyncio.run(both())
    for audio, transcript in zip((long, clip), together, strict=True):
        assert replace(transcript, timings={}) == replace(pipeline.transcribe(audio), timings={})
