"""Processes that do tasks, and may be killed at any time: each task is done, or somebody says why not."""

import os
import signal
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from diarist.cluster import Lost, Processes, Task, run
from diarist.model.errors import EngineError, InputError, WeightsError

sys.path.append(str(Path(__file__).parent))
import scripted  # as the processes find it


@pytest.fixture
def pool(tmp_path):
    with Processes(partial(scripted.start, tmp_path), 2) as found:
        yield found


def begun(folder):
    """How often each task was begun."""
    return Counter(line.rsplit(" ", 1)[0] for line in (folder / "begun").read_text().splitlines())


def outcomes(pool, *payloads):
    tasks = [Task(f"{number}", lambda payload=payload: payload) for number, payload in enumerate(payloads)]
    found = {each.task.key: each for each in run(tasks, pool)}
    assert len(found) == len(tasks)
    return [found[task.key] for task in tasks]


def gone(pid):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_every_task_comes_back_with_its_result(pool):
    found = outcomes(pool, *(("say", number) for number in range(30)))
    assert [each.result for each in found] == list(range(30))
    assert {each.starts for each in found} == {1}


def test_large_tasks_go_to_workers_that_are_busy_without_anybody_waiting_for_good(pool):
    found = outcomes(pool, *(("count", bytes(5_000_000)) for _ in range(8)))
    assert [each.result[0] for each in found] == [5_000_000] * 8
    assert len({each.result[1] for each in found}) == 2


def test_a_task_that_ends_its_worker_twice_is_given_up_and_no_other_is_blamed(pool, tmp_path):
    found = outcomes(pool, *(("say", number) for number in range(5)), ("die", "x"), ("exit", "y"), ("say", 99))
    assert [each.result for each in found] == [0, 1, 2, 3, 4, None, None, 99]
    for each, why in ((found[5], "killed by signal 9"), (found[6], "ended with code 3")):
        assert isinstance(each.error, InputError)
        assert why in each.error.message
        assert (each.starts >= 2, each.deaths) == (True, 2)
    assert all(not each.deaths and not each.error for each in (*found[:5], found[7]))
    assert begun(tmp_path)["die x"] == begun(tmp_path)["exit y"] == 2


@pytest.mark.parametrize("what", ["die_once", "fail_once"])
def test_a_suspect_is_tried_again_alone_in_a_fresh_worker(pool, what):
    found = outcomes(pool, *(("say", number) for number in range(6)), (what, "z"), *(("say", n) for n in range(6)))
    assert found[6].result == ("z", 1)  # the first thing that its worker did
    assert found[6].starts == 2
    assert all(each.error is None for each in found)


def test_errors_come_back_as_they_were_raised(pool):
    refused, failed, broke = outcomes(pool, ("refuse",), ("fail",), ("break_down",))
    assert isinstance(refused.error, InputError)
    assert (refused.error.code, refused.starts) == ("bad", 1)
    assert (failed.error.code, failed.starts) == ("engine_failed", 2)
    assert "ZeroDivisionError: by zero" in broke.error.message


def test_workers_killed_from_outside_cost_only_what_they_did(pool, tmp_path):
    tasks = [Task(f"{n}", lambda n=n: ("sleep", n, 0.02)) for n in range(60)]
    found, killed = {}, 0
    for each in run(tasks, pool):
        found[each.task.key] = each.result
        if len(found) % 20 == 10 and killed < 3:
            os.kill(pool.pids[killed % 2], signal.SIGKILL)
            killed += 1
    assert found == {f"{n}": n for n in range(60)}
    assert sum(begun(tmp_path).values()) <= 60 + 2 * killed


def test_a_task_that_hangs_is_ended_and_given_up(pool, tmp_path):
    tasks = [
        Task("hangs", lambda: ("sleep", "x", 600), limit=0.5),
        *(Task(f"{n}", lambda: ("say", 1)) for n in range(6)),
    ]
    found = {each.task.key: each for each in run(tasks, pool)}
    assert "took longer than 0.5 s" in found["hangs"].error.message
    assert begun(tmp_path)["sleep x"] == 2
    assert [found[f"{n}"].result for n in range(6)] == [1] * 6


def test_a_task_that_only_waited_is_not_begun(tmp_path):
    with Processes(partial(scripted.start, tmp_path), 1) as pool:
        first, second = pool.submit(("sleep", 1, 30)), pool.submit(("say", 2))
        end = time.monotonic() + 30
        while not (tmp_path / "begun").exists() and time.monotonic() < end:
            pool.wait({first, second}, 0.1)
        pool.wait({first, second}, 0.2)
        os.kill(pool.pids[0], signal.SIGKILL)
        assert pool.wait({first, second}, 30) == []
        assert sorted(pool.lost(), key=lambda each: each.handle) == [
            Lost(first, True, "killed by signal 9"),
            Lost(second, False, "killed by signal 9"),
        ]
        assert pool.lost() == []


def test_what_a_worker_cannot_load_is_told_once():
    with Processes(scripted.broken, 2) as pool:
        pool.submit(("say", 1))
        with pytest.raises(WeightsError, match=r"The weights are missing. Fetch them."):
            pool.wait({1}, 60)


def test_workers_that_never_come_to_life_are_not_started_for_ever():
    said = r"ended before they were ready .*code 7"
    with Processes(scripted.stillborn, 1) as pool, pytest.raises(EngineError, match=said):
        list(run([Task("a", lambda: ("say", 1))], pool))


def test_no_process_is_left(tmp_path):
    with Processes(partial(scripted.start, tmp_path), 2) as pool:
        pids = pool.pids
        pool.submit(("sleep", 1, 60))
        pool.wait({1}, 1)
    assert all(gone(pid) for pid in pids)


def test_workers_end_when_who_started_them_is_killed_though_they_compute(tmp_path):
    import subprocess

    program = (
        "import sys, time\n"
        f"sys.path.append({str(Path(__file__).parent)!r})\n"
        "import scripted\n"
        "from diarist.cluster import Processes\n"
        "if __name__ == '__main__':\n"
        "    pool = Processes(scripted.start, 2)\n"
        "    pool.wait({pool.submit(('say', 1))}, 60)\n"
        "    pool.submit(('sleep', 2, 600))\n"
        "    print(*pool.pids, flush=True)\n"
        "    time.sleep(60)\n"
    )
    file = tmp_path / "program.py"
    file.write_text(program)
    with subprocess.Popen([sys.executable, file], stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
