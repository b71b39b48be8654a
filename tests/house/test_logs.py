"""What readers write, and who they are, never reaches a log."""

import io
import json
import logging
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from service import delivery, worker
from service.app import create_app
from service.logs import set_up_logs
from service.moderation import delivery_log, keys, sites, webhooks
from service.moderation.webhooks import Wanted
from service.process import Process
from service.storage.tables import EventKind, Scope
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


@pytest.mark.parametrize("broken", [False, True], ids=["whole", "broken"])
def test_no_field_of_any_call_or_page_reaches_the_log_on_whatever_path(
    process: Process, house: House, logged: io.StringIO, broken: bool
) -> None:
    """Every route with marked words wherever a caller may put some, as nobody, as a backend and as staff."""
    scopes = frozenset(Scope)
    site = process.database.read(lambda s: sites.get(s, house.slug))
    key = process.database.write(lambda s: keys.create(s, site, name="all", scopes=scopes, now=NOW))
    app = create_app(process)
    walked = list(every_route(list(app.routes)))
    assert len(walked) > 50
    with TestClient(app, raise_server_exceptions=False) as client:
        for email in (house.moderator, house.editor):
            form = {"email": email, "password": PASSWORD}
            assert client.post("/login", data=form, headers=SAME_ORIGIN).status_code == 200
            if broken:
                with process.database.writing() as session:
                    for table in ("articles", "webhooks", "rule_books"):
                        session.execute(sa.text(f"ALTER TABLE {table} RENAME TO {table}_lost"))
            for path, route in walked:
                ask_everything(client, path, route, key)
            if broken:
                break
        client.cookies.clear()
        for path, route in walked:
            ask_everything(client, path, route, "pb_canary-key")
    written = logged.getvalue()
    assert written.count('"event": "request"') > 3 * len(walked)
    assert ('"frames"' in written) is broken
    assert "canary" not in written.lower()
    assert key not in written
    assert PASSWORD not in written


SAME_ORIGIN = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
# A rule's conditions may hold conditions without end.
DEEPEST = 12
CANARY = "Canary Name <canary@mail.example> https://canary.example/?canary because canary"
# Every field of every form, and some that no form has.
FORM = dict.fromkeys(
    ("email", "password", "next", "note", "reason", "action", "quote", "reasons", "version", "x"),
    CANARY,
)


def every_route(found: list[Any], above: str = "") -> Iterator[tuple[str, Route]]:
    for route in found:
        if isinstance(route, Mount):
            yield from every_route(list(route.routes), above + route.path)
        elif isinstance(route, Route):
            yield above + route.path, route


def ask_everything(client: TestClient, path: str, route: Route, key: str) -> None:
    """A route by an id and by a name in its place, with all of its fields, with none of its form, and with noise."""
    headers = {
        **SAME_ORIGIN,
        "Authorization": f"Bearer {key}",
        "User-Agent": CANARY,
        "Referer": CANARY,
        "X-Forwarded-For": "canary-address",
        "X-Request-Id": "canary@mail.example",
        "X-Canary": CANARY,
    }
    contract = getattr(route.endpoint, "contract", None)
    body = filled(contract.body.model_json_schema()) if contract else {"canary": CANARY}
    query = {name: CANARY for name in ("q", "cursor", "after", "article_id", "wait", "limit")}
    method = next(iter((route.methods or {"GET"}) - {"HEAD"}))
    plain = re.sub(r"\{site\}", "post", path)
    known, named = re.sub(r"\{\w+\}", "x-1", plain), re.sub(r"\{\w+\}", "Canary%20Name", plain)
    ask = partial(client.request, method, headers=headers, follow_redirects=False)
    ask(known, json=body)
    ask(known, json=body, params=query)
    ask(known, json={"canary": CANARY, **{k: [CANARY] for k in body}})
    ask(known, content=CANARY.encode())
    ask(known, data=FORM)
    ask(named, json=body)
    client.request("CANARY", known, headers=headers)


def filled(schema: dict[str, Any], within: dict[str, Any] | None = None, depth: int = 0) -> Any:
    """A value that fits a schema as far as shapes go, with marked words in every string."""
    within, depth = within or schema, depth + 1
    if depth > DEEPEST:
        return CANARY
    if "$ref" in schema:
        return filled(within["$defs"][schema["$ref"].rpartition("/")[2]], within, depth)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    for choice in schema.get("anyOf", ()):
        return filled(choice, within, depth)
    kind = schema.get("type")
    if kind == "object":
        return {
            name: filled(each, within, depth) for name, each in schema.get("properties", {}).items()
        }
    if kind == "array":
        return [filled(schema["items"], within, depth)] if "items" in schema else [CANARY]
    if kind == "string" and "pattern" in schema:
        return "x-1"
    times = {"date-time": "2026-11-25T00:00:00Z"}
    return {
        "string": times.get(schema.get("format", ""), CANARY),
        "integer": 1,
        "number": 0.5,
        "boolean": True,
    }.get(str(kind), CANARY)


def test_a_request_is_known_by_its_proxys_id_where_that_is_plain(
    process: Process, house: House, logged: io.StringIO
) -> None:
    with TestClient(create_app(process), headers=house.auth) as client:
        plain = "0af7651916cd43dd8448eb211c80319c"
        reply = client.get("/api/v1/comments/none", headers={"X-Request-Id": plain})
        assert reply.headers["x-request-id"] == reply.json()["request_id"] == plain
        for unfit in ("short", "x" * 65, "me@mail.example", "two words", "", 'a"}\\n{"b'):
            given = client.get("/livez", headers={"X-Request-Id": unfit}).headers["x-request-id"]
            assert re.fullmatch(r"[0-9a-f]{16}", given)
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    [line] = [line for line in lines if line.get("request_id") == plain]
    assert line["route"] == "/api/v1/comments/{comment_id}"
    assert (line["comment_id"], line["status"]) == ("none", 404)


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
