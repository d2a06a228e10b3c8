"""URLs from strangers and redirects from strangers' servers; nothing is resolved or connected to."""

import io
import random
import ssl
from pathlib import Path

import httpx
from mutate import TEXTS, changed

from diarist.audio.download import download
from diarist.audio.url_rules import UrlRules, checked_url, url_name
from diarist.model.errors import InputError

PARTS = (
    "https:", "http:", "//", "/", "\\", "@", ":", "?", "#", "[", "]", "%", "%00", "%2f", ".", "..", "xn--", "zzzz",
    "a", "é", "127.0.0.1", "::1", "[::ffff:127.0.0.1]", "[fe80::1%25eth0]", "0x7f.1", "2130706433", "localhost",
    "example.org", "443", "65536", "-1", "user:secret", "。", "①", "\u200d", "\u00ad", "\ud800", "\t", "\r\n", " ",
    "call.wav", "a" * 64, "a." * 130,
)  # fmt: skip
RULES = UrlRules(resolve=lambda _host, _port: [], ssl_context=ssl.create_default_context())


def make(rng: random.Random) -> bytes:
    def one() -> str:
        if rng.random() < 0.4:
            return f"https://example.org{rng.choice(('', ':443', '.'))}/{rng.choice(PARTS)}"
        start = rng.choice(("https://", "https://example.org/", "https://8.8.8.8/", "https://xn--", "//", ""))
        return start + "".join(rng.choice(rng.choice((PARTS, TEXTS))) for _ in range(rng.choice((1, 2, 3, 6))))

    data = f"{one()}\n{one()}".encode("utf-8", "surrogatepass")
    return changed(rng, data) if rng.random() < 0.3 else data


def run(data: bytes, _folder: Path) -> None:
    first, _, second = data.decode("utf-8", "surrogateescape").partition("\n")
    refusal = None
    for url in (first, second):
        try:
            name = url_name(url, RULES)
            assert name.isprintable()
            download(url, io.BytesIO(), RULES)
        except InputError as error:
            if error.code != "url_unreachable":  # nobody knows any host here
                refusal = error
    try:
        target = checked_url(second, RULES, base=httpx.URL("https://example.org/a/b?c"))
    except InputError as error:
        refusal = error
    else:
        assert target.scheme == "https"
        assert target.host
    if refusal is not None:
        raise refusal
