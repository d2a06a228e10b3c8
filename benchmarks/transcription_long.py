"""Does memory grow with the recording? 10 minutes and 3 hours through the whole path of the Parakeet engine.

python benchmarks/transcription_long.py [--minutes 10 180] --json

The network is the tests' scripted one (a few kB), so that what is seen is the path: voice detection, windows, features,
decoding and joining. The sample call is repeated. Each length runs in a process of its own; the samples themselves, and
what Python holds before, are taken off. Words must equal those of all windows recognised one at a time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import describe

PROBE = """
import json, resource, sys, time
import numpy as np
from pathlib import Path
from diarist.audio.audio import Audio
from diarist.audio.decode import decode
from diarist.transcription.hearing import Hearing
from diarist.transcription.parakeet import CONTEXT_SECONDS, load_parakeet
from diarist.weights.fetch import ensure
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
call = decode(ensure("sample-telephone") / "sample.wav").samples
engine = load_parakeet(sys.argv[1], threads=1)
engine.transcribe(Audio(call))
audio = Audio(np.tile(call, int(float(sys.argv[2]) * 2)))
before = peak()
began = time.process_time()
found = engine.transcribe(audio)
used, after = time.process_time() - began, peak()
hearing = Hearing(audio, context=CONTEXT_SECONDS)
with engine.weights.use() as backend:
    singly = hearing.recognise(
        lambda spans: [engine.recognise(backend, [hearing.cut(span)], [span])[0] for span in spans], batch=7
    )
print(json.dumps({
    "minutes": audio.duration / 60, "words": len(found.words), "samples_mb": round(audio.samples.nbytes / 2**20),
    "peak_over_samples_mb": round(after - before), "cpu_s": round(used, 1),
    "equal_to_its_windows": singly == found.words,
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[10, 180])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "transcription"))
    import tiny

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        tiny.scripted(Path(folder))
        for minutes in args.minutes:
            command = [sys.executable, "-c", PROBE, folder, str(minutes)]
            rows.append(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))
    if args.json:
        print(json.dumps({**describe(), "runs": rows}, indent=2))
        return
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
