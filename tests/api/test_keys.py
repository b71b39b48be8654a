"""Keys through the API: made, listed, rotated with an overlap, ended; never more than the one that asks."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.errors import Unauthorized
from service.moderation import keys, sites
from service.process import utc_now
from service.storage.db import Database
from service.storage.tables import Key, Scope
from tests.conftest import NOW, House

PATH = "/api/v1/site/keys"
Call = Callable[..., Any]


def auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def admin_key(database: Database, house: House) -> str:
    return database.write(
        lambda s: keys.create(
            s, sites.get(s, house.slug), name="boss", scopes={Scope.ADMIN}, now=NOW
        )
    )


@pytest.fixture
def admin(client: TestClient, admin_key: str) -> Call:
    """Calls with a key for everything."""

    def call(method: str, path: str = "", body: Any = None) -> Any:
        return client.request(method, PATH + path, json=body, headers=auth(admin_key))

    return call


def make(admin: Call, *scopes: str, **fields: Any) -> dict[str, Any]:
    reply = admin("POST", body={"name": "made", "scopes": list(scopes), **fields})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


def status(client: TestClient, key: str) -> int:
    return client.get("/api/v1/queue", headers=auth(key)).status_code


def test_a_key_is_shown_once_and_listed_by_its_first_letters(
    admin: Call, client: TestClient
) -> None:
    made = make(admin, "moderate")
    assert status(client, made["key"]) == 200
    listed = admin("GET")
    assert made["key"] not in listed.text
    [row] = [item for item in listed.json()["items"] if item["id"] == made["id"]]
    assert made["key"].startswith(row["prefix"])
    assert row["scopes"] == ["moderate"]
    assert (row["rotated"], row["revoked_at"], row["expires_at"]) == (False, None, None)


def test_the_day_of_the_last_call_says_which_keys_nobody_uses(
    admin: Call, client: TestClient, database: Database
) -> None:
    made = make(admin, "moderate")

    def used() -> Any:
        items = admin("GET").json()["items"]
        return next(item["used_on"] for item in items if item["id"] == made["id"])

    assert used() is None
    status(client, made["key"])
    today = utc_now().date()
    assert used() == today.isoformat()
    long_ago = today - timedelta(days=40)
    with database.writing() as session:
        key = session.query(Key).filter(Key.public_id == made["id"]).one()
        keys.note_use(session, key.id, on=long_ago)
    assert used() == long_ago.isoformat()
    status(client, made["key"])
    assert used() == today.isoformat()


def test_both_keys_work_until_the_overlap_is_over(
    admin: Call, client: TestClient, database: Database, house: House
) -> None:
    old = make(admin, "ingest", "moderate")
    new = admin("POST", f"/{old['id']}/rotate", {"overlap_hours": 2}).json()
    assert (new["name"], new["scopes"], new["expires_at"]) == (old["name"], old["scopes"], None)
    assert (status(client, old["key"]), status(client, new["key"])) == (200, 200)
    over = utc_now() + timedelta(hours=2, seconds=1)
    with database.reading() as session:
        assert keys.authenticate(session, new["key"], now=over).site == house.slug
        with pytest.raises(Unauthorized):
            keys.authenticate(session, old["key"], now=over)
        before = over - timedelta(minutes=1)
        assert keys.authenticate(session, old["key"], now=before).site == house.slug
    twice = admin("POST", f"/{old['id']}/rotate", {})
    assert (twice.status_code, twice.json()["code"]) == (409, "already_rotated")


def test_an_overlap_of_nothing_ends_the_old_key_at_once(admin: Call, client: TestClient) -> None:
    old = make(admin, "moderate")
    new = admin("POST", f"/{old['id']}/rotate", {"overlap_hours": 0}).json()
    assert (status(client, old["key"]), status(client, new["key"])) == (401, 200)
    refused = admin("POST", f"/{new['id']}/rotate", {"overlap_hours": 721})
    assert refused.json()["errors"][0]["pointer"] == "/overlap_hours"


def test_a_revoked_key_opens_nothing_and_is_not_rotated_into_a_living_one(
    admin: Call, client: TestClient
) -> None:
    made = make(admin, "moderate")
    assert admin("DELETE", f"/{made['id']}").status_code == 204
    assert status(client, made["key"]) == 401
    assert admin("DELETE", f"/{made['id']}").status_code == 204
    refused = admin("POST", f"/{made['id']}/rotate", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "key_is_over")


def test_a_key_that_is_on_its_way_out_makes_none_that_outlives_it(
    admin: Call, client: TestClient
) -> None:
    """Somebody who stole the old key must not be able to keep the door open."""
    soon = (utc_now() + timedelta(hours=1)).isoformat()
    headers = auth(make(admin, "admin", expires_at=soon)["key"])
    body = {"name": "x", "scopes": ["ingest"]}
    refused = client.post(PATH, json=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "exceeds_own")
    assert client.post(PATH, json={**body, "expires_at": soon}, headers=headers).status_code == 201
    lasting = make(admin, "ingest")
    refused = client.post(f"{PATH}/{lasting['id']}/rotate", json={}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "exceeds_own")


def test_the_last_key_with_admin_cannot_end_itself(admin: Call, admin_key: str) -> None:
    [own] = [item for item in admin("GET").json()["items"] if admin_key.startswith(item["prefix"])]
    refused = admin("DELETE", f"/{own['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "last_admin_key")
    make(admin, "admin")
    assert admin("DELETE", f"/{own['id']}").status_code == 204
    assert admin("GET").status_code == 401


def test_a_key_in_its_overlap_does_not_end_the_one_that_follows_it(
    admin: Call, client: TestClient, admin_key: str
) -> None:
    """Or whoever has the old one could leave the site without any."""
    [own] = [item for item in admin("GET").json()["items"] if admin_key.startswith(item["prefix"])]
    new = admin("POST", f"/{own['id']}/rotate", {}).json()
    refused = admin("DELETE", f"/{new['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "last_admin_key")
    ended = client.delete(f"{PATH}/{own['id']}", headers=auth(new["key"]))
    assert ended.status_code == 204


@pytest.mark.parametrize(
    "wrong", ["2020-01-01T00:00:00Z", "2030-01-01T00:00:00", "9999-12-31T23:59:59-12:00"]
)
def test_a_key_ends_in_the_future_and_at_a_time_with_a_zone(admin: Call, wrong: str) -> None:
    refused = admin("POST", body={"name": "x", "scopes": ["ingest"], "expires_at": wrong})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/expires_at"


@pytest.mark.parametrize(
    "body",
    [
        {"scopes": ["ingest"]},
        {"name": " ", "scopes": ["ingest"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["root"]},
    ],
)
def test_a_key_has_a_name_and_scopes(admin: Call, body: dict[str, Any]) -> None:
    assert admin("POST", body=body).status_code == 422


def test_a_neighbours_key_is_not_there(admin: Call, database: Database, house: House) -> None:
    with database.reading() as session:
        theirs = session.query(Key).filter(Key.site_id != house.site_id).first()
    assert theirs is not None
    assert theirs.public_id not in admin("GET").text
    assert admin("DELETE", f"/{theirs.public_id}").status_code == 404
    assert admin("POST", f"/{theirs.public_id}/rotate", {}).status_code == 404
