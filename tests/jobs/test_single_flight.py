"""Identical work is done once at a time: results and failures are shared, a cancellation is not."""

import asyncio

import pytest

from diarist.jobs.single_flight import SingleFlight
from diarist.model.errors import EngineError


def test_identical_work_is_done_once():
    async def run():
        flights, count, go = SingleFlight(), [], asyncio.Event()

        async def work():
            count.append(1)
            await go.wait()
            return "result"

        waiting = [asyncio.create_task(flights.run("k", work)) for _ in range(8)]
        await asyncio.sleep(0)
        go.set()
        return await asyncio.gather(*waiting), count

    results, count = asyncio.run(run())
    assert results == ["result"] * 8
    assert len(count) == 1


def test_other_work_does_not_wait():
    async def run():
        flights, go = SingleFlight(), asyncio.Event()
        slow = asyncio.create_task(flights.run("slow", go.wait))
        await asyncio.sleep(0)
        quick = await asyncio.wait_for(flights.run("quick", lambda: asyncio.sleep(0, "quick")), 5)
        go.set()
        await slow
        return quick

    assert asyncio.run(run()) == "quick"


def test_a_failure_is_shared_and_not_remembered():
    async def run():
        flights, go = SingleFlight(), asyncio.Event()

        async def fail():
            await go.wait()
            raise EngineError("broken", "It broke.")

        waiting = [asyncio.create_task(flights.run("k", fail)) for _ in range(2)]
        await asyncio.sleep(0)
        go.set()
        failures = await asyncio.gather(*waiting, return_exceptions=True)
        return failures, await flights.run("k", lambda: asyncio.sleep(0, "better"))

    failures, after = asyncio.run(run())
    assert [failure.code for failure in failures] == ["broken"] * 2
    assert after == "better"


def test_who_waits_takes_over_when_the_first_is_cancelled():
    async def run():
        flights, done = SingleFlight(), []

        async def work(name):
            done.append(name)
            await asyncio.sleep(3600 if name == "first" else 0)
            return name

        first = asyncio.create_task(flights.run("k", lambda: work("first")))
        await asyncio.sleep(0)
        second = asyncio.create_task(flights.run("k", lambda: work("second")))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second, done

    assert asyncio.run(run()) == ("second", ["first", "second"])
