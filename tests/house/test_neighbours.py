"""Another site's key, or person, meets nothing of this site on any route, and changes nothing of it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session
from starlette.routing import Route
from starlette.testclient import TestClient

from service.api.endpoint import Contract, Nothing
from service.api.routes import ROUTES
from service.app import create_app
from service.moderation import deliveries, keys, people, sites
from service.process import Process, utc_now
from service.storage.db import Database
from service.storage.tables import Role, Scope
from service.storage.webhook_tables import Webhook
from tests.conftest import NOW, PASSWORD, House, post_comment, put_article
from tests.house.test_routes import routes

API = "/api/v1"
# What is this site's alone is called so, and stands in no answer to anybody else.
OURS = "ours-"
ARTICLE, COMMENT, HELD = OURS + "article", OURS + "comment", OURS + "held"
PUBLIC_ADDRESS = "https://1.1.1.1/" + OURS + "hook"
WORDS = {"article_id": ARTICLE, "author": {"name": "Eve"}, "body": "Words of another"}
RULE = {"id": "r", "name": "R", "action": "hold", "when": {"words": ["x"]}}
# What each call takes, so that it is refused for whose things it names and for nothing else.
BODIES: dict[str, Any] = {
    "articles.put": {"url": "https://other.example/a", "title": "Another", "body": "Words."},
    "comments.submit": {"id": "theirs", **WORDS},
    "comments.put": WORDS,
    "batch.submit": {"comments": [{"id": "theirs", **WORDS}]},
    "review.decide": {"action": "approve", "revision": 1, "seen": "held"},
    "review.claim": {"number": 10},
    "flags.report": {"reporter": "eve"},
    "picks.choose": {"comment_id": COMMENT, "revision": 1},
    "picks.place": {"position": 1},
    "block.publish": {"version": 1},
    "score.score": {"text": "Words", "article_id": ARTICLE},
    "retention.put": {},
    "retention.preview": {},
    "webhooks.replace": {"items": [{"id": "{webhook_id}", "url": "https://1.1.1.1/theirs"}]},
    "rules.put": {"version": 0, "rules": []},
    "rules.try_out": {"rules": []},
    "rules.roll_back": {"version": 0},
    "rules.load_pack": {"version": 0},
    "policy.put": {"version": 1},
    "policy.try_out": {},
    "policy.roll_back": {"version": 1, "to_version": 1},
    "keys.create": {"name": "theirs", "scopes": ["ingest"]},
    "keys.rotate": {"overlap_hours": 1},
}
# The same id on two sites is two things: these make the neighbour's own, or look for its article.
UPSERTS = {"articles.put": {201}, "comments.submit": {422}, "comments.put": {422}}
# Names an object of the site in its path or query, and nothing that everybody has.
EVERYBODYS = {"pack_id"}


@pytest.fixture
def owner(client: TestClient, database: Database, house: House) -> TestClient:
    """The site's own client, whose key may do everything."""
    site = database.read(lambda s: sites.get(s, house.slug))
    key = database.write(
        lambda s: keys.create(s, site, name=OURS + "key", scopes={Scope.ADMIN}, now=NOW)
    )
    client.headers["Authorization"] = f"Bearer {key}"
    return client


@pytest.fixture
def known(owner: TestClient, database: Database) -> dict[str, str]:
    """Something of every kind on this site, by the names that paths and queries have for it."""
    assert put_article(owner, ARTICLE, title=OURS + "title")
    wanted = {"items": [{"url": PUBLIC_ADDRESS}]}
    [webhook] = owner.put(f"{API}/site/webhooks", json=wanted).json()["items"]
    for comment_id, body in ((COMMENT, "A fair point, ours-words"), (HELD, "Win at the casino")):
        assert post_comment(owner, comment_id, body, article_id=ARTICLE).status_code == 201
    picked = owner.post(
        f"{API}/articles/{ARTICLE}/picks", json={"comment_id": COMMENT, "revision": 1}
    )
    publish = owner.post(f"{API}/articles/{ARTICLE}/block/publish", json={"version": 1})
    assert publish.status_code == 200, publish.text
    rules = [{**RULE, "id": OURS + "rule"}]
    assert owner.put(f"{API}/site/rules", json={"version": 0, "rules": rules}).is_success
    database.write(lambda s: [deliveries.follow(s, w.id, now=utc_now()) for w in s.query(Webhook)])
    log = owner.get(f"{API}/site/webhooks/{webhook['id']}/deliveries").json()["items"]
    listed = owner.get(f"{API}/site/keys").json()["items"]
    return {
        "article_id": ARTICLE,
        "comment_id": COMMENT,
        "pick_id": picked.json()["id"],
        "webhook_id": webhook["id"],
        "message_id": log[0]["id"],
        "key_id": next(key["id"] for key in listed if key["name"] == OURS + "key"),
        "pack_id": "health",
    }


def calls() -> Iterator[tuple[str, str, Contract]]:
    for route in ROUTES:
        contract: Contract = getattr(route.endpoint, "contract")  # noqa: B009 - no such attribute for mypy
        yield next(iter((route.methods or set()) - {"HEAD"})), route.path, contract


def test_every_call_that_takes_a_body_has_one_here() -> None:
    taking = {c.name for _, _, c in calls() if c.body is not Nothing or c.name == "batch.submit"}
    assert taking == BODIES.keys()


def test_another_sites_key_meets_nothing_on_any_route(
    owner: TestClient, known: dict[str, str], database: Database
) -> None:
    other = database.read(lambda s: sites.get(s, "other"))
    key = database.write(lambda s: keys.create(s, other, name="all", scopes={Scope.ADMIN}, now=NOW))
    before = everything(owner, known)
    for method, path, contract in sorted(calls(), key=lambda call: call[2].name == "articles.put"):
        query = {name: known[name] for name in contract.query.model_fields if name in known}
        named = set(re.findall(r"\{(\w+)\}", path)) | set(query)
        body = json.dumps(BODIES.get(contract.name, {}))
        reply = owner.request(
            method,
            API + filled(path, known),
            params=query,
            content=body.replace("{webhook_id}", known["webhook_id"]),
            headers={"Authorization": f"Bearer {key}"},
        )
        told = f"{method} {path} answered {reply.status_code}: {reply.text}"
        names_ours = bool(named - EVERYBODYS) or OURS in body or "{webhook_id}" in body
        if contract.name in UPSERTS:
            assert reply.status_code in UPSERTS[contract.name], told
        elif contract.name == "batch.submit":
            assert [item["status"] for item in reply.json()["items"]] == [422], told
        else:
            assert reply.status_code == 404 if names_ours else reply.status_code < 500, told
        assert names_ours or OURS not in reply.text, told
        assert OURS + "title" not in reply.text, told
        assert OURS + "words" not in reply.text, told
    assert everything(owner, known) == before


def everything(owner: TestClient, known: dict[str, str]) -> dict[str, Any]:
    """All that this site's own key can read."""
    found = {}
    for method, path, contract in calls():
        if method == "GET" and contract.name != "policy.suggest":
            query = {n: known[n] for n in contract.query.model_fields if n in known}
            reply = owner.get(API + filled(path, known), params=query)
            assert reply.status_code == 200, f"{path}: {reply.text}"
            found[path] = reply.json()
    return found


def filled(path: str, known: dict[str, str]) -> str:
    """The path with what is this site's in it; a parameter that is new must be made `known` first."""
    return re.sub(r"\{(\w+)\}", lambda name: known[name[1]], path)


def test_another_sites_person_meets_nothing_on_any_page(
    process: Process, database: Database, known: dict[str, str]
) -> None:
    def hire(session: Session) -> None:
        person = people.create(session, "eve@other.example", name="Eve", password=PASSWORD, now=NOW)
        for role in Role:
            people.grant(session, person, sites.get(session, "other"), role)

    database.write(hire)
    places = {**known, "site": "post", "person_id": "1"}
    headers = {"Sec-Fetch-Site": "same-origin"}
    with TestClient(create_app(process), headers=headers, follow_redirects=False) as eve:
        form = {"email": "eve@other.example", "password": PASSWORD}
        assert eve.post("/login", data=form).status_code == 303
        seen = 0
        for path, route in routes(create_app(process).routes):
            assert isinstance(route, Route)
            if not path.startswith("/desk/{site}"):
                continue
            for method in (route.methods or set()) - {"HEAD"}:
                reply = eve.request(method, filled(path, places))
                assert reply.status_code == 404, f"{method} {path}"
                assert OURS not in reply.text, f"{method} {path}"
                seen += 1
        assert seen > 10
