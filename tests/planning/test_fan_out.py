"""One recording on many workers: the plan does what the loop does, and more workers never make it slower or cheaper."""

from __future__ import annotations

import heapq
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from diarist.cli.app import app
from diarist.cluster.plan import checked
from diarist.cluster.run import Task, run
from diarist.model.errors import InputError
from diarist.planning.caller import Caller
from diarist.planning.fan_out import Spread, Spreading, floor, knee, plan_fan_out, spread_over, unit_lengths
from diarist.planning.profiles import Figure, Phase, Speed, load_profile, packaged_profiles
from diarist.planning.simulate import simulate
from diarist.planning.systems import Scaling, system_of
from diarist.planning.workload import Request

PAGE = Path(__file__).parents[2] / "docs" / "planning.md"
PROFILES = st.sampled_from(list(packaged_profiles().values()))
LENGTHS = st.one_of(st.floats(0.1, 4000), st.floats(4000, 12 * 3600))
CHUNKS = st.sampled_from([128, 192, 256, 320, 384, 448, 512, 576, 640])


def figure(value):
    return Figure(value, "estimate", "a test")


def caller(decoding=0.0, voice=0.0, encoding=0.0, together=0.0, again=0.0):
    return Caller(*map(figure, (decoding, voice, encoding, together, again)))


def asked(audio=1280.0, profile=None, **others):
    """A recording, and workers that take a tenth of a second for a second of it, and 10 s to start, 4 of them free."""
    simple = replace(
        load_profile("h100"),
        both=Speed(figure(0.1), figure(0.0)),
        preparation=Speed(figure(0.0), figure(0.0)),
        overhead=figure(0.0),
        starts={"single": {"host": Phase(figure(4.0), billed=False), "rest": Phase(figure(6.0))}},
    )
    return Spreading(
        **{"audio": audio, "profile": profile or simple, "usd_per_second": 0.01, "caller": caller()} | others
    )


class TestByHand:
    def test_units_are_shared_out_among_the_workers(self):
        one, two, three, ten = (spread_over(asked(), workers, 128, cold=False) for workers in (1, 2, 3, 10))
        assert (one.units, one.seconds) == (10, pytest.approx(128))
        assert two.seconds == pytest.approx(64)
        assert three.seconds == pytest.approx(4 * 12.8)  # ten units: one of the three computes four
        assert ten.seconds == pytest.approx(12.8)
        for spread in (one, two, three, ten):
            assert spread.worker_seconds == pytest.approx(128)
            assert spread.usd == pytest.approx(1.28)

    def test_what_the_caller_does_first_and_last_is_waited_for_whatever_the_number_of_workers(self):
        slow = asked(caller=caller(decoding=0.01, voice=0.02, together=0.005))
        for workers in (1, 10):
            quick = spread_over(asked(), workers, 128, cold=False)
            spread = spread_over(slow, workers, 128, cold=False)
            assert spread.seconds == pytest.approx(quick.seconds + 0.035 * 1280)
            assert spread.usd == pytest.approx(quick.usd)  # nobody is paid for the caller

    def test_a_caller_that_makes_units_too_slowly_is_what_all_wait_for(self):
        slow = asked(caller=caller(encoding=0.1))  # a unit is sent with 70 s around it, so 19.8 s for each
        assert spread_over(slow, 10, 128, cold=False).seconds == pytest.approx(10 * 19.8 + 12.8)

    def test_workers_that_are_started_are_waited_for_and_paid_until_they_stop(self):
        cold = spread_over(asked(queue_delay=2, idle_timeout=5), 10, 128, cold=True)
        assert cold.seconds == pytest.approx(2 + 10 + 12.8)
        assert cold.worker_seconds == 10 * 24  # 6 s of the start, 12.8 s, 5 s, rounded up

    def test_the_first_worker_is_started_at_once_and_the_rest_when_units_have_waited(self):
        assert spread_over(asked(queue_delay=2), 1, 128, cold=True).seconds == pytest.approx(10 + 128)
        assert spread_over(asked(256, queue_delay=2), 2, 128, cold=True).seconds == pytest.approx(2 + 10 + 12.8)

    def test_a_cut_costs_a_little_diarization(self):
        profile = replace(asked().profile, diarization=Speed(figure(0.05), figure(0.0)))
        found = spread_over(asked(profile=profile, caller=caller(again=6)), 1, 128, cold=False)
        assert found.seconds == pytest.approx(128 + 10 * 6 * 0.05)
        assert spread_over(asked(600, profile, caller=caller(again=6)), 1, 640, cold=False).seconds == pytest.approx(60)

    def test_samples_on_the_way_are_bounded_as_they_are_in_the_loop(self):
        ten_hours = asked(36_000)
        assert (
            spread_over(ten_hours, 11, 640, cold=False).seconds == spread_over(ten_hours, 64, 640, cold=False).seconds
        )

    @pytest.mark.parametrize("chunks", [0, 64, 100, 127, 200])
    def test_no_unit_is_shorter_than_workers_take_it(self, chunks):
        with pytest.raises(InputError) as caught:
            spread_over(asked(), 1, chunks, cold=False)
        with pytest.raises(InputError) as loop:
            checked(chunks)
        assert (caught.value.code, caught.value.hint) == (loop.value.code, loop.value.hint)


class TestAlways:
    @given(LENGTHS, PROFILES, CHUNKS, st.booleans())
    @settings(max_examples=25, deadline=None)
    def test_more_workers_are_never_slower_nor_cheaper(self, audio, profile, chunks, cold):
        question = Spreading(audio=audio, profile=profile, usd_per_second=0.001)
        for fewer, more in pairwise(spread_over(question, workers, chunks, cold=cold) for workers in range(1, 65)):
            assert more.seconds <= fewer.seconds + 1e-6
            rounding = fewer.workers if cold else 1e-6  # each life is paid for in whole seconds
            assert more.worker_seconds >= fewer.worker_seconds - rounding

    @given(LENGTHS, PROFILES)
    @settings(max_examples=5, deadline=None)
    def test_with_the_best_units_for_each_number_more_workers_are_never_slower(self, audio, profile):
        answer = plan_fan_out(Spreading(audio=audio, profile=profile, usd_per_second=0.001))
        for spreads in (answer.warm, answer.cold, answer.known_voice):
            assert [spread.workers for spread in spreads] == list(range(1, 65))
            assert all(128 <= spread.chunks <= 640 for spread in spreads)
            for fewer, more in pairwise(spreads):
                assert more.seconds <= fewer.seconds + 1e-6
        for warm, cold, known in zip(answer.warm, answer.cold, answer.known_voice, strict=True):
            assert known.seconds <= warm.seconds < cold.seconds
            assert warm.usd < cold.usd

    @given(LENGTHS, CHUNKS)
    def test_units_are_all_of_the_recording(self, audio, chunks):
        lengths = unit_lengths(audio, chunks)
        assert sum(lengths) == pytest.approx(audio)
        assert all(length == chunks for length in lengths[:-1])
        assert 0 < lengths[-1] <= chunks + 10  # the last chunk is ten seconds

    @given(st.lists(st.floats(1, 1000), min_size=1, max_size=64))
    def test_the_knee_is_the_fewest_workers_within_a_tenth_of_the_fastest(self, seconds):
        spreads = [Spread(number, 128, 1, each, 1.0, 1.0) for number, each in enumerate(seconds, 1)]
        found = knee(spreads)
        assert floor(spreads) == min(seconds)
        assert found.seconds <= 1.1 * min(seconds)
        assert all(each > 1.1 * min(seconds) for each in seconds[: found.workers - 1])


class TestBesideTheRest:
    @given(st.floats(1, 640), PROFILES)
    @settings(max_examples=20, deadline=None)
    def test_one_worker_with_one_unit_is_the_plan_of_a_single_request_but_for_the_caller(self, audio, profile):
        question = Spreading(audio=audio, profile=profile, usd_per_second=0.001)
        scaling = Scaling(min_workers=0, max_workers=1, idle_timeout=5, queue_delay=1)
        told = replace(system_of("single", profile, scaling), looks=0.0)  # a pool is told of the end, and need not look
        single = simulate(told, [Request(0, audio, True)], 3600)
        cold, warm = (spread_over(question, 1, 640, cold=cold) for cold in (True, False))
        steps = question.caller
        own = audio * (steps.decoding.value + steps.voice.value + steps.encoding.value + steps.together.value)
        assert cold.seconds - own == pytest.approx(single.latencies[0])
        assert cold.worker_seconds == pytest.approx(single.usage["single"].worker_seconds, abs=1)
        assert warm.seconds - own == pytest.approx(question.single_pass)

    @pytest.mark.parametrize("workers", [1, 3, 8, 30])
    @pytest.mark.parametrize("chunks", [128, 640])
    def test_units_come_and_go_as_in_the_loop_that_sends_them(self, workers, chunks):
        question = Spreading(audio=9000, profile=load_profile("rtx-4090"), usd_per_second=0.001)
        pool = VirtualPool(question, workers)
        outcomes = list(run(tasks(question, chunks, pool), pool))
        seconds = pool.now + question.audio * question.caller.together.value
        found = spread_over(question, workers, chunks, cold=False)
        assert (found.units, found.seconds) == (len(outcomes), pytest.approx(seconds))

    def test_a_start_is_worth_it_while_no_more_is_paid_for_it_than_for_computing(self):
        answer = plan_fan_out(asked(600))  # 60 s of computing, and 6 s of a start
        assert answer.worth_starting == 10
        few = plan_fan_out(asked(120))
        assert few.worth_starting == 2
        assert few.cold_choice.workers <= 2


class VirtualPool:
    """Workers of a clock that only goes where something happens."""

    def __init__(self, question, workers):
        self.slots = workers
        self.now = question.before
        self._profile = question.profile
        self._again = question.caller.again.value * question.profile.diarization.per_audio_second.value
        self._free = [0.0] * workers
        self._flying = {}

    def submit(self, payload, *, alone=False, limit=None):
        length, sent = payload
        begins = max(heapq.heappop(self._free), self.now + self._profile.preparation.seconds(sent))
        ends = begins + self._profile.both.seconds(length) + self._again
        heapq.heappush(self._free, ends)
        handle = len(self._flying)
        self._flying[handle] = ends + self._profile.overhead.value
        return handle

    def wait(self, handles, seconds):
        self.now = max(self.now, min(self._flying[handle] for handle in handles))
        return [(handle, None) for handle in handles if self._flying[handle] <= self.now]

    def lost(self):
        return []


def tasks(question, chunks, pool):
    """What is sent of each unit: its seconds, and those with what is around it. It takes the caller a while to make."""

    def task(number, length):
        sent = chunks + 70

        def load():
            pool.now += sent * question.caller.encoding.value
            return length, sent

        return Task(str(number), load, cost=length, size=sent * 32_000)

    return [task(number, length) for number, length in enumerate(unit_lengths(question.audio, chunks))]


@pytest.fixture
def plan(monkeypatch, tmp_path):
    """Run ``diarist plan --fan-out`` with the prices that come with this version."""
    monkeypatch.setenv("DIARIST_PRICES", str(tmp_path / "prices.json"))

    def run(*arguments):
        result = CliRunner().invoke(app, ["plan", "--fan-out", *map(str, arguments)])
        if isinstance(result.exception, InputError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


class TestCommand:
    def test_the_page_has_the_table_that_the_command_prints(self, plan):
        part = PAGE.read_text().partition("## One recording on many workers")[2].partition("\n## ")[0]
        rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in part.splitlines() if "|" in line]
        sides = {"H100": ("--gpu", "H100"), "RTX 4090": ("--gpu", "RTX 4090"), "CPU": ("--cpu",)}
        found = {name: json.loads(plan("--audio", 180, *words, "--json")) for name, words in sides.items()}
        table = [row for row in rows if row[0].isdigit()]
        assert [int(row[0]) for row in table] == [1, 2, 4, 8, 16, 32, 64]
        for workers, *cells in table:
            shown = []
            for data in found.values():
                one = data["table"][int(workers) - 1]
                shown += [f"{one[state]['seconds']:.0f} s, ${one[state]['usd']:.3f}" for state in ("warm", "cold")]
            assert cells == shown
        knees = {row[0]: row[1:] for row in rows if row[0] in found}
        for name, data in found.items():
            without = data["warm_without_finding_the_voice_first"]
            assert knees[name] == [
                f"{data['warm']['knee']}, {data['warm']['floor_seconds']:.0f} s",
                f"{without['knee']}, {without['floor_seconds']:.0f} s",
                str(data["cold"]["workers"]),
            ]

    def test_it_prints_a_row_for_each_and_names_the_knee_and_what_it_assumes(self, plan):
        text = plan("--audio", 180, "--gpu", "H100")
        for workers in (1, 2, 4, 8, 16, 32, 64):
            assert re.search(rf"^ *(→ [a-z, ]+)?{workers}  .* s ", text, re.MULTILINE), workers
        knee = json.loads(plan("--audio", 180, "--gpu", "H100", "--json"))["warm"]["knee"]
        for words in (f"the knee is {knee} workers", "paid for starts", "voice of the whole", "Assumed:", "measured:"):
            assert words in text

    def test_json_has_every_number_of_workers(self, plan):
        data = json.loads(plan("--audio", 180, "--json", "--price", 0.001))
        assert data["schema"] == "diarist.fan_out/1"
        assert [row["workers"] for row in data["table"]] == list(range(1, 65))
        assert data["warm"]["knee"] == next(
            row["workers"] for row in data["table"] if row["warm"]["seconds"] <= 1.1 * data["warm"]["floor_seconds"]
        )

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ((), "bad_length"),
            (("--audio", "2/30"), "bad_length"),
            (("--audio", 2, "--audio", 3), "bad_length"),
            (("--audio", 2, "--per-day", 100), "contradictory_settings"),
            (("--audio", 2, "--latency", 9), "contradictory_settings"),
            (("--audio", 2, "--chart", "plan.svg"), "contradictory_settings"),
            (("--audio", 2, "--gpu", "all"), "contradictory_settings"),
            (("--audio", 2, "--gpu", "H100", "--cpu"), "contradictory_settings"),
            (("--audio", 2, "--gpu", "A40"), "no_profile"),
            (("--audio", 2, "--price", 7), "bad_setting"),
            (("--audio", 2, "--idle-timeout", 0), "bad_setting"),
        ],
    )
    def test_what_makes_no_sense_is_one_clear_line(self, plan, arguments, code):
        with pytest.raises(InputError) as caught:
            plan(*arguments)
        assert caught.value.code == code
        assert "\n" not in caught.value.message
