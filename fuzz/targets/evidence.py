"""Evidence of a diarizer that was kept in a file: read, and packed again."""

import io
import random
import zipfile
from pathlib import Path

import numpy as np
from mutate import changed

from diarist.diarization.evidence import Evidence

CLASSES = np.repeat(np.arange(6, dtype=np.uint8).reshape(2, 3), [190, 199, 200], axis=1)
GOOD = Evidence(
    "embedded", 11 * 16_000, 16_000, 0, CLASSES,
    np.zeros((2, 589, 3), np.uint8), np.ones((2, 3, 8), np.float16), np.ones((1, 8), np.int8),
).to_bytes()  # fmt: skip


def make(rng: random.Random) -> bytes:
    """One array changed, in an archive that is sound."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as good, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        bad = rng.choice([*good.namelist(), None])
        for name in good.namelist():
            content = good.read(name)
            archive.writestr(name, changed(rng, content) if name == bad else content)
    return out.getvalue()


def run(data: bytes, _folder: Path) -> None:
    Evidence.from_bytes(data).to_bytes()
