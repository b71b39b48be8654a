"""The calls that docs/privacy.md shows are made as they stand there."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.conftest import ROOT
from tests.running import free_port, wait_until_ready

BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
PAGE = (ROOT / "docs/privacy.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8765"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address and key of a service as an operator sets it up."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "POSTBAG_DATA_DIR": str(tmp_path),
        "POSTBAG_PORT": str(port),
    }
    postbag = [sys.executable, "-m", "service"]

    def run(*words: str) -> str:
        done = subprocess.run(
            [*postbag, *words],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    run("migrate")
    run("site", "add", "post", "--name", "The Post")
    [key] = re.findall(r"pb_\S+", run("key", "add", "post", "--scope", "admin"))
    server = subprocess.Popen([*postbag, "serve"], cwd=ROOT, env=environment)
    try:
        wait_until_ready(server, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}", key
    finally:
        server.terminate()
        server.wait(30)


def test_the_pages_calls_export_erase_and_set_days(served: tuple[str, str]) -> None:
    if not (shutil.which("curl") and shutil.which("bash")):
        pytest.skip("curl or bash is missing")
    address, key = served
    comment = {
        "id": "c-17",
        "article_id": "a-1",
        "article": {"url": "https://post.example/a-1", "title": "A title", "body": "Words."},
        "author": {"name": "Ada", "id": "u-17", "email": "ada@mail.example"},
        "body": "I go there because it is near.",
    }
    headers = {"Authorization": f"Bearer {key}"}
    posted = httpx2.post(
        f"{address}/api/v1/comments?wait=10", json=comment, headers=headers, timeout=60
    )
    assert posted.status_code in {201, 202}
    answers = []
    for block in BLOCK.findall(PAGE):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.replace(ADDRESS, address)],
            env={"PATH": os.environ["PATH"], "KEY": key},
            capture_output=True,
            text=True,
            check=True,
        )
        decoder, rest = json.JSONDecoder(), done.stdout
        while rest.strip():
            answer, end = decoder.raw_decode(rest)
            answers.append(answer)
            rest = rest[end:]
    by_id, by_email, by_comment, erased, due, kept = answers
    assert by_id == by_email == by_comment
    assert [each["id"] for each in by_id["comments"]] == ["c-17"]
    assert erased == {"comments": 1, "flags": 0, "remaining": 0}
    assert set(due.values()) == {0}
    assert (kept["events"], kept["approved"]) == (365, None)
