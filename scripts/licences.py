"""Lists every distribution that is installed, with its licence: ``make licences``.

In an image: ``docker run --rm -i --entrypoint python IMAGE - < scripts/licences.py``. A distribution is called by the
licence that its own metadata names; what its wheel brings besides, in libraries that others wrote, comes after a plus.
With ``--of FILE`` only those that a file of requirements names; ``requirements/licences.txt`` holds that of the core.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

# By the beginning of a library's name in a wheel. FFmpeg calls itself LGPL there: its configuration is of version 3.
BROUGHT = {
    "libx264": "GPL-2.0-or-later",
    "libx265": "GPL-2.0-or-later",
    "libavcodec": "LGPL-3.0-or-later",
    "libgfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libquadmath": "LGPL-2.1-or-later",
    "libgomp": "GPL-3.0-or-later WITH GCC-exception-3.1",
}


def licence(distribution: Distribution) -> str:
    """What its metadata says: an SPDX expression, else a short text, else what its classifiers name."""
    metadata = distribution.metadata
    for field in ("License-Expression", "License"):
        said = " ".join((metadata.get(field) or "").split())
        if said and said.upper() != "UNKNOWN":
            return said if len(said) <= 80 else f"{said[:60]} …"
    named = [
        line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or () if line.startswith("License ::")
    ]
    return ", ".join(named) or "not said in its metadata"


def brought(distribution: Distribution) -> list[str]:
    """Licences of the libraries in its wheel that bind more than its own."""
    names = [Path(str(file)).name for file in distribution.files or ()]
    found = {f"{lib} {terms}" for lib, terms in BROUGHT.items() if any(name.startswith(lib) for name in names)}
    return sorted(found)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def listed() -> dict[str, tuple[str, str]]:
    """Version and licences by name."""
    return {
        plain(found.metadata["Name"]): (found.version, " + ".join([licence(found), *brought(found)]))
        for found in distributions()
        if found.metadata["Name"]
    }


def required(file: Path) -> set[str]:
    text = file.read_text(encoding="utf-8")
    return {plain(name) for name in re.findall(r"^([A-Za-z0-9][\w.-]*)==", text, re.MULTILINE)}


def main() -> None:
    rows = listed()
    if "--of" in sys.argv:
        wanted = required(Path(sys.argv[sys.argv.index("--of") + 1]))
        for name in sorted(wanted & rows.keys()):
            print(f"{name}\t{rows[name][1]}")
        return
    for name, (version, terms) in sorted(rows.items()):
        print(f"{name:40} {version:16} {terms}")


if __name__ == "__main__":
    main()
