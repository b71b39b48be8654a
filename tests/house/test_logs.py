"""What readers write, and who they are, never reaches a log."""

import io
import json
import logging

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from service import delivery, worker
from service.app import create_app
from service.logs import set_up_logs
from service.moderation import delivery_log, webhooks
from service.moderation.webhooks import Wanted
from service.process import Process
from service.storage.tables import EventKind
from tests.conftest import NOW, PASSWORD, House, put_article
from tests.keyword_scorer import KeywordScorer

CANARIES = {
    "body": "canary-body-words because I saw it",
    "name": "Canary Name",
    "email": "canary@mail.example",
    "url": "https://canary-url.example",
}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Everything the process logs, at the most talkative level."""
    stream = io.StringIO()
    set_up_logs("debug")
    # The test's own client speaks of what it sends; it is no part of the service.
    for client in ("httpx", "httpx2"):
        monkeypatch.setattr(logging.getLogger(client), "disabled", True)
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    return stream


def test_the_whole_path_leaves_no_text_name_address_or_key_in_the_log(
    process: Process, house: House, scorer: KeywordScorer, logged: io.StringIO
) -> None:
    app = create_app(process)
    with TestClient(app, headers=house.auth, raise_server_exceptions=False) as client:
        put_article(client, "a-1")
        author = {k: CANARIES[k] for k in ("name", "email", "url")}
        comment = {"id": "c-1", "article_id": "a-1", "author": author, "body": CANARIES["body"]}
        assert client.post("/api/v1/comments?wait=5", json=comment).status_code == 201
        client.post("/api/v1/comments", json={**comment, "id": "c/2", "extra": CANARIES["body"]})
        client.post("/api/v1/comments", content=CANARIES["body"].encode())
        client.get(f"/api/v1/queue?cursor={CANARIES['body']}")
        client.get(f"/no/such/{CANARIES['body']}")
        client.get(f"/api/v1/authors?email={CANARIES['email']}")
        scorer.trouble = "gone"
        client.post("/api/v1/comments?wait=5", json={**comment, "id": "c-3", "body": "canary-body"})
        worker.work_once(process)
        origin = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
        form = {"email": CANARIES["email"], "password": PASSWORD}
        client.post("/login", data=form, headers=origin)
        process.database.dispose()
    written = logged.getvalue()
    assert '"event": "request"' in written
    for secret in (*CANARIES.values(), "canary", house.key, PASSWORD):
        assert secret.lower() not in written.lower()


def test_a_delivery_leaves_neither_address_nor_secret_in_the_log(
    process: Process, house: House, logged: io.StringIO
) -> None:
    wanted = Wanted(
        id=None,
        url="https://127.0.0.1/canary-token",
        description="canary",
        kinds=frozenset(EventKind),
        active=True,
    )
    secret = process.settings.secret
    [made] = process.database.write(
        lambda s: webhooks.replace(s, house.site_id, [wanted], secret=secret, now=NOW)
    )
    webhook_id = made.webhook.public_id
    process.database.write(lambda s: delivery_log.send_test(s, house.site_id, webhook_id, now=NOW))
    assert delivery.work_once(process)
    written = logged.getvalue()
    assert "forbidden_address" in written
    assert "canary" not in written
    assert made.fresh
    assert made.fresh.removeprefix("whsec_")[:8] not in written


def test_a_crash_can_be_found_in_the_log_by_the_id_its_caller_was_given(
    process: Process, house: House, logged: io.StringIO
) -> None:
    client = TestClient(create_app(process), headers=house.auth, raise_server_exceptions=False)
    with client:
        with process.database.writing() as session:
            session.execute(sa.text("ALTER TABLE events RENAME TO lost"))
        reply = client.get("/api/v1/feed")
    assert (reply.status_code, reply.json()["code"]) == (500, "internal")
    request_id = reply.json()["request_id"]
    assert reply.headers["x-request-id"] == request_id
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    [crash] = [line for line in lines if "frames" in line]
    assert crash["request_id"] == request_id
    assert any("feed.py" in frame for frame in crash["frames"])


def test_a_crash_is_logged_by_its_frames_and_not_by_its_words(logged: io.StringIO) -> None:
    try:
        raise RuntimeError("canary-body")
    except RuntimeError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    written = logged.getvalue()
    assert "RuntimeError" in written
    assert "test_logs.py" in written
    assert "canary-body" not in written
