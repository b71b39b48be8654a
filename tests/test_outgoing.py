"""Whatever address a site names, and whatever its name resolves to: nothing inside the house is asked."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from service import outgoing
from service.outgoing import Trouble, UnreachedError, is_allowed, post, trouble_with
from tests.receiver import receiving

LOOPBACK = (ip_network("127.0.0.0/8"),)
NOWHERE = "https://hooks.example/in"
Serve = Callable[[socket.socket], None]


@contextmanager
def serving(serve: Serve) -> Iterator[int]:
    """A port whose first caller is served by `serve`, byte by byte."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            try:
                connection, _ = listening.accept()
                with connection:
                    serve(connection)
            except OSError:
                """The caller has hung up, or never came: what the tests look at is the caller."""

        thread = threading.Thread(target=accept)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(20)
        assert not thread.is_alive()


def trouble_of(url: str, *addresses: str, allowed: tuple[str, ...] = ()) -> Trouble:
    """Why nothing came of a request for a name that resolves to these addresses."""
    networks = tuple(ip_network(each) for each in allowed)
    with pytest.raises(UnreachedError) as raised:
        post(url, b"{}", {}, networks=networks, resolve=lambda _host, _port: addresses)
    return raised.value.trouble


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.3.4",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:93.184.216.34",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001:db8::1",
        "2001::1",
        "2002:7f00:1::",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_no_address_inside_is_asked_whatever_name_stands_for_it(address: str) -> None:
    assert not is_allowed(ip_address(address), ())
    assert trouble_of(NOWHERE, address) is Trouble.FORBIDDEN_ADDRESS
    # One address that is not public is enough, wherever it stands.
    assert trouble_of(NOWHERE, "93.184.216.34", address) is Trouble.FORBIDDEN_ADDRESS


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::5db8:d822"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(ip_address(address), ())


def test_an_intranet_is_reached_where_the_setting_names_it_and_nowhere_beside() -> None:
    networks = (ip_network("10.1.0.0/16"), ip_network("fd00:1::/32"))
    assert is_allowed(ip_address("10.1.2.3"), networks)
    assert is_allowed(ip_address("fd00:1::5"), networks)
    assert not is_allowed(ip_address("10.2.0.1"), networks)
    assert not is_allowed(ip_address("169.254.169.254"), networks)
    assert trouble_of(NOWHERE, "10.2.0.1", allowed=("10.1.0.0/16",)) is Trouble.FORBIDDEN_ADDRESS


def test_plain_http_goes_to_the_named_networks_only() -> None:
    assert trouble_with("http://cms.example/", networks=()) is Trouble.PLAIN_HTTP
    assert trouble_of("http://cms.example/", "93.184.216.34") is Trouble.PLAIN_HTTP
    plain = trouble_of("http://cms.example/", "93.184.216.34", allowed=("10.1.0.0/16",))
    assert plain is Trouble.PLAIN_HTTP


def test_names_of_this_machine_are_looked_up_and_refused() -> None:
    for name in ("localhost", "2130706433", "0x7f.1", "127.1"):
        with pytest.raises(UnreachedError) as raised:
            post(f"https://{name}/", b"{}", {}, networks=())
        assert raised.value.trouble in {Trouble.FORBIDDEN_ADDRESS, Trouble.NO_SUCH_HOST}, name


def test_the_connection_goes_to_the_very_address_that_was_checked() -> None:
    """A name that changes its mind between the look and the call gains nothing: it is asked once."""
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    with receiving() as receiver:
        receiver.verifies = False
        url = receiver.url.replace("127.0.0.1", "hooks.example")
        answer = post(url, b'{"type": "x"}', {"A": "b"}, networks=LOOPBACK, resolve=resolve)
        [heard] = receiver.heard
    assert answer.status == 204
    assert len(asked) == 1
    assert heard.headers["host"].startswith("hooks.example:")
    assert (heard.headers["a"], heard.body) == ("b", b'{"type": "x"}')


def test_the_next_address_is_tried_where_the_first_does_not_answer() -> None:
    with receiving() as receiver:
        receiver.verifies = False
        with socket.socket() as taken:
            # Bound and not listening: whoever calls is refused.
            taken.bind(("127.0.0.2", int(receiver.url.rpartition(":")[2].partition("/")[0])))
            answer = post(
                receiver.url.replace("127.0.0.1", "hooks.example"),
                b"{}",
                {},
                networks=LOOPBACK,
                resolve=lambda _host, _port: ["127.0.0.2", "127.0.0.1"],
            )
    assert answer.status == 204


def test_a_proxy_of_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with receiving() as receiver:
        receiver.verifies = False
        assert post(receiver.url, b"{}", {}, networks=LOOPBACK).status == 204


def test_who_refuses_the_connection_or_speaks_no_http_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert trouble_of(url, "127.0.0.1", allowed=("127.0.0.0/8",)) is Trouble.NO_CONNECTION

    def greet(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"220 mail.example ESMTP\r\n")

    with serving(greet) as port:
        url = f"http://127.0.0.1:{port}/"
        assert trouble_of(url, "127.0.0.1", allowed=("127.0.0.0/8",)) is Trouble.NO_HTTP


def test_a_name_that_does_not_resolve_is_named() -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(UnreachedError) as raised:
        post(NOWHERE, b"{}", {}, networks=(), resolve=resolve)
    assert raised.value.trouble is Trouble.NO_SUCH_HOST
    assert trouble_of(NOWHERE) is Trouble.NO_SUCH_HOST


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"])
def test_a_drip_of_bytes_ends_at_the_deadline_of_the_whole(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No single wait is long: it is their sum that counts, in the head and in the body."""
    monkeypatch.setattr(outgoing, "WHOLE_WITHIN_S", 0.5)
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(sent)
        while not over.wait(0.05):
            connection.sendall(b"H")

    with serving(drip) as port:
        started = time.monotonic()
        url = f"http://127.0.0.1:{port}/"
        if sent:
            # Heard is heard, whatever becomes of the body.
            assert post(url, b"{}", {}, networks=LOOPBACK).status == 200
        else:
            assert trouble_of(url, "127.0.0.1", allowed=("127.0.0.0/8",)) is Trouble.TIMEOUT
        over.set()
    assert time.monotonic() - started < 5


def test_of_an_answer_a_kilobyte_is_read_and_no_more() -> None:
    sent = 0

    def flood(connection: socket.socket) -> None:
        nonlocal sent
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            sent += connection.send(b"x" * 65536)

    with serving(flood) as port:
        answer = post(f"http://127.0.0.1:{port}/", b"{}", {}, networks=LOOPBACK)
    assert answer.status == 200
    # What fits into the buffers of the two sockets, far from what was announced.
    assert sent < 50_000_000


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of hooks.example, signed by nobody but itself, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=hooks.example "
        "-addext subjectAltName=DNS:hooks.example -keyout key.pem -out certificate.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "certificate.pem").read_text())
    return both


@pytest.mark.parametrize(
    ("name", "trusted", "expected"),
    [
        ("hooks.example", True, None),
        ("hooks.example", False, Trouble.TLS),
        ("other.example", True, Trouble.TLS),
    ],
)
def test_over_https_the_certificate_must_be_trusted_and_of_that_name(
    name: str,
    trusted: bool,
    expected: Trouble | None,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            heard.append(secured.recv(4096))
            secured.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    outgoing.trusted.cache_clear()
    try:
        with serving(serve) as port:
            url = f"https://{name}:{port}/"
            if expected is None:
                answer = post(
                    url, b"{}", {}, networks=LOOPBACK, resolve=lambda _h, _p: ["127.0.0.1"]
                )
                assert answer.status == 204
            else:
                assert trouble_of(url, "127.0.0.1", allowed=("127.0.0.0/8",)) is expected
    finally:
        outgoing.trusted.cache_clear()
    assert bool(heard) is (expected is None)
