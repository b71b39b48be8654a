"""Authors at the API's door: what is kept of one is handed out, and erased when they ask."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from service.app import create_app
from service.moderation import authors, deliveries, erasures, keys, sites, webhooks
from service.moderation.webhooks import Wanted
from service.process import Process
from service.storage.flags import Flag
from service.storage.tables import Author, Comment, EventKind, Scope, State
from tests.conftest import NOW, House, post_comment, put_article

ADA: dict[str, Any] = {"name": "Ada", "id": "u-1", "email": "Ada@mail.example"}
WORDS = "I shop there every week because the bus stops at the door."


@pytest.fixture
def admin(process: Process, house: House) -> Iterator[TestClient]:
    site = process.database.read(lambda s: sites.get(s, house.slug))
    key = process.database.write(
        lambda s: keys.create(s, site, name="admin", scopes=frozenset({Scope.ADMIN}), now=NOW)
    )
    app = create_app(process)
    with TestClient(app, headers={"Authorization": f"Bearer {key}"}) as client:
        put_article(client, "a-1")
        yield client


def export(admin: TestClient, **query: Any) -> Any:
    reply = admin.get("/api/v1/authors", params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()


def erase(admin: TestClient, **query: Any) -> Any:
    reply = admin.delete("/api/v1/authors", params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()


def state_of(admin: TestClient, comment_id: str) -> str:
    return str(admin.get(f"/api/v1/comments/{comment_id}").json()["state"])


def test_an_export_has_everything_that_is_kept(
    admin: TestClient, process: Process, house: House
) -> None:
    wanted = Wanted(
        id=None,
        url="https://receiver.example/",
        description="",
        kinds=frozenset(EventKind),
        active=True,
    )
    secret = process.settings.secret
    process.database.write(
        lambda s: webhooks.replace(s, house.site_id, [wanted], secret=secret, now=NOW)
    )
    post_comment(admin, "c-1", WORDS, author=ADA, ip="203.0.113.7", reactions=3, honeypot="x")
    edit = {"article_id": "a-1", "author": {**ADA, "url": "https://ada.example"}, "body": "Other."}
    admin.put("/api/v1/comments/c-1?wait=5", json=edit)
    post_comment(admin, "c-2", "Yes.", author={"name": "Bob"}, parent_id="c-1")
    report = {"reporter": "u-9", "reason": "abusive", "note": "rude"}
    admin.post("/api/v1/comments/c-1/flags", json=report)
    admin.post("/api/v1/comments/c-2/flags", json={"reporter": "u-1", "note": "wrong"})
    held = {"action": "hold", "reason": "other", "revision": 2, "note": "Ask the desk."}
    admin.post("/api/v1/comments/c-1/decisions", json=held)
    approved = {"action": "approve", "revision": 2, "seen": "held"}
    admin.post("/api/v1/comments/c-1/decisions", json=approved)
    admin.post("/api/v1/articles/a-1/picks", json={"comment_id": "c-1", "revision": 2})
    [webhook_id] = process.database.read(deliveries.list_behind)
    process.database.write(lambda s: deliveries.follow(s, webhook_id, now=NOW))

    found = export(admin, id="u-1")
    [by_id, by_email] = found["known_by"]
    assert by_id == "id:u-1"
    assert len(by_email.removeprefix("email:")) == 64
    [comment] = found["comments"]
    assert (comment["id"], comment["article_id"], comment["state"]) == ("c-1", "a-1", "approved")
    assert len(comment["ip_hash"]) == 64
    assert [(r["revision"], r["body"], r["author_url"]) for r in comment["revisions"]] == [
        (1, WORDS, None),
        (2, "Other.", "https://ada.example"),
    ]
    assert [r["honeypot"] for r in comment["revisions"]] == [True, False]
    assert [r["author_email_domain"] for r in comment["revisions"]] == ["mail.example"] * 2
    assert [score["revision"] for score in comment["scores"]] == [1, 2]
    assert comment["scores"][0]["answer"]["scores"]["insight"] == 0.9
    assert [verdict["revision"] for verdict in comment["verdicts"]] == [1, 2]
    record = [(d["was"], d["now"], d["by"], d["note"]) for d in comment["decisions"]]
    assert record[-2:] == [
        ("approved", "held", "key", "Ask the desk."),
        ("held", "approved", "key", None),
    ]
    assert [(f["reason"], f["note"]) for f in comment["flags"]] == [("abusive", "rude")]
    assert [(p["quote"], p["is_published"]) for p in comment["picks"]] == [("Other.", False)]
    assert comment["deliveries"]
    assert all(message.startswith("msg_") for message in comment["deliveries"])
    assert [(f["comment_id"], f["note"]) for f in found["flags"]] == [("c-2", "wrong")]
    assert "u-9" not in str(found)


def test_an_author_is_found_by_id_by_address_and_by_a_comment(admin: TestClient) -> None:
    post_comment(admin, "c-1", WORDS, author=ADA)
    post_comment(admin, "c-2", "Again.", author={"name": "A.", "email": "ada@mail.example"})
    post_comment(admin, "c-3", "Else.", author={"name": "Bob", "id": "u-2"})
    post_comment(admin, "c-4", "Nobody.", author={"name": "Nobody"})

    def found(**query: str) -> list[str]:
        return [comment["id"] for comment in export(admin, **query)["comments"]]

    assert found(id="u-1") == found(comment_id="c-1") == ["c-1"]
    assert found(email="ADA@mail.example") == ["c-1", "c-2"]
    assert found(comment_id="c-2") == ["c-2"]
    assert found(comment_id="c-4") == ["c-4"]
    assert found(id="u-0") == found(email="nobody@mail.example") == []


def test_an_export_pages_by_comment(admin: TestClient) -> None:
    for n in range(5):
        post_comment(admin, f"c-{n}", f"Number {n}.", author=ADA)
    post_comment(admin, "b-1", "Mine.", author={"name": "Bob"})
    admin.post("/api/v1/comments/b-1/flags", json={"reporter": "u-1"})
    ids, flags, query = [], [], {"id": "u-1", "limit": 2}
    while query:
        page = export(admin, **query)
        ids += [comment["id"] for comment in page["comments"]]
        flags += page["flags"]
        query = query | {"cursor": page["next"]} if page["next"] else {}
    assert ids == [f"c-{n}" for n in range(5)]
    assert len(flags) == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "exactly_one"),
        ({"id": "u-1", "email": "a@b.example"}, "exactly_one"),
        ({"id": ""}, "too_short"),
        ({"id": "a\0b"}, "invalid_text"),
        ({"email": "nobody"}, "wrong_form"),
        ({"comment_id": "a b"}, "invalid_id"),
        ({"name": "Ada"}, "unknown_field"),
    ],
)
def test_an_author_is_named_by_exactly_one(
    admin: TestClient, query: dict[str, str], code: str
) -> None:
    for method in ("GET", "DELETE"):
        reply = admin.request(method, "/api/v1/authors", params=query)
        assert reply.status_code == 422
        assert code in {wrong["code"] for wrong in reply.json()["errors"]}


def test_a_comment_that_is_not_there_is_nobodys(admin: TestClient) -> None:
    for method in ("GET", "DELETE"):
        assert admin.request(method, "/api/v1/authors?comment_id=c-0").status_code == 404


def test_erasing_leaves_others_alone_and_twice_changes_nothing(
    admin: TestClient, process: Process
) -> None:
    post_comment(admin, "c-1", WORDS, author=ADA)
    post_comment(admin, "c-2", "Me too because I can.", author={"name": "Bob"}, parent_id="c-1")
    admin.post("/api/v1/comments/c-2/flags", json={"reporter": "u-1", "note": "wrong"})
    admin.post("/api/v1/articles/a-1/picks", json={"comment_id": "c-1", "revision": 1})
    admin.post("/api/v1/articles/a-1/block/publish", json={"version": 1})
    before = admin.get("/p/post/a-1.json")
    assert erase(admin, email="ada@mail.example") == {"comments": 1, "flags": 1, "remaining": 0}
    after = admin.get("/p/post/a-1.json")
    assert (len(before.json()["items"]), after.json()["items"]) == (1, [])
    assert before.headers["etag"] != after.headers["etag"]
    assert (state_of(admin, "c-1"), state_of(admin, "c-2")) == ("erased", "approved")
    assert admin.get("/api/v1/comments/c-2").json()["flags"] == 1
    feed = admin.get("/api/v1/feed").json()["items"]
    for query in ({"id": "u-1"}, {"email": "ada@mail.example"}, {"comment_id": "c-1"}):
        assert erase(admin, **query) == {"comments": 0, "flags": 0, "remaining": 0}
    assert admin.get("/api/v1/feed").json()["items"] == feed
    assert export(admin, id="u-1") == {"known_by": [], "comments": [], "flags": [], "next": None}
    assert process.database.read(lambda s: s.scalars(sa.select(Flag.note)).all()) == [None]


def test_of_an_unknown_author_one_comment_is_erased(admin: TestClient) -> None:
    for n in (1, 2):
        post_comment(admin, f"c-{n}", f"Number {n}.", author={"name": "Nobody"})
    assert erase(admin, comment_id="c-1")["comments"] == 1
    assert (state_of(admin, "c-1"), state_of(admin, "c-2")) == ("erased", "approved")


def test_a_withdrawn_and_a_held_comment_are_erased_too(admin: TestClient) -> None:
    post_comment(admin, "c-1", WORDS, author=ADA)
    admin.delete("/api/v1/comments/c-1")
    post_comment(admin, "c-2", "Win at the casino.", author=ADA)
    assert erase(admin, id="u-1")["comments"] == 2
    assert {state_of(admin, "c-1"), state_of(admin, "c-2")} == {"erased"}


def test_an_erased_author_may_write_again(admin: TestClient) -> None:
    post_comment(admin, "c-1", WORDS, author=ADA)
    erase(admin, id="u-1")
    assert post_comment(admin, "c-2", "Here I am.", author=ADA).status_code == 201
    assert [comment["id"] for comment in export(admin, id="u-1")["comments"]] == ["c-2"]


def test_of_many_comments_so_many_are_erased_at_a_time(
    admin: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authors, "MOST_ERASED", 2)
    for n in range(5):
        post_comment(admin, f"c-{n}", f"Number {n}.", author=ADA)
    # Asked by the first comment, which leads to the others and so goes last.
    replies = [admin.delete("/api/v1/authors?comment_id=c-0") for _ in range(4)]
    assert [reply.status_code for reply in replies] == [202, 202, 200, 200]
    assert [reply.json()["remaining"] for reply in replies] == [3, 1, 0, 0]
    assert {state_of(admin, f"c-{n}") for n in range(5)} == {"erased"}


def test_a_key_of_another_site_reaches_nobody(
    admin: TestClient, process: Process, house: House
) -> None:
    post_comment(admin, "c-1", WORDS, author=ADA)
    other = process.database.read(lambda s: sites.get(s, "other"))
    key = process.database.write(
        lambda s: keys.create(s, other, name="a", scopes=frozenset({Scope.ADMIN}), now=NOW)
    )
    theirs = {"Authorization": f"Bearer {key}"}
    found = admin.get("/api/v1/authors?id=u-1", headers=theirs).json()
    assert (found["comments"], found["known_by"]) == ([], [])
    assert admin.delete("/api/v1/authors?id=u-1", headers=theirs).json()["comments"] == 0
    assert admin.delete("/api/v1/authors?comment_id=c-1", headers=theirs).status_code == 404
    assert state_of(admin, "c-1") == "approved"


def test_nothing_escapes_or_fails_while_an_author_writes_and_is_erased(
    admin: TestClient, process: Process
) -> None:
    """Whatever was written before the last erasure is erased; whatever came after stands, whole."""
    post_comment(admin, "c-0", "First.", author=ADA)
    statuses: list[int] = []

    def write(part: int) -> None:
        for n in range(10):
            reply = post_comment(admin, f"c-{part}-{n}", f"Words {n} of {part}.", author=ADA)
            statuses.append(reply.status_code)

    writers = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        reply = admin.delete("/api/v1/authors?id=u-1")
        statuses.append(reply.status_code)
    assert set(statuses) <= {200, 201, 202}
    erase(admin, id="u-1")
    with process.database.reading() as session:
        assert set(session.scalars(sa.select(Comment.state))) == {State.ERASED}
        assert len(session.scalars(sa.select(Comment.id)).all()) == 41
        assert session.scalars(sa.select(Author)).all() == []
        record = erasures.listed(session, since=None)
    assert len([row for row in record if row["comment_id"]]) == 41
