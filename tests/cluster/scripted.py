"""Work for processes that needs no engines. A module by itself, which each process imports."""

import os
import signal
import time
from pathlib import Path

from diarist.model.errors import EngineError, InputError, WeightsError


class Worker:
    """Does what it is told, and notes in a folder what it begins."""

    def __init__(self, folder):
        self.folder, self.number = folder and Path(folder), 0

    def __call__(self, payload):
        what, *given = payload
        self.number += 1
        if self.folder is not None:
            with (self.folder / "begun").open("a") as file:
                file.write(f"{what} {given[0] if given else ''} {os.getpid()}\n")
        return getattr(self, what)(*given)

    def first_time(self, name):
        marker = self.folder / f"seen {name}"
        seen = marker.exists()
        marker.touch()
        return not seen

    def say(self, what):
        return what

    def sleep(self, what, seconds):
        time.sleep(seconds)
        return what

    def count(self, data):
        return len(data), os.getpid()

    def die(self, _):
        os.kill(os.getpid(), signal.SIGKILL)

    def die_once(self, name):
        if self.first_time(name):
            self.die(name)
        return name, self.number

    def exit(self, _):
        os._exit(3)

    def fail(self):
        raise EngineError("engine_failed", "The engine failed.")

    def fail_once(self, name):
        if self.first_time(name):
            self.fail()
        return name, self.number

    def refuse(self):
        raise InputError("bad", "This is no recording.")

    def break_down(self):
        raise ZeroDivisionError("by zero")


def start(folder=None):
    return Worker(folder)


def broken():
    raise WeightsError("weights_missing", "The weights are missing.", "Fetch them.")


def stillborn():
    os._exit(7)
