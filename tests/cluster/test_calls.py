"""Calls to engines elsewhere as a pool: they wait at the same time, fail alone, and are cancelled at the end."""

import asyncio

import pytest

from diarist.cluster.calls import Calls
from diarist.cluster.run import Task, run
from diarist.model.errors import EngineError, InputError


class Elsewhere:
    def __init__(self):
        self.at_work = self.most = self.cancelled = 0

    async def __call__(self, what):
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            if what == "refused":
                raise InputError("bad", "No recording.")
            if what == "broken":
                raise ZeroDivisionError
            await asyncio.sleep(600 if what == "slow" else 0.01)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        else:
            return what
        finally:
            self.at_work -= 1


@pytest.fixture
def elsewhere():
    return Elsewhere()


def test_so_many_wait_at_a_time(elsewhere):
    with Calls(elsewhere, 3) as pool:
        found = list(run([Task(f"{n}", lambda n=n: n) for n in range(12)], pool))
    assert sorted(each.result for each in found) == list(range(12))
    assert elsewhere.most == 3


def test_each_fails_alone(elsewhere):
    tasks = [Task(name, lambda name=name: name, limit=0.1) for name in ("refused", "broken", "slow", "fine")]
    with Calls(elsewhere, 2) as pool:
        found = {each.task.key: each for each in run(tasks, pool)}
    assert found["fine"].result == "fine"
    assert isinstance(found["refused"].error, InputError)
    assert (found["broken"].error.code, found["slow"].error.code) == ("call_failed", "too_slow")
    assert isinstance(found["slow"].error, EngineError)
    assert found["slow"].starts == 2


def test_what_still_waits_is_cancelled(elsewhere):
    with Calls(elsewhere, 2) as pool:
        pool.submit("slow")
        handle = pool.submit("fine")
        assert pool.wait({handle}, 60) == [(handle, "fine")]
        pool.submit("slow")
    assert (elsewhere.cancelled, elsewhere.at_work) == (2, 0)
