"""Who may change what: every mutating route of both doors, in one table that must name them all."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session
from starlette.routing import Route
from starlette.testclient import TestClient

from service.app import create_app
from service.moderation import keys, people, sites
from service.process import Process
from service.storage.db import Database
from service.storage.tables import Role, Scope
from tests.conftest import NOW, PASSWORD, House
from tests.house.test_routes import routes

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
MODERATOR, EDITOR, ADMIN = Role.MODERATOR, Role.EDITOR, Role.ADMIN
INGEST, MODERATE, PUBLISH = Scope.INGEST, Scope.MODERATE, Scope.PUBLISH
ARTICLE, COMMENT = "/api/v1/articles/{article_id}", "/api/v1/comments/{comment_id}"
SITE, WEBHOOK = "/api/v1/site", "/api/v1/site/webhooks/{webhook_id}"
DESK = "/desk/{site}"
PICKS = DESK + "/picks/{article_id}"
PERSON = DESK + "/people/{person_id}"

# Of pages: the roles that get through, beside admins. Everybody who is signed in: all roles.
PAGES: dict[str, set[Role]] = {
    DESK + "/review/{comment_id}/decide": {MODERATOR},
    DESK + "/review/{comment_id}/undo": {MODERATOR},
    PICKS + "/choose": {EDITOR},
    PICKS + "/publish": {EDITOR},
    PICKS + "/take-down": {EDITOR},
    PICKS + "/{pick_id}/place": {EDITOR},
    PICKS + "/{pick_id}/drop": {EDITOR},
    PERSON + "/grant": set(),
    PERSON + "/revoke": set(),
    PERSON + "/sign-out": set(),
    PERSON + "/deactivate": set(),
    PERSON + "/activate": set(),
    "/account/end": {MODERATOR, EDITOR},
    "/account/end-others": {MODERATOR, EDITOR},
    "/account/password": {MODERATOR, EDITOR},
}
# Nobody is signed in yet, or not any more.
DOORS = {"/login", "/logout"}
# Of the API: the scopes that get through, beside `admin`.
CALLS: dict[tuple[str, str], set[Scope]] = {
    ("PUT", ARTICLE): {INGEST},
    ("POST", "/api/v1/comments"): {INGEST},
    ("POST", "/api/v1/comments:batch"): {INGEST},
    ("PUT", COMMENT): {INGEST},
    ("DELETE", COMMENT): {INGEST},
    ("POST", COMMENT + "/flags"): {INGEST},
    ("POST", "/api/v1/score"): {INGEST},
    ("POST", COMMENT + "/decisions"): {MODERATE},
    ("POST", "/api/v1/queue/claim"): {MODERATE},
    ("POST", ARTICLE + "/picks"): {PUBLISH},
    ("PATCH", ARTICLE + "/picks/{pick_id}"): {PUBLISH},
    ("DELETE", ARTICLE + "/picks/{pick_id}"): {PUBLISH},
    ("POST", ARTICLE + "/block/publish"): {PUBLISH},
    ("POST", ARTICLE + "/block/withdraw"): {PUBLISH},
    ("PUT", SITE + "/webhooks"): set(),
    ("DELETE", WEBHOOK): set(),
    ("POST", WEBHOOK + "/secret"): set(),
    ("POST", WEBHOOK + "/resume"): set(),
    ("POST", WEBHOOK + "/test"): set(),
    ("POST", WEBHOOK + "/deliveries/{message_id}/replay"): set(),
    ("PUT", SITE + "/rules"): set(),
    ("POST", SITE + "/rules/preview"): set(),
    ("POST", SITE + "/rules/rollback"): set(),
    ("POST", SITE + "/rules/packs/{pack_id}"): set(),
    ("PUT", SITE + "/policy"): set(),
    ("POST", SITE + "/policy/preview"): set(),
    ("POST", SITE + "/policy/rollback"): set(),
    ("PUT", SITE + "/retention"): set(),
    ("POST", SITE + "/retention/preview"): set(),
    ("DELETE", "/api/v1/authors"): set(),
    ("POST", SITE + "/keys"): set(),
    ("DELETE", SITE + "/keys/{key_id}"): set(),
    ("POST", SITE + "/keys/{key_id}/rotate"): set(),
}


def mutating(process: Process) -> Iterator[tuple[str, str]]:
    for path, route in routes(create_app(process).routes):
        assert isinstance(route, Route)
        for method in (route.methods or set()) & UNSAFE:
            yield method, path


def test_every_route_that_changes_something_has_its_line_here(process: Process) -> None:
    found = set(mutating(process))
    pages = {("POST", path) for path in PAGES.keys() | DOORS}
    assert found == pages | CALLS.keys()


def at(path: str) -> str:
    return re.sub(r"\{\w+\}", "no-such", path.replace("{site}", "post"))


@pytest.mark.parametrize("role", [*Role, None])
def test_a_role_opens_its_own_pages_and_no_others(
    process: Process, database: Database, role: Role | None
) -> None:
    def hire(session: Session) -> None:
        person = people.create(session, "p@post.example", name="P", password=PASSWORD, now=NOW)
        if role:
            people.grant(session, person, sites.get(session, "post"), role)

    database.write(hire)
    headers = {"Sec-Fetch-Site": "same-origin"}
    with TestClient(create_app(process), headers=headers, follow_redirects=False) as client:
        client.post("/login", data={"email": "p@post.example", "password": PASSWORD})
        for path, roles in PAGES.items():
            reply = client.post(at(path))
            if role is None:
                assert reply.headers["location"].startswith("/login"), path
                continue
            through = role is ADMIN or role in roles
            assert (reply.status_code == 303) is through, f"{role.value} at {path}"
            assert through or reply.status_code == 403, f"{role.value} at {path}"
            assert not reply.headers.get("location", "").startswith("/login"), path


@pytest.mark.parametrize("scope", list(Scope))
def test_a_scope_opens_its_own_calls_and_no_others(
    client: TestClient, database: Database, house: House, scope: Scope
) -> None:
    site = database.read(lambda s: sites.get(s, house.slug))
    key = database.write(lambda s: keys.create(s, site, name="k", scopes={scope}, now=NOW))
    for (method, path), scopes in CALLS.items():
        reply = client.request(method, at(path), headers={"Authorization": f"Bearer {key}"})
        through = scope is Scope.ADMIN or scope in scopes
        assert (reply.status_code == 403) is not through, f"{scope.value} at {method} {path}"
        assert reply.status_code != 401, f"{scope.value} at {method} {path}"
