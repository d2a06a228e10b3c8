"""The simulation, against what can be worked out by hand, and against the closed form."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from diarist.planning.estimate import estimate_endpoint, one_worker, workers_for
from diarist.planning.simulate import SimulatedEndpoint, System, Work, simulate
from diarist.planning.workload import DAY, Request, Workload


def one_endpoint(compute=2.0, prepare=0.0, overhead=0.0, **settings):
    work = {"single": Work(prepare, compute)}
    return System({"single": SimulatedEndpoint(**{"max_workers": 1, **settings})}, lambda _: work, overhead=overhead)


def at(*arrivals, diarize=True):
    return [Request(arrival, 60.0, diarize) for arrival in arrivals]


class TestByHand:
    def test_a_single_cold_request_waits_for_the_start_and_pays_start_work_and_idling(self):
        outcome = simulate(one_endpoint(free_start=3, billed_start=8, idle_timeout=30), at(10.0), 200)
        assert outcome.latencies.tolist() == [13.0]
        assert outcome.cold.tolist() == [True]
        assert outcome.usage["single"].worker_seconds == 8 + 2 + 30
        assert outcome.usage["single"].starts == 1

    def test_the_next_one_finds_it_warm(self):
        outcome = simulate(one_endpoint(billed_start=8, idle_timeout=30), at(0.0, 35.0), 200)
        assert outcome.latencies.tolist() == [10.0, 2.0]
        assert outcome.cold.tolist() == [True, False]
        assert outcome.usage["single"].worker_seconds == 35 + 2 + 30

    def test_after_the_idle_timeout_it_is_cold_again(self):
        outcome = simulate(one_endpoint(billed_start=8, idle_timeout=5), at(0.0, 35.0), 200)
        assert outcome.cold.tolist() == [True, True]
        assert outcome.usage["single"].worker_seconds == 2 * (8 + 2 + 5)

    def test_each_life_is_rounded_up_to_a_second(self):
        outcome = simulate(one_endpoint(compute=0.2, idle_timeout=1), at(0.0, 50.0), 100)
        assert outcome.usage["single"].worker_seconds == 2 * 2

    def test_jobs_in_one_worker_compute_one_after_the_other(self):
        outcome = simulate(one_endpoint(), at(0.0, 0.0, 0.0), 100)
        assert outcome.latencies.tolist() == [2.0, 4.0, 6.0]

    def test_they_prepare_side_by_side(self):
        outcome = simulate(one_endpoint(prepare=1.0), at(0.0, 0.0, 0.0), 100)
        assert outcome.latencies.tolist() == [3.0, 5.0, 7.0]

    def test_after_taking_a_job_a_worker_with_room_for_two_takes_none_for_a_second(self):
        outcome = simulate(one_endpoint(compute=0.25), at(0.0, 0.25, 10.0, 12.5), 100)
        assert outcome.latencies.tolist() == [0.25, 1.0, 0.25, 0.25]

    def test_a_full_worker_looks_once_a_second_whether_it_has_room_again(self):
        outcome = simulate(one_endpoint(compute=1.25), at(0.0, 0.0, 0.0), 100)
        # Taken at 0, 0 and, since the first is done at 1.25, at 2.0.
        assert outcome.latencies.tolist() == [1.25, 2.5, 3.75]
        alone = simulate(one_endpoint(compute=1.25, prepare=1.0), at(0.0, 0.0, 0.0), 100)
        # Done at 2.25, so the third is taken at 3.0, and prepared when the second is done at 3.5.
        assert alone.latencies.tolist() == [2.25, 3.5, 5.25]

    def test_one_with_room_for_many_does_not_pause(self):
        outcome = simulate(one_endpoint(compute=0.25, jobs=16), at(0.0, 0.25, 0.5), 100)
        assert outcome.latencies.tolist() == [0.25] * 3

    def test_a_worker_takes_only_so_many_and_the_rest_wait_in_the_queue(self):
        outcome = simulate(one_endpoint(compute=10.0, jobs=2, max_workers=2, queue_delay=1.0), at(0, 0, 0), 100)
        # The third has waited a second when the second worker is started for it.
        assert outcome.latencies.tolist() == [10.0, 20.0, 11.0]
        assert outcome.usage["single"].peak_workers == 2

    def test_never_more_workers_than_allowed_and_one_start_at_a_time(self):
        endpoint = {"compute": 10.0, "jobs": 1, "max_workers": 3, "billed_start": 4.0, "queue_delay": 1.0}
        outcome = simulate(one_endpoint(**endpoint), at(*[0.0] * 9), 500)
        assert outcome.usage["single"].peak_workers == 3
        assert sorted(outcome.latencies)[:3] == [14.0, 18.0, 22.0]

    def test_a_worker_that_is_always_up_is_paid_for_all_of_the_time(self):
        outcome = simulate(one_endpoint(min_workers=1, billed_start=8), at(10.0), 1000)
        assert outcome.latencies.tolist() == [2.0]
        assert outcome.usage["single"].worker_seconds == 1000

    def test_two_legs_take_as_long_as_the_slower(self):
        legs = {"transcription": Work(0, 1.0), "diarization": Work(0, 3.0)}
        endpoints = {role: SimulatedEndpoint(max_workers=1, billed_start=2, idle_timeout=5) for role in legs}
        outcome = simulate(System(endpoints, lambda _: legs, overhead=0.1), at(0.0), 50)
        assert outcome.latencies.tolist() == [pytest.approx(5.1)]
        assert {role: usage.worker_seconds for role, usage in outcome.usage.items()} == {
            "transcription": 2 + 1 + 5,
            "diarization": 2 + 3 + 5,
        }

    def test_an_orchestrator_starts_first_and_is_billed_while_it_waits(self):
        legs = {"transcription": Work(0, 1.0), "diarization": Work(0, 3.0)}
        endpoints = {role: SimulatedEndpoint(max_workers=1, billed_start=2, idle_timeout=5) for role in legs}
        front = SimulatedEndpoint(max_workers=1, billed_start=1, idle_timeout=5, jobs=16)
        system = System({**endpoints, "orchestrator": front}, lambda _: legs, front="orchestrator", overhead=0.1)
        outcome = simulate(system, at(0.0), 50)
        assert outcome.latencies.tolist() == [pytest.approx(1 + 5 + 0.2)]
        assert outcome.usage["orchestrator"].worker_seconds == 1 + 5 + 5

    def test_an_orchestrator_holds_many_at_once(self):
        front = SimulatedEndpoint(max_workers=1, jobs=16)
        legs = {"transcription": Work(0, 1.0)}
        system = System(
            {"transcription": SimulatedEndpoint(max_workers=1, jobs=16), "orchestrator": front},
            lambda _: legs,
            "orchestrator",
        )
        assert simulate(system, at(0.0, 0.0), 50).latencies.tolist() == [1.0, 2.0]

    @pytest.mark.parametrize(
        ("compute", "latency"),
        [
            (2.0, 2.0),  # told at once
            (10.0, 10.25),  # looks are half a second apart by then
            (400.0, 402.5),  # and never more than five
        ],
    )
    def test_the_end_is_noticed_half_a_pause_late_on_average(self, compute, latency):
        system = dataclasses.replace(one_endpoint(compute=compute), looks=0.05)
        assert simulate(system, at(0.0), 1000).latencies.tolist() == [pytest.approx(latency)]

    def test_an_orchestrator_notices_the_end_of_its_legs_late_and_its_caller_that_of_both(self):
        legs = {"transcription": Work(0, 10.0)}
        front = SimulatedEndpoint(max_workers=1, jobs=16, idle_timeout=5)
        endpoints = {"transcription": SimulatedEndpoint(max_workers=1), "orchestrator": front}
        outcome = simulate(System(endpoints, lambda _: legs, front="orchestrator", looks=0.05), at(0.0), 50)
        assert outcome.latencies.tolist() == [pytest.approx(10.25 * 1.025)]
        assert outcome.usage["orchestrator"].worker_seconds == 16  # 10.25 s held, 5 idle, and whole seconds are billed

    def test_restored_starts_are_short(self):
        outcome = simulate(one_endpoint(billed_start=8, restore_share=1.0, restore=0.5), at(0.0), 50)
        assert outcome.latencies.tolist() == [2.5]


def test_the_same_seed_gives_the_same_outcome():
    trace = Workload(5000).trace(1, seed=3)
    system = one_endpoint(max_workers=3, billed_start=8, restore_share=0.5)
    first, second = (simulate(system, trace, DAY, seed=3) for _ in range(2))
    assert first.latencies.tobytes() == second.latencies.tobytes()
    assert first.usage == second.usage
    assert simulate(system, trace, DAY, seed=4).usage != first.usage


def test_what_is_run_in_is_not_counted():
    system = one_endpoint(billed_start=8, idle_timeout=1000)
    whole = simulate(system, at(0.0, 50.0), 100)
    late = simulate(system, at(0.0, 50.0), 100, lead=40.0)
    assert whole.usage["single"].worker_seconds == 100
    assert late.usage["single"].worker_seconds == 60
    assert late.latencies.tolist() == [2.0]
    assert late.seconds == 60


@settings_of_hypothesis(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.floats(0, 60), min_size=1, max_size=40),
    compute=st.floats(0.01, 20),
    jobs=st.integers(1, 4),
    workers=st.integers(1, 4),
    start=st.floats(0, 20),
    idle=st.floats(1, 100),
)
def test_whatever_is_asked_every_request_ends_and_all_work_is_billed(gaps, compute, jobs, workers, start, idle):
    now, trace = 0.0, []
    for gap in gaps:
        now += gap
        trace.append(Request(now, 60.0, True))
    settings = {"jobs": jobs, "max_workers": workers, "billed_start": start, "idle_timeout": idle}
    outcome = simulate(one_endpoint(compute=compute, **settings), trace, 0)
    usage = outcome.usage["single"]
    assert (outcome.latencies >= compute - 1e-6).all()
    assert usage.worker_seconds >= usage.busy_seconds - 1e-6
    assert usage.busy_seconds == pytest.approx(len(trace) * compute)
    assert usage.peak_workers <= workers


class TestClosedForm:
    @pytest.mark.parametrize("per_day", [300, 3000, 20_000])
    @pytest.mark.parametrize("idle_timeout", [5, 60])
    def test_it_agrees_with_the_simulation_of_one_worker(self, per_day, idle_timeout):
        days = max(1, 40_000 // per_day)
        trace = Workload(per_day).trace(days, seed=1)
        system = one_endpoint(billed_start=8, idle_timeout=idle_timeout, jobs=10**9)
        outcome = simulate(system, trace, days * DAY)
        expected = one_worker(per_day / DAY, 2.0, 4.0, 8.0, idle_timeout)
        per_job = outcome.usage["single"].worker_seconds / len(trace)
        assert per_job == pytest.approx(expected.worker_seconds, rel=0.03)
        assert outcome.cold_share == pytest.approx(expected.cold_share, abs=0.01)
        assert outcome.latencies.mean() - 2.0 == pytest.approx(expected.wait, abs=0.15)

    def test_of_two_kinds_of_work_too(self):
        trace = Workload(10_000).trace(4, seed=1)
        kinds = [Request(one.arrival, one.audio, diarize=index % 2 == 0) for index, one in enumerate(trace)]
        system = dataclasses.replace(
            one_endpoint(billed_start=4, idle_timeout=20, jobs=10**9),
            works=lambda request: {"single": Work(0, 3.0 if request.diarize else 1.0)},
        )
        outcome = simulate(system, kinds, 4 * DAY)
        expected = one_worker(10_000 / DAY, 2.0, (9 + 1) / 2, 4.0, 20)
        assert outcome.usage["single"].worker_seconds / len(trace) == pytest.approx(expected.worker_seconds, rel=0.03)

    def test_too_much_for_one_worker_is_shared(self):
        assert workers_for(2.0, 2.0) == 5
        with pytest.raises(ValueError, match="too much"):
            one_worker(2.0, 2.0, 4.0, 8.0, 30)
        assert estimate_endpoint([2.0] * 24, 2.0, 4.0, 8.0, 30).workers == 5

    def test_hours_without_requests_do_not_count(self):
        office = estimate_endpoint([0.0] * 12 + [0.1] * 12, 2.0, 4.0, 8.0, 30)
        flat = estimate_endpoint([0.1] * 24, 2.0, 4.0, 8.0, 30)
        assert office.worker_seconds == pytest.approx(flat.worker_seconds)
