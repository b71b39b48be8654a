"""A real browser before a real server with the shipped weights."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.running import free_port, wait_until_ready

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A running `postbag demo`, and what it printed."""

    url: str
    moderator: tuple[str, str]
    editor: tuple[str, str]
    key: str
    printed: str


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`postbag demo` as an operator starts it, on a free port and fresh data."""
    folder = tmp_path_factory.mktemp("demo")
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "POSTBAG_DATA_DIR": str(folder),
        "POSTBAG_PORT": str(port),
    }
    output = folder / "printed.txt"
    with output.open("w") as printed:
        server = subprocess.Popen(
            [sys.executable, "-m", "service", "demo"],
            cwd=ROOT,
            env=environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_ready(server, f"http://127.0.0.1:{port}")
        yield _read_off(output.read_text(), f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is found; `apt-get install chromium` brings one")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh profile, as wide as a laptop; a fault in a page's script or policy fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB")
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "console",
        lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None,
    )
    yield opened
    context.close()
    assert faults == []


def _read_off(printed: str, url: str) -> Demo:
    lines = [line.split() for line in printed.splitlines()]
    told = {line[0]: line[1:] for line in lines if line}
    return Demo(
        url=url,
        moderator=(told["moderator"][0], told["moderator"][1]),
        editor=(told["editor"][0], told["editor"][1]),
        key=told["API"][1],
        printed=printed,
    )
