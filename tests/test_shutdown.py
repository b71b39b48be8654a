"""A server that is asked to stop says so first, finishes what is in hand, and loses nothing."""

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa

from service.settings import Settings
from service.storage.db import Database
from service.storage.tables import Comment, State
from tests.conftest import ARTICLE_TEXT, House

ROOT = Path(__file__).parents[1]
DRAIN_S = 2
# The real server, whose scorer takes its time: there is always something in hand.
SERVER = """
import socket, sys, threading
from service import server
from service.logs import set_up_logs
from service.moderation.judging import new_owner
from service.process import Process
from service.settings import read_settings
from service.storage.db import open_database
from tests.keyword_scorer import KeywordScorer, answer
from concurrent.futures import Future

class Slow(KeywordScorer):
    def ask(self, question):
        future = Future()
        threading.Timer(0.2, lambda: future.set_result(answer(question))).start()
        return future

set_up_logs("info")
settings = read_settings()
process = Process(
    settings=settings,
    database=open_database(settings.database_url),
    scorer=Slow(),
    owner=new_owner(),
)
server.serve(process, socket.socket(fileno=int(sys.argv[1])))
"""


def test_nothing_acknowledged_is_lost_when_a_loaded_server_is_stopped(
    settings: Settings, database: Database, house: House, tmp_path: Path
) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    log = tmp_path / "log.txt"
    with log.open("w") as written:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            cwd=ROOT,
            env={
                "PYTHONPATH": ":".join(sys.path),
                "POSTBAG_DATA_DIR": str(settings.data_dir),
                "POSTBAG_DATABASE_URL": settings.database_url,
                "POSTBAG_DRAIN": str(DRAIN_S),
            },
            stderr=written,
        )
    listening.close()
    acknowledged: dict[str, int] = {}
    after_the_signal: list[int] = []
    stopped = threading.Event()

    def post(writer: int) -> None:
        with httpx2.Client(base_url=url, headers=house.auth, timeout=30) as client:
            for number in range(10_000):
                comment_id = f"c-{writer}-{number}"
                body = {
                    "id": comment_id,
                    "article_id": "a-1",
                    "author": {"name": "Ada"},
                    "body": f"Words number {number} of {writer}.",
                }
                signalled = stopped.is_set()
                try:
                    # Some do not wait for the verdict: it is due all the same.
                    reply = client.post(f"/api/v1/comments?wait={number % 2 * 5}", json=body)
                except httpx2.TransportError:
                    return
                assert reply.status_code in {201, 202}, reply.text
                acknowledged[comment_id] = reply.status_code
                if signalled:
                    after_the_signal.append(reply.status_code)

    with httpx2.Client(base_url=url, headers=house.auth, timeout=30) as client:
        article = {"url": "https://post.example/a", "title": "T", "body": ARTICLE_TEXT}
        assert client.put("/api/v1/articles/a-1", json=article).is_success
        assert client.get("/readyz").status_code == 200
        writers = [threading.Thread(target=post, args=(n,)) for n in range(6)]
        for writer in writers:
            writer.start()
        time.sleep(1)
        server.send_signal(signal.SIGTERM)
        stopped.set()
        time.sleep(DRAIN_S / 4)
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "stopping")
        assert client.get("/livez").status_code == 200
    for writer in writers:
        writer.join(60)
    assert server.wait(60) == 0
    assert after_the_signal, "requests are taken while it drains"
    assert len(acknowledged) > 20
    with database.reading() as session:
        states = dict(session.execute(sa.select(Comment.public_id, Comment.state)).all())
    assert set(acknowledged) <= set(states)
    judged = [states[comment_id] for comment_id, status in acknowledged.items() if status == 201]
    assert State.RECEIVED not in judged
    said = log.read_text()
    assert "Traceback" not in said
    assert '"frames"' not in said
    assert "worker.stopped" in said


def test_who_is_asked_twice_stops_at_once(
    settings: Settings, database: Database, tmp_path: Path
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
            "POSTBAG_DRAIN": "300",
        },
        stderr=subprocess.DEVNULL,
    )
    listening.close()
    assert httpx2.get(f"{url}/readyz", timeout=30).status_code == 200
    server.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        server.wait(1)
    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0
