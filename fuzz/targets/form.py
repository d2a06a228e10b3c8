"""What a client sends as a form, in pieces of any size."""

import asyncio
import random
from pathlib import Path

from mutate import TEXTS, changed
from starlette.requests import Request

from diarist.server.uploads import FormBounds, read_form

BOUNDS = FormBounds(total_bytes=1 << 20, field_bytes=100_000, fields_bytes=300_000, parts=50, files=5)
TYPES = (
    b"multipart/form-data; boundary=b",
    b'Multipart/Form-Data; charset="utf-8"; boundary="b"',
    b"multipart/form-data; boundary=bb",
    b"multipart/form-data",
    b"application/x-www-form-urlencoded",
    b"audio/wav",
)
NAMES = ("file", "model", "known_speaker_names[]", "hotwords", "url")
LINES = (
    "Content-Type: audio/wav",
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: binary",
    "Content-Length: 3",
    "X: " + "y" * 5000,
)


def make(rng: random.Random) -> bytes:
    """The type on the first line, how many pieces on the second, the body after them."""
    kind = TYPES[0] if rng.random() < 0.8 else rng.choice(TYPES)
    body = b"".join(a_part(rng) for _ in range(rng.choice((0, 1, 2, 3, 8, 60)))) + rng.choice(
        (b"--b--\r\n",) * 4 + (b"",)
    )
    if rng.random() < 0.4:
        body = changed(rng, body)
    return kind + b"\n%d\n" % rng.choice((1, 2, 7, 300)) + body


def a_part(rng: random.Random) -> bytes:
    name = rng.choice(NAMES) if rng.random() < 0.9 else rng.choice(TEXTS)
    head = f'Content-Disposition: form-data; name="{name}"'
    if rng.random() < 0.4:
        head += f'; filename="{rng.choice(TEXTS)}"'
    lines = [head, *rng.sample(LINES, rng.choice((0, 0, 0, 1, 2)))]
    content = rng.choice(
        (b"", b"x", b"\r\n--", b"\r\n--b", rng.randbytes(300), rng.choice(TEXTS).encode("utf-8", "replace"))
    )
    return "\r\n".join(["--b", *lines, "", ""]).encode("utf-8", "replace") + content + b"\r\n"


def run(data: bytes, folder: Path) -> None:
    kind, _, rest = data.partition(b"\n")
    count, _, body = rest.partition(b"\n")
    size = len(body) // max(int(count) if count.isdigit() and len(count) < 6 else 1, 1) + 1
    pieces = iter([body[at : at + size] for at in range(0, len(body), size)])

    async def receive() -> dict[str, object]:
        piece = next(pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    request = Request({"type": "http", "headers": [(b"content-type", kind)]}, receive)
    try:
        with asyncio.run(read_form(request, folder=folder, bounds=BOUNDS)) as form:
            assert len(form.files) <= BOUNDS.files
            for file in form.files:
                assert file.path.parent == folder
                assert file.path.stat().st_size == file.num_bytes
                assert file.filename.isprintable()
                assert "/" not in file.filename
    finally:
        assert not list(folder.iterdir())
