"""Feeds what people may send to the code that reads it, and says what fell: ``make fuzz``, or ``make fuzz-quick``.

Each target is a module in ``fuzz/targets/``: ``make(rng)`` gives one input, near to a good one, and ``run(data,
folder)`` does with it what diarist does. An input may be taken or refused with a `DiaristError`; anything else is a
find. Inputs run in child processes with bounds of memory and of CPU time, so that one that kills is found as well.

Input number n of a target is the same for the same seed. What was found is kept in ``fuzz/corpus/TARGET/``, runs first
each time, and is changed further.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

MEMORY_BYTES = 1 << 30
"""By how much a child may grow."""

PARALLEL = 2

SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # in memory, where there is such a place


@dataclass
class Tally:
    """What became of a target's inputs."""

    inputs: int = 0
    taken: int = 0
    refused: int = 0
    cpu: float = 0.0
    peak: int = 0
    finds: list[tuple[int, str]] = field(default_factory=list)
    signals: int = 0


def load(folder: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fuzz_target_{name}", folder / f"{name}.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"There is no target {name!r}.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def corpus(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((HERE / "corpus" / name).glob("*"))]


def an_input(target: ModuleType, kept: list[bytes], seed: int, number: int) -> bytes:
    from mutate import changed

    if number < len(kept):
        return kept[number]
    rng = random.Random(f"{seed} {number}")
    if kept and rng.random() < 0.2:
        return changed(rng, rng.choice(kept))
    data: bytes = target.make(rng)
    return changed(rng, data) if rng.random() < 0.3 else data


def child(arguments: argparse.Namespace) -> None:
    """Run inputs one after the other, and report each on standard output before and after."""
    from diarist.model.errors import DiaristError

    target = load(arguments.folder, arguments.child)
    kept = corpus(arguments.child)
    # What libraries in C print must not come between.
    report = os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        # What is loaded lazily is loaded once, outside of the bounds.
        for warm in range(3):
            try:
                target.run(target.make(random.Random(warm)), Path(folder))
            except Exception:  # noqa: BLE001
                continue
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, resource.RLIM_INFINITY))
    for number in range(arguments.first, arguments.inputs):
        print(json.dumps({"begins": number}), file=report, flush=True)
        data = an_input(target, kept, arguments.seed, number)
        before = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, arguments.cpu_seconds)  # its signal ends the process
        outcome = "taken"
        with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
            try:
                target.run(data, Path(folder))
            except DiaristError as error:
                outcome = "refused"
                if not error.message or len(str(error)) > 3000 or "\n" in error.message:
                    outcome = f"a message of {len(str(error))} characters, or of several lines"
            except BaseException as error:  # noqa: BLE001
                frame = traceback.extract_tb(error.__traceback__)[-1]
                outcome = f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}"
        signal.setitimer(signal.ITIMER_PROF, 0)
        done = {"cpu": time.process_time() - before, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10}
        print(json.dumps({"outcome": outcome, **done}), file=report, flush=True)


def fuzz(name: str, arguments: argparse.Namespace) -> Tally:
    """Run a target's inputs, in a new child after each that dies."""
    tally, first = Tally(), 0
    while first < arguments.inputs:
        command = [sys.executable, __file__, "--child", name, "--first", str(first), "--seed", str(arguments.seed)]
        command += ["--inputs", str(arguments.inputs), "--cpu-seconds", str(arguments.cpu_seconds)]
        process = subprocess.Popen(
            [*command, "--folder", str(arguments.folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout is not None
        number = first - 1
        for line in process.stdout:
            told = json.loads(line)
            number = told.get("begins", number)
            if "outcome" in told:
                count(tally, number, told)
        if (status := process.wait()) == 0:
            break
        tally.inputs += 1
        tally.signals += 1
        why = signal.Signals(-status).name if status < 0 else f"exit {status}"
        tally.finds.append((number, f"the process ended ({why})"))
        first = number + 1 if number >= first else arguments.inputs
    return tally


def count(tally: Tally, number: int, told: dict[str, object]) -> None:
    tally.inputs += 1
    tally.cpu = max(tally.cpu, float(str(told["cpu"])))
    tally.peak = max(tally.peak, int(str(told["peak"])))
    match told["outcome"]:
        case "taken":
            tally.taken += 1
        case "refused":
            tally.refused += 1
        case what:
            tally.finds.append((number, str(what)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000, help="of each target (default: 10,000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", help="names, with commas between; all if not given")
    parser.add_argument("--cpu-seconds", type=float, default=30, help="that one input may take (default: 30)")
    parser.add_argument("--keep", type=Path, help="a folder for the inputs that were found")
    parser.add_argument("--folder", type=Path, default=HERE / "targets", help=argparse.SUPPRESS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments)
        return
    known = sorted(path.stem for path in arguments.folder.glob("[a-z]*.py"))
    names = arguments.targets.split(",") if arguments.targets else known
    began = time.monotonic()
    with ThreadPoolExecutor(PARALLEL) as pool:
        tallies = dict(zip(names, pool.map(lambda name: fuzz(name, arguments), names), strict=True))
    print(f"{'target':14}{'inputs':>9}{'taken':>8}{'refused':>9}{'finds':>7}{'signals':>9}{'CPU s':>8}{'peak MB':>9}")
    for name, tally in tallies.items():
        print(
            f"{name:14}{tally.inputs:9,}{tally.taken:8,}{tally.refused:9,}{len(tally.finds):7}{tally.signals:9}"
            f"{tally.cpu:8.2f}{tally.peak / 1e6:9,.0f}"
        )
    finds = [(name, *find) for name, tally in tallies.items() for find in tally.finds]
    total = sum(tally.inputs for tally in tallies.values())
    print(f"{total:,} inputs in {time.monotonic() - began:.0f} s, seed {arguments.seed}; CPU s: of the slowest input")
    seen: dict[tuple[str, str], int] = {}
    for name, number, what in finds:
        seen[name, what] = seen.get((name, what), 0) + 1
        if seen[name, what] == 1:
            print(f"{name}, input {number}: {what}")
            if arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                data = an_input(load(arguments.folder, name), corpus(name), arguments.seed, number)
                (arguments.keep / f"{name}-{number}").write_bytes(data)
    sys.exit(1 if finds else 0)


if __name__ == "__main__":
    main()
