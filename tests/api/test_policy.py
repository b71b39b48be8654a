"""The policy at the API's door: read, set, its versions told, and one step back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.moderation import keys, sites
from service.storage.db import Database
from service.storage.tables import Scope
from tests.conftest import NOW, House, post_comment, put_article

pytestmark = pytest.mark.usefixtures("article")

SPAM = "Win at the casino today"
Call = Callable[..., Any]


@pytest.fixture
def admin(client: TestClient, database: Database, house: House) -> Call:
    """Calls with the key of the site's admin."""
    key = database.write(
        lambda s: keys.create(
            s, sites.get(s, house.slug), name="ops", scopes=frozenset({Scope.ADMIN}), now=NOW
        )
    )

    def call(method: str, path: str = "", body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        return client.request(method, "/api/v1/site/policy" + path, json=body, headers=headers)

    return call


def put(admin: Call, version: int, **terms: Any) -> Any:
    reply = admin("PUT", body={"version": version, **terms})
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_a_policy_that_is_put_is_in_force_and_named_by_every_verdict(
    admin: Call, client: TestClient
) -> None:
    first = admin("GET").json()
    assert (first["version"], first["hold"], first["fail"]) == (1, {}, "ask_a_person")
    second = put(admin, 1, hold={"spam": 0.99}, fail="wait_for_model")
    assert second == admin("GET").json()
    assert (second["version"], second["hold"]) == (2, {"spam": 0.99})
    got = post_comment(client, "c-1", SPAM).json()
    assert (got["state"], got["verdict"]["policy"]) == ("approved", 2)
    put(admin, 2, reject={"spam": 0.9})
    got = post_comment(client, "c-2", SPAM).json()
    assert (got["state"], got["verdict"]["policy"]) == ("rejected", 3)


def test_a_stale_version_is_refused(admin: Call) -> None:
    put(admin, 1, hold={"spam": 0.5})
    for method, path, body in (
        ("PUT", "", {"version": 1, "hold": {}}),
        ("POST", "/rollback", {"to_version": 1, "version": 1}),
    ):
        reply = admin(method, path, body)
        assert (reply.status_code, reply.json()["code"]) == (409, "stale")
    assert admin("GET").json()["version"] == 2


def test_of_two_who_set_it_at_once_one_is_told(admin: Call) -> None:
    bodies = [{"version": 1, "hold": {"spam": n / 10}} for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda body: admin("PUT", body=body), bodies))
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses == [200] + [409] * 7
    [won] = [reply.json() for reply in replies if reply.status_code == 200]
    assert admin("GET").json() == won


def test_every_wrong_entry_is_named_at_once(admin: Call) -> None:
    wrong = {
        "version": 0,
        "hold": {"duplicate": 0.5, "spam": 1.5},
        "reject": {"echo": 0.9},
        "languages": {"French": {}, "fr": {"hold": {"nonsense": 0.1}}},
        "fail": "publish",
        "treshold": 1,
    }
    reply = admin("PUT", body=wrong)
    assert reply.status_code == 422
    assert {each["pointer"]: each["code"] for each in reply.json()["errors"]} == {
        "/version": "greater_than_equal",
        "/hold/duplicate": "not_allowed",
        "/hold/spam": "less_than_equal",
        "/reject/echo": "not_allowed",
        "/languages/French": "wrong_form",
        "/languages/fr/hold/nonsense": "not_allowed",
        "/fail": "not_allowed",
        "/treshold": "unknown_field",
    }
    assert admin("GET").json()["version"] == 1


def test_versions_say_who_changed_what(admin: Call, house: House, database: Database) -> None:
    put(admin, 1, hold={"spam": 0.4, "abusive": 0.5})
    put(admin, 2, hold={"spam": 0.6}, languages={"fr": {"hold": {"spam": 0.2}}})
    database.write(lambda s: sites.set_policy(s, house.site_id, {"hold_echoes": True}, now=NOW))
    page = admin("GET", "/versions?limit=3").json()
    newest, third, second = page["items"]
    assert (newest["version"], newest["by"], newest["name"]) == (4, "command_line", None)
    assert (third["by"], third["name"], third["restores"]) == ("key", "ops", None)
    assert third["changes"] == [
        {"pointer": "/hold/abusive", "before": 0.5, "after": None},
        {"pointer": "/hold/spam", "before": 0.4, "after": 0.6},
        {"pointer": "/languages/fr/hold/spam", "before": None, "after": 0.2},
    ]
    assert second["policy"]["hold"] == {"spam": 0.4, "abusive": 0.5}
    rest = admin("GET", f"/versions?limit=3&cursor={page['next']}").json()
    assert [(each["version"], each["changes"]) for each in rest["items"]] == [(1, [])]
    assert rest["next"] is None
    for at_the_end in ("0", "1"):
        assert admin("GET", f"/versions?cursor={at_the_end}").json() == {"items": [], "next": None}
    far = admin("GET", f"/versions?cursor={'9' * 18}")
    assert [each["version"] for each in far.json()["items"]] == [4, 3, 2, 1]
    assert admin("GET", "/versions?cursor=x").json()["code"] == "invalid_cursor"


def test_a_rollback_is_a_new_version_equal_to_an_old_one(admin: Call, client: TestClient) -> None:
    put(admin, 1, hold={"spam": 0.99})
    put(admin, 2, hold={"spam": 0.4}, observe=True)
    back = admin("POST", "/rollback", {"to_version": 2}).json()
    assert (back["version"], back["hold"], back["observe"]) == (4, {"spam": 0.99}, False)
    newest = admin("GET", "/versions").json()["items"][0]
    assert (newest["version"], newest["restores"], newest["name"]) == (4, 2, "ops")
    assert post_comment(client, "c-1", SPAM).json()["state"] == "approved"
    missing = admin("POST", "/rollback", {"to_version": 9})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_a_site_sees_no_versions_of_its_neighbours(
    admin: Call, client: TestClient, database: Database
) -> None:
    put(admin, 1, hold={"spam": 0.4})
    scopes = frozenset({Scope.ADMIN})
    key = database.write(
        lambda s: keys.create(s, sites.get(s, "other"), name="o", scopes=scopes, now=NOW)
    )
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get("/api/v1/site/policy", headers=headers).json()["version"] == 1
    reply = client.post("/api/v1/site/policy/rollback", json={"to_version": 2}, headers=headers)
    assert reply.status_code == 404


def test_a_language_has_thresholds_of_its_own(admin: Call, client: TestClient) -> None:
    put(admin, 1, languages={"fr": {"reject": {"spam": 0.9}}, "en": {"hold": {"spam": 0.99}}})
    assert post_comment(client, "c-1", SPAM).json()["state"] == "approved"
    french = post_comment(client, "c-2", f"bonjour {SPAM}").json()
    assert french["state"] == "rejected"
    assert [each["code"] for each in french["verdict"]["reasons"]] == [
        "spam",
        "unsupported_language",
    ]


def test_a_section_has_thresholds_of_its_own_and_a_language_goes_before_it(
    admin: Call, client: TestClient
) -> None:
    put_article(client, "a-2", section="Arts / Film")
    put(
        admin,
        1,
        sections={"Arts / Film": {"hold": {"spam": 0.99}, "reject": {"abusive": 0.9}}},
        languages={"fr": {"hold": {"spam": 0.5}}},
    )
    for comment_id, text, article_id, state in (
        ("c-1", SPAM, "a-1", "held"),
        ("c-2", SPAM, "a-2", "approved"),
        ("c-3", "You idiot", "a-1", "held"),
        ("c-4", "You idiot", "a-2", "rejected"),
    ):
        got = post_comment(client, comment_id, text, article_id=article_id).json()
        assert got["state"] == state, comment_id
    french = post_comment(client, "c-5", f"bonjour {SPAM}", article_id="a-2").json()
    assert "spam" in [each["code"] for each in french["verdict"]["reasons"]]
    pointers = [each["pointer"] for each in admin("GET", "/versions").json()["items"][0]["changes"]]
    assert pointers == [
        "/languages/fr/hold/spam",
        "/sections/Arts ~1 Film/hold/spam",
        "/sections/Arts ~1 Film/reject/abusive",
    ]
