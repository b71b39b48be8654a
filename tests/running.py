"""Running servers: a port to give them, and the moment they are ready."""

import socket
import subprocess
import time
from dataclasses import dataclass

import httpx2
import pytest

STARTS_WITHIN_S = 120


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A running `postbag demo`, and what it printed."""

    url: str
    moderator: tuple[str, str]
    editor: tuple[str, str]
    key: str
    printed: str


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(server: "subprocess.Popen[bytes]", url: str) -> None:
    """Come back when the server says that database and models answer; fail when it ends or takes too long."""
    end = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < end:
        if server.poll() is not None:
            pytest.fail(f"the server ended with {server.returncode}")
        try:
            if httpx2.get(f"{url}/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"the server did not start within {STARTS_WITHIN_S} s")


def read_off(printed: str, url: str) -> Demo:
    """What an operator reads on the terminal."""
    lines = [line.split() for line in printed.splitlines()]
    told = {line[0]: line[1:] for line in lines if line}
    return Demo(
        url=url,
        moderator=(told["moderator"][0], told["moderator"][1]),
        editor=(told["editor"][0], told["editor"][1]),
        key=told["API"][1],
        printed=printed,
    )
