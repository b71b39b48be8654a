"""Running servers: a port to give them, and the moment they are ready."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

STARTS_WITHIN_S = 120
ROOT = Path(__file__).parents[1]
# The real server and its worker; the words that stand for scores spare it the models.
SERVER = """
from service import server
from service.logs import set_up_logs
from service.moderation.judging import new_owner
from service.process import Process
from service.settings import read_settings
from service.storage.db import open_database
from tests.keyword_scorer import KeywordScorer

set_up_logs("info")
settings = read_settings()
process = Process(
    settings=settings,
    database=open_database(settings.database_url),
    scorer=KeywordScorer(),
    owner=new_owner(),
)
server.serve(process, server.open_socket(settings.host, settings.port))
"""


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


@contextmanager
def served(database_url: str, folder: Path) -> Iterator[str]:
    """A live server around a database, and its address."""
    port = free_port()
    with (folder / "log.txt").open("w") as written:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            cwd=ROOT,
            env={
                "PYTHONPATH": ":".join(sys.path),
                "POSTBAG_DATA_DIR": str(folder),
                "POSTBAG_DATABASE_URL": database_url,
                "POSTBAG_PORT": str(port),
                "POSTBAG_KEY_RATE": "0",
            },
            stderr=written,
        )
    try:
        wait_until_ready(server, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)
