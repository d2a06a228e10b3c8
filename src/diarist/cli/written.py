"""What diarist wrote before: so that it replaces its own files, and no others; and where a transcript goes in need.

For each file written, one line with a digest over its recording's place and its content is kept in the user's state
folder: no names and no words. A file that was changed since, or that was made from another recording, is not known.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from diarist.cli.inputs import identity
from diarist.files import user_folder


def remember(source: str, content: bytes) -> None:
    """Note that ``content`` was written for the recording ``source``. Where that cannot be noted, it is forgotten."""
    folder = user_folder("state")
    if folder is None:
        return
    digest = _begin(source)
    digest.update(content)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / "written").open("a", encoding="ascii") as record:
            record.write(f"{digest.hexdigest()}\n")


def is_ours(source: str, file: Path) -> bool:
    """Whether ``file`` is as diarist wrote it for the recording ``source``; nothing is lost with an empty one."""
    folder = user_folder("state")
    try:
        if file.stat().st_size == 0:
            return True
        if folder is None:
            return False
        known = (folder / "written").read_text(encoding="ascii").split()
        digest = _begin(source)
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    except (OSError, ValueError):
        return False
    return digest.hexdigest() in known


def keep(content: bytes, stem: str) -> Path | None:
    """Save a transcript that could not be written where it should, in the state folder or that for temporary files.

    Args:
        content: its JSON.
        stem: the recording's name.

    Returns:
        The new file, which only its owner may read; None where nothing can be written anywhere.
    """
    state = user_folder("state")
    plain = "".join(letter if letter.isalnum() else "_" for letter in stem)[:40]
    for folder in ([state / "unsaved"] if state else []) + [Path(tempfile.gettempdir())]:
        draft = None
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, draft = tempfile.mkstemp(prefix=f"{plain}-", suffix=".json", dir=folder)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
        except (OSError, ValueError):
            if draft is not None:
                with suppress(OSError):
                    Path(draft).unlink()
        else:
            return Path(draft)
    return None


def _begin(source: str) -> hashlib._Hash:
    return hashlib.sha256(os.fsencode(identity(source)) + b"\0")
