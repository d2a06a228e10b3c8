"""Recordings that break the decoder: with this folder on the path, some bytes do what FFmpeg should not.

Real files that kill FFmpeg are mended in FFmpeg sooner or later, and then a test of theirs could no longer fail.
"""

import os
import signal
import sys
import time

if any("diarist.audio.sandboxed" in argument for argument in sys.orig_argv):
    from diarist.audio import decode

    real = decode.open_container

    def grow():
        held = []
        while True:
            held.append(bytearray(64 << 20))

    def spin():
        while True:
            pass

    def index():
        return [][1]

    def say(line):
        os.write(int(sys.argv[-1]), line + b"\n")
        time.sleep(600)

    DOES = {
        b"says nonsense": lambda: say(b"\xff"),
        b"says a list": lambda: say(b"[1]"),
        b"says samples": lambda: say(b'{"samples": 9, "warnings": []}'),
        b"says an error": lambda: say(b'{"error": ["x"], "status": "y"}'),
        b"says no end": lambda: say(b"x" * 2_000_000),
        b"kills SIGFPE": lambda: os.kill(os.getpid(), signal.SIGFPE),
        b"kills SIGSEGV": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        b"ends": lambda: os._exit(3),
        b"killed by the system": lambda: os.kill(os.getpid(), signal.SIGKILL),
        b"spins": spin,
        b"sleeps": lambda: time.sleep(600),
        b"grows": grow,
        b"breaks": index,
    }

    def open_container(file, name, mended):
        start = file.tell()
        head = file.read(100)
        file.seek(start)
        for text, act in DOES.items():
            if head.startswith(text):
                act()
        return real(file, name, mended)

    decode.open_container = open_container
