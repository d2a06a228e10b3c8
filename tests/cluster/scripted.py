"""Work for processes that needs no engines. A module by itself, which each process imports."""

import os
import signal
import time
from pathlib import Path

from diarist.model.errors import EngineError, InputError, WeightsError


def start(folder=None):
    """A worker that does what it is told, and notes what it begins in a folder."""
    done = []

    def work(payload):
        what, *more = payload
        if folder is not None:
            with (Path(folder) / "begun").open("a") as file:
                file.write(f"{what} {more[0] if more else ''} {os.getpid()}\n")
        done.append(what)
        match what:
            case "say":
                return more[0]
            case "sleep":
                time.sleep(more[1])
                return more[0]
            case "count":
                return len(more[0]), os.getpid()
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "die once":
                marker = Path(folder) / f"died {more[0]}"
                if not marker.exists():
                    marker.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return more[0], len(done)
            case "exit":
                os._exit(3)
            case "fail":
                raise EngineError("engine_failed", "The engine failed.")
            case "fail once":
                marker = Path(folder) / f"failed {more[0]}"
                if not marker.exists():
                    marker.touch()
                    raise EngineError("engine_failed", "The engine failed.")
                return more[0], len(done)
            case "refuse":
                raise InputError("bad", "This is no recording.")
            case "break":
                raise ZeroDivisionError("by zero")

    return work


def broken():
    raise WeightsError("weights_missing", "The weights are missing.", "Fetch them.")


def stillborn():
    os._exit(7)
