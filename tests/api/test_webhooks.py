"""A site's webhooks at the API's door: made, changed, disabled, and seen by nobody else."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from service.app import create_app
from service.moderation import keys, sites, webhooks
from service.moderation.webhooks import MOST_SECRETS, MOST_WEBHOOKS
from service.process import Process
from service.storage.db import Database
from service.storage.tables import Scope
from service.storage.webhook_tables import Webhook, WebhookSecret
from tests.conftest import NOW, House

WEBHOOKS = "/api/v1/site/webhooks"
URL = "https://cms.example/hooks/postbag"


def admin_of(database: Database, slug: str) -> dict[str, str]:
    key = database.write(
        lambda s: keys.create(
            s, sites.get(s, slug), name="admin", scopes=frozenset({Scope.ADMIN}), now=NOW
        )
    )
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def admin(process: Process, house: House) -> Iterator[TestClient]:
    with TestClient(create_app(process), headers=admin_of(process.database, house.slug)) as opened:
        yield opened


def put(admin: TestClient, *items: dict[str, Any]) -> list[dict[str, Any]]:
    reply = admin.put(WEBHOOKS, json={"items": list(items)})
    assert reply.status_code == 200, reply.text
    made: list[dict[str, Any]] = reply.json()["items"]
    return made


def test_a_webhook_is_made_and_its_secret_shown_once(admin: TestClient) -> None:
    assert admin.get(WEBHOOKS).json() == {"items": []}
    [made] = put(admin, {"url": URL, "description": "the CMS"})
    assert made["secret"].startswith("whsec_")
    assert made["secret"].startswith(made["secrets"][0]["hint"])
    assert made["kinds"] == ["block", "comment", "flag", "pick"]
    [listed] = admin.get(WEBHOOKS).json()["items"]
    assert listed == {**made, "secret": None}
    assert made["secret"] not in admin.get(WEBHOOKS).text


def test_the_database_does_not_hold_the_secret(
    admin: TestClient, database: Database, process: Process
) -> None:
    [made] = put(admin, {"url": URL})
    row = database.read(lambda s: s.scalars(select(WebhookSecret)).one())
    kept = f"{row.salt} {row.hint}"
    assert made["secret"].removeprefix("whsec_")[8:] not in kept
    webhook_id = database.read(lambda s: s.scalars(select(Webhook.id)).one())
    ours, another = process.settings.secret, "another secret"
    signing = [
        database.read(lambda s, k=k: webhooks.signing_secrets(s, webhook_id, secret=k, now=NOW))  # type: ignore[misc]
        for k in (ours, another)
    ]
    assert signing == [(made["secret"],), ()]


def test_the_set_is_replaced_by_id_and_what_is_left_out_is_disabled(admin: TestClient) -> None:
    first, second = put(admin, {"url": URL}, {"url": URL + "/2"})
    changed = put(admin, {"id": second["id"], "url": URL + "/3", "kinds": ["pick"]}, {"url": URL})
    shown = [(each["url"], each["kinds"] == ["pick"], each["active"]) for each in changed]
    assert shown == [(URL, False, False), (URL + "/3", True, True), (URL, False, True)]
    assert [each["secret"] is not None for each in changed] == [False, False, True]
    back = put(admin, {"id": first["id"], "url": URL})
    assert [each["active"] for each in back] == [True, False, False]


def test_a_webhook_is_deleted_with_its_log(admin: TestClient) -> None:
    [made] = put(admin, {"url": URL})
    assert admin.post(f"{WEBHOOKS}/{made['id']}/test").status_code == 202
    assert admin.delete(f"{WEBHOOKS}/{made['id']}").status_code == 204
    assert admin.get(WEBHOOKS).json() == {"items": []}
    assert admin.get(f"{WEBHOOKS}/{made['id']}/deliveries").status_code == 404


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://cms.example/", "plain_http"),
        ("ftp://cms.example/", "wrong_url"),
        ("https://me:pw@cms.example/", "wrong_url"),
        ("https://cms.example/#part", "wrong_url"),
        ("https://cms.example:99999/", "wrong_url"),
        ("https:///hooks", "wrong_url"),
        ("https://cms.example/a b", "wrong_url"),
        ("https://bücher.example/", "wrong_url"),
        ("https://[::1", "wrong_url"),
        ("https://127.0.0.1/", "forbidden_address"),
        ("https://[::ffff:10.0.0.1]/", "forbidden_address"),
        ("https://169.254.169.254/latest", "forbidden_address"),
    ],
)
def test_an_address_that_could_never_be_told_is_refused_by_name(
    admin: TestClient, url: str, code: str
) -> None:
    reply = admin.put(WEBHOOKS, json={"items": [{"url": URL}, {"url": url}]})
    assert reply.status_code == 422
    [wrong] = reply.json()["errors"]
    assert (wrong["pointer"], wrong["code"]) == ("/items/1/url", code)
    assert admin.get(WEBHOOKS).json() == {"items": []}


@pytest.mark.parametrize("kinds", [[], ["everything"]])
def test_kinds_are_those_of_the_feed(admin: TestClient, kinds: list[str]) -> None:
    reply = admin.put(WEBHOOKS, json={"items": [{"url": URL, "kinds": kinds}]})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["pointer"].startswith("/items/0/kinds")


def test_an_id_that_stands_twice_is_refused(admin: TestClient) -> None:
    [made] = put(admin, {"url": URL})
    twice = [{"id": made["id"], "url": URL}] * 2
    assert admin.put(WEBHOOKS, json={"items": twice}).json()["errors"][0]["pointer"] == "/items"


def test_there_is_an_end_to_webhooks_and_to_secrets(admin: TestClient) -> None:
    made = put(admin, *[{"url": URL}] * MOST_WEBHOOKS)
    assert admin.put(WEBHOOKS, json={"items": [{"url": URL}]}).status_code == 409
    rotated = [admin.post(f"{WEBHOOKS}/{made[0]['id']}/secret") for _ in range(MOST_SECRETS)]
    assert [reply.status_code for reply in rotated] == [201] * (MOST_SECRETS - 1) + [409]
    ends = [each["ends_at"] is None for each in rotated[-2].json()["secrets"]]
    assert ends == [True] + [False] * (MOST_SECRETS - 1)


def test_another_sites_key_sees_no_webhook_and_changes_none(
    admin: TestClient, database: Database
) -> None:
    [made] = put(admin, {"url": URL})
    tested = admin.post(f"{WEBHOOKS}/{made['id']}/test").json()
    theirs = admin_of(database, "other")
    assert admin.get(WEBHOOKS, headers=theirs).json() == {"items": []}
    one = f"{WEBHOOKS}/{made['id']}"
    calls = [
        ("PUT", WEBHOOKS, {"items": [{"id": made["id"], "url": "https://thief.example/"}]}),
        ("DELETE", one, None),
        ("POST", f"{one}/secret", None),
        ("POST", f"{one}/resume", None),
        ("POST", f"{one}/test", None),
        ("GET", f"{one}/deliveries", None),
        ("POST", f"{one}/deliveries/{tested['id']}/replay", None),
    ]
    for method, path, body in calls:
        reply = admin.request(method, path, json=body, headers=theirs)
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found"), f"{method} {path}"
    assert admin.get(WEBHOOKS).json()["items"] == [{**made, "secret": None, "waiting": 1}]


def test_the_log_pages_by_cursor_the_newest_first(admin: TestClient) -> None:
    [made] = put(admin, {"url": URL})
    one = f"{WEBHOOKS}/{made['id']}"
    sent = [admin.post(f"{one}/test").json()["id"] for _ in range(3)]
    first = admin.get(f"{one}/deliveries?limit=2").json()
    assert [line["id"] for line in first["items"]] == [sent[2], sent[1]]
    second = admin.get(f"{one}/deliveries?limit=2&cursor={first['next']}").json()
    assert ([line["id"] for line in second["items"]], second["next"]) == ([sent[0]], None)
    refused = admin.get(f"{one}/deliveries?cursor=x")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_cursor")


def test_only_a_parked_webhook_is_resumed(admin: TestClient) -> None:
    [made] = put(admin, {"url": URL})
    reply = admin.post(f"{WEBHOOKS}/{made['id']}/resume")
    assert (reply.status_code, reply.json()["code"]) == (409, "not_parked")
