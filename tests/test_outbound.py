"""Nothing phones home: not `serve`, not `demo`, not `score`, nor any process they start."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.outbound import is_supported
from tests.running import free_port, wait_until_ready

pytestmark = pytest.mark.skipif(not is_supported(), reason="seccomp is known for Linux only")

ROOT = Path(__file__).parents[1]
CALL_OUT = "import socket; s = socket.socket(); s.settimeout(1); s.connect(('192.0.2.1', 80))"
CAUGHT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CALL_OUT!r}])"
LOOK_UP = "import socket\ntry: socket.getaddrinfo('telemetry.invalid', 443)\nexcept OSError: pass"


def start(folder: Path, *command: str, port: int = 0) -> "subprocess.Popen[bytes]":
    """A process in the trap, in a folder of its own, with CI unset."""
    with (folder / "stderr.txt").open("w") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.outbound", str(folder / "record"), *command],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "POSTBAG_DATA_DIR": str(folder / "data"),
                "POSTBAG_PORT": str(port),
            },
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )


def attempts(folder: Path) -> str:
    record = folder / "record"
    return record.read_text() if record.exists() else ""


@pytest.mark.parametrize("code", [CALL_OUT, CAUGHT, LOOK_UP], ids=["call", "child", "look-up"])
def test_the_trap_catches(tmp_path: Path, code: str) -> None:
    process = start(tmp_path, "-c", code)
    process.wait(60)
    assert attempts(tmp_path)
    if code == CALL_OUT:
        assert process.returncode == -signal.SIGSYS


def test_scoring_a_file_calls_nobody(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"id": 1, "text": "I walk there.", "article_title": "The quay"}\n')
    process = start(tmp_path, "-m", "service", "score", str(source), "--out", str(out))
    assert process.wait(120) == 0, (tmp_path / "stderr.txt").read_text()
    assert json.loads(out.read_text())["id"] == 1
    assert attempts(tmp_path) == ""


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_serving_calls_nobody(tmp_path: Path, command: str) -> None:
    if command == "serve":
        assert start(tmp_path, "-m", "service", "migrate").wait(60) == 0
    port = free_port()
    process = start(tmp_path, "-m", "service", command, port=port)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(process, url)
        assert httpx2.get(f"{url}/login").status_code == 200
        httpx2.get(f"{url}/p/harbour-post/quay-street-closure.html")
    finally:
        process.terminate()
    assert process.wait(30) == 0, (tmp_path / "stderr.txt").read_text()
    assert attempts(tmp_path) == ""
