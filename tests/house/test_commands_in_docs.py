"""Every command that the README and the docs show is run; exceptions carry their reason."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import database_url_of, on_server
from tests.running import Demo

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?:<!-- not executed: (?P<why>.+?) -->\n)?```sh\n(?P<code>.*?)```", re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ADDRESS, DATABASE = (
    "http://127.0.0.1:8765",
    "postgresql+psycopg://postbag:secret@db.example/postbag",
)
# Blocks of this page that are not run; a new one is a decision, not an accident.
EXCEPTIONS = {
    "README.md": 3,
    "operating.md": 1,
    "people.md": 3,
    "policy.md": 3,
    "privacy.md": 3,
    "training.md": 4,
}


def blocks(page: Path) -> list[re.Match[str]]:
    return list(BLOCK.finditer(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_run_or_say_why_not(page: Path) -> None:
    assert page.read_text().count("```sh") == len(blocks(page))
    left_out = [block["why"] for block in blocks(page) if block["why"]]
    assert len(left_out) == EXCEPTIONS.get(page.name, 0), left_out
    if page.name != "README.md":
        assert len(left_out) == len(blocks(page)), "only the README's commands are run below"


@pytest.fixture
def empty_postgresql(postgresql_server: str) -> Any:
    """The address of a database without tables."""
    name = f"postbag_docs_{os.getpid()}"
    on_server(postgresql_server, f'CREATE DATABASE "{name}"')
    yield database_url_of(postgresql_server, name)
    on_server(postgresql_server, f'DROP DATABASE "{name}" WITH (FORCE)')


def test_the_readme_works_from_top_to_bottom(
    demo: Demo, empty_postgresql: str, tmp_path: Path
) -> None:
    """All blocks in one shell and in order, as a reader would; a failing command ends it."""
    if not (shutil.which("curl") and shutil.which("bash")):
        pytest.skip("curl or bash is missing")
    script = "".join(b["code"] for b in blocks(ROOT / "README.md") if not b["why"])
    assert DATABASE in script
    script = script.replace(ADDRESS, demo.url).replace(DATABASE, empty_postgresql)
    # Commands of the second half set up a site of their own; PostgreSQL starts without it.
    script = script.replace(
        "postbag load", "postbag site add my-paper --name 'My Paper'\npostbag load"
    )
    shutil.copytree(ROOT / "tests/data", tmp_path / "tests/data")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "KEY": demo.key,
            "POSTBAG_DATA_DIR": str(tmp_path / "data"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "scores.jsonl").exists()
    assert '"state":"held"' in done.stdout
    assert "new comments, 0 known" in done.stdout


def test_the_readmes_answer_is_the_answer(demo: Demo) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = json.loads(re.findall(r"```json\n(.*?)```", readme, re.DOTALL)[0])
    sent = re.search(r"-d '(\{.*?\})'", readme, re.DOTALL)
    assert sent
    reply = httpx2.post(
        f"{demo.url}/api/v1/comments?wait=10",
        content=sent[1].encode(),
        headers={"Authorization": f"Bearer {demo.key}"},
        timeout=20,
    )
    assert reply.status_code in {200, 201}
    must_agree(shown, reply.json())


def test_the_demo_prints_the_readmes_call_and_it_is_answered(demo: Demo) -> None:
    if not (shutil.which("curl") and shutil.which("bash")):
        pytest.skip("curl or bash is missing")
    readme = re.search(r"-d '(\{.*?\})'", (ROOT / "README.md").read_text(), re.DOTALL)
    printed = re.search(r"^curl .*?-d '(\{.*?\})'$", demo.printed, re.DOTALL | re.MULTILINE)
    assert readme
    assert printed
    assert json.loads(printed[1]) == json.loads(readme[1])
    done = subprocess.run(["bash", "-c", printed[0]], capture_output=True, text=True, check=True)
    [reason] = json.loads(done.stdout)["verdict"]["reasons"]
    assert reason["code"] == "abusive"


def must_agree(shown: Any, real: Any, at: str = "") -> None:
    """What is shown is there; probabilities may differ a little from one processor to another."""
    if isinstance(shown, dict):
        for key, value in shown.items():
            must_agree(value, real[key], f"{at}/{key}")
    elif isinstance(shown, list):
        assert len(shown) == len(real), at
        for index, (one, other) in enumerate(zip(shown, real, strict=True)):
            must_agree(one, other, f"{at}/{index}")
    elif isinstance(shown, float):
        assert real == pytest.approx(shown, abs=0.05), at
    else:
        assert shown == real, at
