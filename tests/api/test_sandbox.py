"""Test keys: certain verdicts for fixed texts, in a sandbox that no other surface knows of."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import generate_latest
from starlette.testclient import TestClient

from service import metrics, worker
from service.app import create_app
from service.errors import Unauthorized
from service.moderation import backlog, deliveries, keys, policy_preview, sandbox, sites
from service.moderation.policy import Reason, Terms
from service.moderation.rules import preview as rules_preview
from service.moderation.rules.book import Book
from service.process import Process, utc_now
from service.storage.db import Database
from service.storage.tables import CommentRevision, Event, Scope
from service.storage.webhook_tables import Webhook
from tests.conftest import NOW, PASSWORD, House, post_comment, put_article
from tests.keyword_scorer import KeywordScorer

FINE = "I shop there every week because the bus stops at the door."
SPAM = "Win at the casino today"


@pytest.fixture
def trial(process: Process, house: House) -> Iterator[TestClient]:
    """A client with a test key that may do everything, and an article in its sandbox: `a-1`."""
    scopes = frozenset({Scope.ADMIN})
    key = process.database.write(
        lambda s: keys.create(
            s, sites.get(s, house.slug), name="ci", scopes=scopes, test=True, now=NOW
        )
    )
    with TestClient(create_app(process), headers={"Authorization": f"Bearer {key}"}) as opened:
        put_article(opened, "a-1")
        yield opened


def verdict(client: TestClient, comment_id: str, text: str) -> tuple[str, list[str]]:
    got = post_comment(client, comment_id, text).json()
    assert got["scores"] is not None
    return got["state"], [each["code"] for each in got["verdict"]["reasons"]]


def test_a_fixed_text_has_a_certain_verdict(trial: TestClient) -> None:
    assert verdict(trial, "t-1", "postbag test: approve") == ("approved", [])
    for n, reason in enumerate(set(Reason) - {Reason.RULE}):
        held = verdict(trial, f"h-{n}", f"postbag test: hold {reason}")
        assert held == ("held", [reason])
        rejected = verdict(trial, f"r-{n}", f"postbag test: reject {reason}")
        assert rejected == ("rejected", [reason])
    got = post_comment(trial, "t-2", "postbag test: hold spam").json()
    assert got["verdict"]["reasons"] == [
        {"code": "spam", "score": 0.99, "threshold": 0.5, "evidence": [{"start": 0, "end": 23}]}
    ]


def test_it_is_certain_whatever_policy_rules_and_models_say(
    trial: TestClient, scorer: KeywordScorer
) -> None:
    terms = {"hold": {"spam": 0}, "reject": {"spam": 0}, "fail": "wait_for_model"}
    policy = trial.put("/api/v1/site/policy", json={"version": 1, **terms})
    assert policy.status_code == 200
    rule = {"id": "r", "name": "R", "action": "reject", "when": {"words": ["postbag"]}}
    assert trial.put("/api/v1/site/rules", json={"version": 0, "rules": [rule]}).status_code == 200
    assert verdict(trial, "t-1", "postbag test: approve") == ("approved", [])
    scorer.trouble = "gone"
    got = post_comment(trial, "t-2", "postbag test: hold abusive").json()
    assert got["state"] == "held"
    assert [each["code"] for each in got["verdict"]["reasons"]] == ["abusive"]


def test_later_is_answered_202_and_approved_by_and_by(trial: TestClient, process: Process) -> None:
    posted = post_comment(trial, "t-1", "postbag test: later", wait=10)
    assert (posted.status_code, posted.json()["state"]) == (202, "received")
    worker.work_once(process)
    assert trial.get("/api/v1/comments/t-1").json()["state"] == "received"
    past = utc_now() - sandbox.LATER
    process.database.write(
        lambda s: (
            s.execute(sa.update(CommentRevision).values(created_at=past)),
            s.execute(sa.text("UPDATE comments SET score_after = created_at")),
        )
    )
    worker.work_once(process)
    assert trial.get("/api/v1/comments/t-1").json()["state"] == "approved"


def test_other_texts_are_judged_as_ever(trial: TestClient) -> None:
    assert verdict(trial, "t-1", SPAM) == ("held", ["spam"])
    assert verdict(trial, "t-2", "postbag test: hold nonsense")[0] == "approved"
    assert verdict(trial, "t-3", "postbag test: hold rule")[0] == "approved"
    assert verdict(trial, "t-4", "he wrote postbag test: hold spam")[0] == "approved"


def test_fixed_texts_mean_nothing_to_an_ordinary_key(client: TestClient) -> None:
    put_article(client, "a-1")
    assert verdict(client, "c-1", "postbag test: reject spam") == ("approved", [])
    assert verdict(client, "c-2", "postbag test: later") == ("approved", [])


def test_no_surface_of_the_site_knows_of_what_a_test_key_did(
    trial: TestClient, client: TestClient, house: House, database: Database
) -> None:
    put_article(client, "a-1")
    before = client.get("/api/v1/feed").json()
    ada = {"name": "Ada", "id": "u-1"}
    for n in range(6):
        post_comment(trial, f"t-{n}", f"{FINE} {n}", author=ada)
    post_comment(trial, "held", SPAM)
    trial.post("/api/v1/articles/a-1/picks", json={"comment_id": "t-1", "revision": 1})
    published = trial.post("/api/v1/articles/a-1/block/publish", json={"version": 1})
    assert published.status_code == 200, published.text
    trial.post("/api/v1/comments/t-2/flags", json={"reporter": "r-1"})

    assert client.get("/api/v1/comments/t-1").status_code == 404
    assert sum(client.get("/api/v1/articles/a-1").json()["comments"].values()) == 0
    assert client.get("/api/v1/queue").json()["items"] == []
    claimed = client.post("/api/v1/queue/claim", json={"number": 10})
    assert claimed.json()["items"] == []
    assert client.get("/api/v1/candidates?article_id=a-1").json()["items"] == []
    assert client.get("/api/v1/articles/a-1/picks").json()["items"] == []
    assert client.get("/api/v1/feed").json() == before
    assert client.get("/p/post/a-1.json").json()["items"] == []
    for suffix in ("json", "html"):
        assert client.get(f"/p/~{house.site_id}/a-1.{suffix}").status_code == 404
    assert [site.slug for site in database.read(sites.list_all)] == ["other", "post"]
    rules = Book.model_validate({"rules": []})
    looked = database.read(lambda s: rules_preview.look(s, house.site_id, rules))
    assert looked.comments == 0
    terms = Terms(author_rate=None)
    tried = database.read(lambda s: policy_preview.look(s, house.site_id, terms, now=utc_now()))
    assert tried.comments == 0


def test_a_test_comment_earns_no_trust_and_is_no_likeness(
    trial: TestClient, client: TestClient
) -> None:
    ada = {"name": "Ada", "id": "u-1"}
    put_article(client, "a-1", mode="trusted_only")
    for n in range(6):
        post_comment(trial, f"t-{n}", f"{FINE} {n}", author=ada)
    assert post_comment(client, "t-1", FINE, author=ada).json()["state"] == "held"


def test_moderators_and_editors_do_not_see_it(
    trial: TestClient, process: Process, house: House
) -> None:
    post_comment(trial, "held", SPAM)
    post_comment(trial, "fine", FINE)
    headers = {"Sec-Fetch-Site": "same-origin"}
    for person, page in ((house.moderator, "review"), (house.editor, "picks")):
        with TestClient(create_app(process), headers=headers) as browser:
            form = {"email": person, "password": PASSWORD}
            shown = browser.post("/login", data=form)
            assert shown.status_code == 200
            shown = browser.get(f"/desk/{house.slug}/{page}")
            assert shown.status_code == 200
            assert "casino" not in shown.text
            assert "High street closes" not in shown.text


def test_it_notifies_nobody(
    trial: TestClient, client: TestClient, database: Database, house: House
) -> None:
    refused = trial.put("/api/v1/site/webhooks", json={"items": [{"url": "https://a.example/"}]})
    assert (refused.status_code, refused.json()["code"]) == (403, "test_key")
    key = database.write(
        lambda s: keys.create(
            s, sites.get(s, house.slug), name="a", scopes=frozenset({Scope.ADMIN}), now=NOW
        )
    )
    made = client.put(
        "/api/v1/site/webhooks",
        json={"items": [{"url": "https://a.example/"}]},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert made.status_code == 200
    post_comment(trial, "t-1", SPAM)
    hooks = database.read(lambda s: s.scalars(sa.select(Webhook.id)).all())
    assert database.read(deliveries.list_behind) == []
    for hook in hooks:
        assert database.write(lambda s, h=hook: deliveries.follow(s, h, now=utc_now())) == 0  # type: ignore[misc]
    assert database.read(lambda s: s.scalar(sa.select(sa.func.count(Event.id)))) == 1


def test_a_test_key_sees_and_changes_nothing_of_its_site(
    trial: TestClient, client: TestClient
) -> None:
    put_article(client, "a-2")
    post_comment(client, "c-1", FINE, article_id="a-2")
    assert trial.get("/api/v1/comments/c-1").status_code == 404
    assert trial.get("/api/v1/articles/a-2").status_code == 404
    assert trial.delete("/api/v1/comments/c-1").status_code == 404
    items = trial.get("/api/v1/feed").json()["items"]
    assert all(item["comment_id"] != "c-1" for item in items)
    changed = trial.put("/api/v1/site/policy", json={"version": 1, "reject": {"spam": 0.1}})
    assert changed.status_code == 200
    put_article(client, "a-1")
    assert post_comment(client, "c-2", SPAM).json()["state"] == "held"


def test_its_sandbox_begins_with_the_sites_policy_and_is_one(
    database: Database, house: House
) -> None:
    def prepare(session: Any) -> list[int]:
        site = sites.get(session, house.slug)
        sites.set_policy(session, site.id, {"hold": {"spam": 0.99}}, now=NOW)
        scopes = frozenset({Scope.INGEST})
        made = [
            keys.create(session, site, name="t", scopes=scopes, test=True, now=NOW)
            for _ in range(2)
        ]
        return [keys.authenticate(session, key, now=NOW).site_id for key in made]

    first, second = database.write(prepare)
    assert first == second != house.site_id
    got = database.read(lambda s: sites.get_policy(s, first))
    assert (got.version, got.hold) == (1, {Reason.SPAM: 0.99})


def test_a_revoked_test_key_is_unknown(database: Database, house: House) -> None:
    def prepare(session: Any) -> str:
        site = sites.get(session, house.slug)
        key = keys.create(
            session, site, name="t", scopes=frozenset({Scope.INGEST}), test=True, now=NOW
        )
        assert keys.list_of(session, site.id)[-1].test
        keys.revoke(session, site, key[:8], now=NOW + timedelta(hours=1))
        return key

    key = database.write(prepare)
    with pytest.raises(Unauthorized, match="unknown, revoked"):
        database.read(lambda s: keys.authenticate(s, key, now=NOW))


def test_it_is_counted_nowhere(trial: TestClient, process: Process) -> None:
    before = generate_latest(metrics.verdicts)
    post_comment(trial, "held", "postbag test: hold spam")
    post_comment(trial, "waits", "postbag test: later")
    assert generate_latest(metrics.verdicts) == before
    waits = process.database.read(lambda s: backlog.count(s, now=utc_now()))
    assert (waits.held.count, waits.received.count, waits.unscored) == (0, 0, 0)
