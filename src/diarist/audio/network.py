"""The network as `diarist.audio.download` may see it: sockets go to checked addresses only, and no wait goes unwatched.

Imported when a URL is fetched, since httpcore takes a while to import.
"""

from __future__ import annotations

import ipaddress
import logging
import ssl
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import httpcore

from diarist.model.errors import InputError

if TYPE_CHECKING:
    from diarist.audio.url_rules import UrlRules

# httpcore's debug log holds response headers, and a redirect's Location may hold a signature.
for _logger in map(logging.getLogger, ("httpcore.http11", "httpcore.connection")):
    if _logger.level == logging.NOTSET:
        _logger.setLevel(logging.INFO)

# Addresses that `ipaddress` calls global, at least in some Python versions, and that yet lead inside.
_ALSO_REFUSED: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "168.63.129.16/32",  # Azure's host agent
        "64:ff9b:1::/48",  # local NAT64 (RFC 8215)
        "2001::/23",  # Teredo and other protocol assignments
        "2002::/16",  # 6to4: carries any IPv4 address
        "fec0::/10",  # site-local (RFC 3879)
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing (RFC 9602)
    )
)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

_TICK: Final = 1.0
"""Seconds of silence after which whoever wants to stop a transfer is asked again."""
_SLICE: Final = 1 << 14
"""Bytes that are sent between two looks at the clock."""


def is_public(address: str) -> bool:
    """Whether an IP address, possibly wrapped as IPv4-mapped or NAT64, is out on the internet."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # includes scoped addresses of unusual form: not public
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None:
            return False
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return (
        ip.is_global
        and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)
        and not any(ip in network for network in _ALSO_REFUSED)
    )


class Watch:
    """What every wait of one transfer is held to: a deadline, a least rate, and whoever may stop it.

    Args:
        name: of what is moved, for messages.
        rules: the least rate.
        deadline: time (`time.monotonic`) after which nothing is waited for.
        tick: called at least once a second while something is waited for; what it raises ends the transfer.
    """

    def __init__(self, name: str, rules: UrlRules, deadline: float, tick: Callable[[], None]) -> None:
        self.deadline = deadline
        self.tick = tick
        self._name = name
        self._rules = rules
        self._since: float | None = None
        self._moved = 0

    def moved(self, num_bytes: int) -> None:
        """Note what came or went.

        Raises:
            InputError: too little of late (``url_too_slow``).
        """
        now = time.monotonic()
        if self._since is None:
            self._since = now
        self._moved += num_bytes
        if now - self._since < self._rules.rate_seconds:
            return
        rate = self._moved / (now - self._since)
        self._since, self._moved = now, 0
        if rate < self._rules.min_rate:
            raise InputError(
                "url_too_slow",
                f"{self._name} moves {rate / 1e3:.1f} kB a second; {self._rules.min_rate / 1e3:.0f} kB are the least.",
                "Try a faster host.",
                http_status=422,
            )


class CheckedBackend(httpcore.NetworkBackend):
    """Resolves a host, checks every address, and connects only to what it checked.

    Args:
        rules: how to resolve, and whether inner addresses are let through.
        watch: holds every wait to its limits.
    """

    def __init__(self, rules: UrlRules, watch: Watch) -> None:
        self._rules = rules
        self._watch = watch
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a host that answers.

        Raises:
            InputError: the host is unknown (``url_unreachable``) or not out on the internet (``url_refused``).
        """
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._addresses(host, port):
            self._watch.tick()
            limit = _left(self._watch.deadline, timeout, httpcore.ConnectTimeout)
            try:
                stream = self._inner.connect_tcp(address, port, limit, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _WatchedStream(stream, self._watch)
        raise failure

    def _addresses(self, host: str, port: int) -> list[str]:
        """Addresses of a host. One inner address among them refuses the host: nobody honest mixes the two."""
        try:
            addresses = list(dict.fromkeys(self._rules.resolve(host, port)))
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise InputError(
                "url_unreachable", f"The host {host} is not known.", "Check the URL and the network.", http_status=422
            )
        if not self._rules.allow_private and not all(is_public(address) for address in addresses):
            raise InputError(
                "url_refused",
                f"{host} is an address inside a private network, which URLs may not reach.",
                "Give a public https URL, or send the recording itself.",
            )
        return addresses


class _WatchedStream(httpcore.NetworkStream):
    """A connection that is given up at the deadline, or when told so, however slowly the other side drips."""

    def __init__(self, inner: httpcore.NetworkStream, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        until = time.monotonic() + _left(self._watch.deadline, timeout, httpcore.ReadTimeout)
        while True:
            self._watch.tick()
            try:
                data = self._inner.read(max_bytes, _left(until, _TICK, httpcore.ReadTimeout))
            except httpcore.ReadTimeout:
                if time.monotonic() >= until:
                    raise
            else:
                self._watch.moved(len(data))
                return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _SLICE):
            self._watch.tick()
            part = buffer[start : start + _SLICE]
            self._inner.write(part, _left(self._watch.deadline, timeout, httpcore.WriteTimeout))
            self._watch.moved(len(part))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limit = _left(self._watch.deadline, timeout, httpcore.ConnectTimeout)
        return _WatchedStream(self._inner.start_tls(ssl_context, server_hostname, limit), self._watch)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(deadline: float, timeout: float | None, error: type[httpcore.TimeoutException]) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise error
    return remaining if timeout is None else min(timeout, remaining)
