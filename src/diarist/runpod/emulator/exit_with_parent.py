"""Runs a handler file so that it cannot outlive the emulator: ``python exit_with_parent.py HANDLER``.

The emulator holds the other end of standard input. When it goes away, even by SIGKILL, the pipe ends and the whole
process group is killed; otherwise workers would poll a dead address for ever, at full speed. Imports nothing of
diarist, so that what is measured in a worker is the worker.
"""

import os
import runpy
import signal
import sys
import threading


def _watch() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
