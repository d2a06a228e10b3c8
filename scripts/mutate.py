"""Change each number that decides who said what by a fifth, and see whether a test notices: ``make mutate``.

The numbers, and the tests that must notice, are in ``scripts/mutations.toml``: for each source file, ``numbers`` by
name and ``edits`` of other lines. A number is made a fifth larger and a fifth smaller (a whole one by the fewest that
are a fifth). Each change is made in a copy of ``src`` in a temporary folder, never in the working tree, and the tests
of its file run against that copy. A change that no test notices is printed, and the exit code is then 1.

mutmut and cosmic-ray were rejected: they change every line, which takes hours here, and no number by a fifth.

    python scripts/mutate.py                    # all
    python scripts/mutate.py attribution cues   # those whose file or name has one of these in it
"""

from __future__ import annotations

import argparse
import ast
import math
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARE = 0.2
PLUGINS = ("-p", "pytest_timeout", "-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider")
OPTIONS = ("-x", "-q", "--tb=no", "--hypothesis-seed=0", *PLUGINS)
TESTS_FAILED = 1  # pytest's exit code; others mean that tests could not run, which proves nothing


@dataclass(frozen=True)
class Mutation:
    """One change to one source file, and the tests that must notice it."""

    file: str
    what: str
    text: str
    tests: tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="*", help="parts of a file's or number's name; all if not given")
    parser.add_argument("--root", type=Path, default=ROOT, help="a tree with src, tests and scripts/mutations.toml")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many test runs at a time")
    parser.add_argument("--list", action="store_true", help="print the changes and run nothing")
    given = parser.parse_args()
    root = given.root.resolve()
    wanted = [m for m in listed(root) if not given.only or any(part in f"{m.file} {m.what}" for part in given.only)]
    if not wanted:
        sys.exit("mutate: nothing in scripts/mutations.toml is called that")
    if given.list:
        print("\n".join(f"{m.file}  {m.what}" for m in wanted))
        return 0
    tests = sorted({test for mutation in wanted for test in mutation.tests})
    if run(root, tests)[0]:
        sys.exit("mutate: the tests fail as it is; run them first: " + " ".join(tests))
    width = max(len(f"{m.file}  {m.what}") for m in wanted)
    missed = []
    with ThreadPoolExecutor(given.jobs) as pool:
        for mutation, (code, output) in zip(wanted, pool.map(lambda m: run(root, m.tests, m), wanted), strict=True):
            if code == TESTS_FAILED:
                said = f"noticed by {first_failed(output)}"
            else:
                said = "SURVIVED" if code == 0 else f"TESTS COULD NOT RUN (pytest: {code})"
                missed.append(mutation)
            print(f"{f'{mutation.file}  {mutation.what}':<{width}}  {said}", flush=True)
    print(f"{len(wanted) - len(missed)} of {len(wanted)} changes were noticed.")
    for mutation in missed:
        print(f"not noticed: {mutation.file}: {mutation.what}: {' '.join(mutation.tests)}", file=sys.stderr)
    return 1 if missed else 0


def listed(root: Path) -> Iterator[Mutation]:
    """Yield all changes of the list."""
    for file, entry in tomllib.loads((root / "scripts/mutations.toml").read_text()).items():
        source = (root / "src" / file).read_text()
        tests = tuple(entry["tests"])
        for name in entry.get("numbers", ()):
            node = find(ast.parse(source).body, name)
            if node is None:
                sys.exit(f"mutate: {file} has no {name}")
            old = ast.get_source_segment(source, node) or ""
            for new in neighbours(eval(old, {"__builtins__": {}})):
                yield Mutation(file, f"{name} = {new:g}", replaced(source, node, f"{new!r}"), tests)
        for old, new in entry.get("edits", ()):
            if source.count(old) != 1:
                sys.exit(f"mutate: {file} has not exactly one {old!r}")
            yield Mutation(file, new, source.replace(old, new), tests)


def neighbours(value: float) -> tuple[float, float]:
    """The number a fifth larger and a fifth smaller."""
    if isinstance(value, int):
        step = math.ceil(SHARE * abs(value))
        return value + step, value - step
    return value * (1 + SHARE), value * (1 - SHARE)


def find(body: list[ast.stmt], name: str) -> ast.expr | None:
    """Find the expression that a name stands for.

    ``LIMIT``, ``TABLE.key``, ``CALL.keyword``, ``Class.attribute``, ``function.parameter``.
    """
    first, _, rest = name.partition(".")
    for statement in body:
        match statement:
            case ast.ClassDef(name=found) if found == first:
                return find(statement.body, rest)
            case ast.FunctionDef(name=found) if found == first:
                given = statement.args
                pairs = [*zip(given.args[::-1], given.defaults[::-1], strict=False)]
                pairs += zip(given.kwonlyargs, given.kw_defaults, strict=True)
                return next((default for argument, default in pairs if argument.arg == rest), None)
            case ast.AnnAssign(target=ast.Name(id=found), value=value) if found == first and value is not None:
                return inside(value, rest)
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == first:
                return inside(value, rest)
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                for target, value in zip(names, values, strict=True):
                    if isinstance(target, ast.Name) and target.id == first:
                        return value
    return None


def inside(value: ast.expr, key: str) -> ast.expr | None:
    match value:
        case _ if not key:
            return value
        case ast.Dict(keys=keys, values=values):
            return next((v for k, v in zip(keys, values, strict=True) if getattr(k, "value", None) == key), None)
        case ast.Call(keywords=keywords):
            return next((keyword.value for keyword in keywords if keyword.arg == key), None)
    return None


def replaced(source: str, node: ast.expr, new: str) -> str:
    lines = source.splitlines(keepends=True)
    line = lines[node.lineno - 1].encode()
    lines[node.lineno - 1] = (line[: node.col_offset] + new.encode() + line[node.end_col_offset :]).decode()
    return "".join(lines)


def run(root: Path, tests: list[str] | tuple[str, ...], mutation: Mutation | None = None) -> tuple[int, str]:
    """Run tests against a copy of ``src`` with one change, or none; return pytest's exit code and output."""
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copy = Path(folder, "src")
        shutil.copytree(root / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
        if mutation is not None:
            (copy / mutation.file).write_text(mutation.text)
        # Failures that a change caused are not worth remembering: Hypothesis would, beside the tests.
        env = {
            **os.environ,
            "PYTHONPATH": str(copy),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(Path(folder, "hypothesis")),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # most of the second that pytest takes to start
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *OPTIONS, *tests],
            cwd=root,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    return done.returncode, done.stdout


def first_failed(output: str) -> str:
    lines = (line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR ")))
    return next(lines, "").partition(" ")[2].split(" - ")[0]


if __name__ == "__main__":
    sys.exit(main())
