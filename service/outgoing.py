"""Outgoing requests: to allowed addresses alone, to the very one that was checked, within a deadline."""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import httpcore2

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

CONNECT_WITHIN_S = 5.0
WHOLE_WITHIN_S = 15.0
# Of an answer's body so much is read, and dropped: enough for a polite end, too little to fill anything.
MOST_BODY = 1024
# Only these are given out as addresses of single hosts on the IPv6 internet (RFC 4291).
GLOBAL_UNICAST = IPv6Network("2000::/3")
# The IPv4 address stands in the last four bytes (RFC 6052).
NAT64 = IPv6Network("64:ff9b::/96")
# Every address: for a host that the operator has named, wherever it stands.
ANYWHERE: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


class Trouble(StrEnum):
    """Why there is no answer."""

    WRONG_URL = "wrong_url"
    NO_SUCH_HOST = "no_such_host"
    FORBIDDEN_ADDRESS = "forbidden_address"
    PLAIN_HTTP = "plain_http"
    NO_CONNECTION = "no_connection"
    TLS = "tls"
    TIMEOUT = "timeout"
    NO_HTTP = "no_http"


class UnreachedError(Exception):
    """Nobody answered, or nobody was asked; `trouble` says why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: the status, and the header that says when to come again."""

    status: int
    retry_after: str | None
    body: bytes = b""


def ask(
    method: str,
    url: str,
    body: bytes,
    headers: dict[str, str],
    *,
    networks: Sequence[Network],
    most: int,
) -> Answer:
    """Ask once for an answer of at most so many bytes, under the rules of `post`; raises UnreachedError."""
    try:
        with _opened(method, url, body, headers, networks=networks) as response:
            found = b""
            for chunk in response.iter_stream():
                found += chunk
                if len(found) > most:
                    raise UnreachedError(Trouble.NO_HTTP)
            return Answer(status=response.status, retry_after=None, body=found)
    except (OSError, ValueError, *TROUBLES) as error:
        raise UnreachedError(_trouble_of(error)) from error


def post(
    url: str,
    body: bytes,
    headers: dict[str, str],
    *,
    networks: Sequence[Network],
    resolve: Resolve | None = None,
) -> Answer:
    """Post once, without following anything; raises UnreachedError.

    `networks` are private ones that may be reached, over plain http too; elsewhere only https to public
    addresses is. No proxy of the environment has a say.
    """
    try:
        with _opened("POST", url, body, headers, networks=networks, resolve=resolve) as response:
            # The status has come: whatever becomes of the body, it was heard.
            with suppress(UnreachedError, *TROUBLES):
                _drop(response)
            return Answer(status=response.status, retry_after=_header(response, b"retry-after"))
    except (OSError, ValueError, *TROUBLES) as error:
        raise UnreachedError(_trouble_of(error)) from error


@contextmanager
def _opened(
    method: str,
    url: str,
    body: bytes,
    headers: dict[str, str],
    *,
    networks: Sequence[Network],
    resolve: Resolve | None = None,
) -> Iterator[httpcore2.Response]:
    trouble = trouble_with(url, networks=networks)
    if trouble is not None:
        raise UnreachedError(trouble)
    guard = Guard(
        plain=urlsplit(url).scheme == "http",
        networks=networks,
        resolve=resolve or look_up,
        until=time.monotonic() + WHOLE_WITHIN_S,
    )
    with (
        httpcore2.ConnectionPool(ssl_context=trusted(), network_backend=guard) as pool,
        pool.stream(method, url, headers=[*headers.items()], content=body) as response,
    ):
        yield response


def trouble_with(url: str, *, networks: Sequence[Network]) -> Trouble | None:
    """What can be said against an address before its name is looked up."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return Trouble.WRONG_URL
    fit = url.isascii() and url.isprintable() and " " not in url and not parts.fragment
    if not fit or parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        return Trouble.WRONG_URL
    if parts.scheme == "http" and not networks:
        return Trouble.PLAIN_HTTP
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return None if is_allowed(address, networks) else Trouble.FORBIDDEN_ADDRESS


def is_allowed(address: Address, networks: Sequence[Network]) -> bool:
    """Whether requests may go there: the public internet, and the networks that were named."""
    return _is_in(address, networks) or is_public(address)


def is_public(address: Address) -> bool:
    """Whether this is one host on the public internet, and no other address in disguise."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    if address in NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    in_disguise = address.ipv4_mapped or address.sixtofour or address.teredo
    return address in GLOBAL_UNICAST and address.is_global and not in_disguise


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, each once, in the system's order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@cache
def trusted() -> ssl.SSLContext:
    """Whose certificates count: the system's, or those of SSL_CERT_FILE."""
    return httpcore2.default_ssl_context()


class Guard(httpcore2.NetworkBackend):
    """Connects to what it has checked, and lets nothing take longer than the deadline."""

    def __init__(
        self, *, plain: bool, networks: Sequence[Network], resolve: Resolve, until: float
    ) -> None:
        self.plain = plain
        self.networks = networks
        self.resolve = resolve
        self.until = until
        self.inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Look the name up once, refuse it if one address is not allowed, and connect to one of these."""
        addresses = self._checked(host, port)
        connect_until = min(self.until, time.monotonic() + CONNECT_WITHIN_S)
        for number, address in enumerate(addresses, start=1):
            try:
                stream = self.inner.connect_tcp(
                    address, port, timeout=_left(connect_until), socket_options=socket_options
                )
                return Bounded(stream, until=self.until)
            # The next address may be of the kind that has a route from here.
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise UnreachedError(Trouble.NO_SUCH_HOST)

    def _checked(self, host: str, port: int) -> list[str]:
        try:
            addresses = list(self.resolve(host.strip("[]"), port))
        except (OSError, UnicodeError) as error:
            raise UnreachedError(Trouble.NO_SUCH_HOST) from error
        # A zone behind the address (fe80::1%eth0) does not make it another.
        parsed = [ip_address(address.partition("%")[0]) for address in addresses]
        if not all(is_allowed(address, self.networks) for address in parsed):
            raise UnreachedError(Trouble.FORBIDDEN_ADDRESS)
        if self.plain and not all(_is_in(address, self.networks) for address in parsed):
            raise UnreachedError(Trouble.PLAIN_HTTP)
        return addresses


class Bounded(httpcore2.NetworkStream):
    """A stream whose every step has only the time that is left of the whole."""

    def __init__(self, inner: httpcore2.NetworkStream, *, until: float) -> None:
        self.inner = inner
        self.until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.inner.read(max_bytes, timeout=_left(self.until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.inner.write(buffer, timeout=_left(self.until))

    def close(self) -> None:
        self.inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        inner = self.inner.start_tls(ssl_context, server_hostname, timeout=_left(self.until))
        return Bounded(inner, until=self.until)

    def get_extra_info(self, info: str) -> Any:
        return self.inner.get_extra_info(info)


TROUBLES = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


def _trouble_of(error: BaseException) -> Trouble:
    if isinstance(error, httpcore2.TimeoutException | TimeoutError):
        return Trouble.TIMEOUT
    # httpcore's errors carry what they stand for; their cause is taken off on the way.
    if any(isinstance(each, ssl.SSLError) for each in (error, *error.args)):
        return Trouble.TLS
    if isinstance(error, httpcore2.NetworkError | OSError):
        return Trouble.NO_CONNECTION
    return Trouble.NO_HTTP


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise UnreachedError(Trouble.TIMEOUT)
    return left


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _drop(response: httpcore2.Response) -> None:
    read = 0
    for chunk in response.iter_stream():
        read += len(chunk)
        if read >= MOST_BODY:
            return


def _header(response: httpcore2.Response, name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return None
