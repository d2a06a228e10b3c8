"""Between threads and awaitables: who is cancelled stops, and nothing goes on unwatched."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest

from diarist.model.errors import Cancelled
from diarist.model.progress import ignore
from diarist.pipelines.bridge import in_thread, wait_for


def test_a_result_and_an_error_come_through():
    def fail(_):
        raise KeyError("x")

    assert wait_for(lambda: in_thread(lambda _: 42, ignore)) == 42
    with pytest.raises(KeyError):
        wait_for(lambda: in_thread(fail, ignore))


@pytest.mark.parametrize("how", ["task", "scope"])
def test_a_cancelled_task_waits_until_its_thread_has_stopped(how):
    began, stopped = threading.Event(), threading.Event()

    def work(report):
        began.set()
        try:
            while True:
                report("working", 0.5)
        except Cancelled:
            stopped.set()
            raise

    async def run():
        import anyio

        if how == "task":
            task = asyncio.create_task(in_thread(work, ignore))
            while not began.is_set():
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return stopped.is_set()
        with anyio.CancelScope() as scope:

            def cancel_then_go_on(stage, done):
                asyncio.run_coroutine_threadsafe(cancel(scope), loop)

            async def cancel(scope):
                scope.cancel()

            loop = asyncio.get_running_loop()
            await in_thread(work, cancel_then_go_on)
        return scope.cancelled_caught and stopped.is_set()

    assert asyncio.run(run())


INTERRUPTED = """
import sys, threading, time
from diarist.model.errors import Cancelled
from diarist.model.progress import ignore
from diarist.pipelines.bridge import in_thread, wait_for

def work(report):
    print("began", flush=True)
    try:
        while True:
            report("working", 0.5)
            time.sleep(0.01)
    except Cancelled:
        print("stopped", flush=True)
        raise

try:
    wait_for(lambda: in_thread(work, ignore))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_stops_the_thread_before_it_is_raised():
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "began\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "stopped\ninterrupted\n"
    assert process.returncode == 0
