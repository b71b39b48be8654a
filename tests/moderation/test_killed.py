"""A process that is killed between its two transactions: nothing acknowledged is missing."""

import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import update

from service import worker
from service.moderation import reading
from service.process import Process, utc_now
from service.settings import Settings
from service.storage.tables import Comment, State
from tests.conftest import ARTICLE_TEXT, House

# A real server whose scorer never answers: every comment stays between the transactions.
SERVER = """
import sys
import uvicorn
from service.app import create_app
from service.moderation.judging import new_owner
from service.process import Process
from service.settings import read_settings
from service.storage.db import open_database
from tests.keyword_scorer import KeywordScorer

settings = read_settings()
scorer = KeywordScorer()
scorer.held_back = []
process = Process(
    settings=settings,
    database=open_database(settings.database_url),
    scorer=scorer,
    owner=new_owner(),
)
uvicorn.run(create_app(process), fd=int(sys.argv[1]), log_level="warning")
"""
ROOT = Path(__file__).parents[2]


def test_what_was_acknowledged_before_a_kill_is_judged_by_the_next_process(
    process: Process, settings: Settings, house: House
) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(listening.fileno())],
        pass_fds=[listening.fileno()],
        cwd=ROOT,
        env={
            "PYTHONPATH": ":".join(sys.path),
            "POSTBAG_DATA_DIR": str(settings.data_dir),
            "POSTBAG_DATABASE_URL": settings.database_url,
            "POSTBAG_WORKER": "separate",
        },
    )
    try:
        acknowledged = _post_twenty(url, house)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
        listening.close()
    assert len(acknowledged) == 20
    process.database.write(
        lambda s: s.execute(update(Comment).values(lease_until=utc_now() - timedelta(seconds=1)))
    )
    while worker.work_once(process):
        pass
    for comment_id in acknowledged:
        view = process.database.read(lambda s, i=comment_id: reading.get(s, house.site_id, i))  # type: ignore[misc]
        assert view.state is State.APPROVED
        assert view.verdict is not None


def _post_twenty(url: str, house: House) -> list[str]:
    """Ids of the comments that the server said it has."""
    acknowledged = []
    with httpx2.Client(base_url=url, headers=house.auth, timeout=10) as client:
        _until_it_answers(client)
        article = {"url": "https://post.example/a-1", "title": "Street", "body": ARTICLE_TEXT}
        assert client.put("/api/v1/articles/a-1", json=article).status_code == 201
        for number in range(20):
            body = {
                "id": f"c-{number}",
                "article_id": "a-1",
                "author": {"name": "Ada"},
                "body": f"A fair point, number {number}",
            }
            reply = client.post("/api/v1/comments?wait=0.05", json=body)
            assert reply.status_code == 202
            acknowledged.append(reply.json()["id"])
    return acknowledged


def _until_it_answers(client: httpx2.Client) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            client.get("/livez")
        except httpx2.TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the server did not start within 30 seconds")
