"""The preview of a policy: the same decisions as live, on stored scores, and nothing is kept."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from service.moderation import keys, sites
from service.moderation.rules import preview as rules_preview
from service.process import Process, utc_now
from service.storage.db import Database
from service.storage.tables import Scope, Table
from tests.conftest import NOW, House, post_comment, put_article
from tests.keyword_scorer import KeywordScorer

pytestmark = pytest.mark.usefixtures("article")

FINE = "I shop there every week because the bus stops at the door."
SPAM = "Win at the casino today"
RUDE = "You idiot"
Preview = Callable[..., dict[str, Any]]


@pytest.fixture
def preview(client: TestClient, database: Database, house: House) -> Preview:
    """Previews with the key of the site's admin."""
    scopes = frozenset({Scope.ADMIN})
    key = database.write(
        lambda s: keys.create(s, sites.get(s, house.slug), name="ops", scopes=scopes, now=NOW)
    )

    def look(**terms: Any) -> dict[str, Any]:
        reply = client.post(
            "/api/v1/site/policy/preview", json=terms, headers={"Authorization": f"Bearer {key}"}
        )
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    return look


def decide(client: TestClient, comment_id: str, action: str) -> None:
    body = {"action": action, "revision": 1, "reason": "spam"}
    reply = client.post(f"/api/v1/comments/{comment_id}/decisions", json=body)
    assert reply.status_code == 201


def test_it_says_what_would_change_and_what_people_decided_on_it(
    client: TestClient, preview: Preview
) -> None:
    for n in range(4):
        post_comment(client, f"spam-{n}", f"{SPAM} {n}")
    post_comment(client, "rude", RUDE)
    post_comment(client, "fine", FINE)
    decide(client, "spam-0", "reject")
    decide(client, "spam-1", "reject")
    decide(client, "spam-2", "approve")
    got = preview(hold={"spam": 0.99}, reject={"abusive": 0.9})
    assert (got["version"], got["comments"]) == (1, 6)
    assert got["before"] == {
        "actions": {"approve": 1, "hold": 5, "reject": 0},
        "reasons": {"spam": 4, "abusive": 1},
        "queue_share": 0.8333,
    }
    assert got["after"] == {
        "actions": {"approve": 5, "hold": 0, "reject": 1},
        "reasons": {"abusive": 1},
        "queue_share": 0.0,
    }
    rude, spam = got["changes"]
    assert (rude["was"], rude["now"], rude["count"]) == ("hold", "reject", 1)
    assert (spam["was"], spam["now"], spam["count"]) == ("hold", "approve", 4)
    assert spam["decided"] == {"rejected": 2, "approved": 1, "undecided": 1}
    assert [each["comment_id"] for each in spam["samples"]] == [f"spam-{n}" for n in (3, 2, 1, 0)]
    assert spam["samples"][0]["scores"]["spam"] == 0.97
    assert SPAM not in str(got)


def test_what_it_says_is_what_then_happens(
    client: TestClient, preview: Preview, process: Process, house: House
) -> None:
    terms = {"hold": {"spam": 0.99}, "reject": {"abusive": 0.9}, "hold_echoes": True}
    texts = [SPAM, RUDE, FINE, "bonjour", "The weather is fine", f"{RUDE}, see the casino"]
    for n, text in enumerate(texts):
        post_comment(client, f"before-{n}", text)
    promised = preview(**terms)["after"]["actions"]
    process.database.write(lambda s: sites.set_policy(s, house.site_id, terms, now=utc_now()))
    done = {"approve": 0, "hold": 0, "reject": 0}
    for n, text in enumerate(texts):
        done[post_comment(client, f"after-{n}", text).json()["verdict"]["action"]] += 1
    assert promised == done


def test_facts_and_rules_are_those_of_the_live_decision(
    client: TestClient, preview: Preview, process: Process, house: House
) -> None:
    ada = {"name": "Ada", "id": "u-1"}
    for n in range(4):
        post_comment(client, f"c-{n}", f"{FINE} {n}", author=ada)
    post_comment(client, "trap", FINE, honeypot="x")
    put_article(client, "a-2", mode="hold_all")
    post_comment(client, "held", FINE, article_id="a-2")
    got = preview(author_rate={"comments": 2, "minutes": 5}, reject_honeypot=True)
    assert got["before"]["reasons"] == {"honeypot": 1, "article_mode": 1}
    assert got["after"]["reasons"] == {"honeypot": 1, "article_mode": 1, "too_many": 2}
    assert {(each["was"], each["now"]): each["count"] for each in got["changes"]} == {
        ("hold", "reject"): 1,
        ("approve", "hold"): 2,
    }
    rule = {"id": "bus", "name": "Bus", "action": "hold", "when": {"words": ["bus"]}}
    key = process.database.write(
        lambda s: keys.create(
            s, sites.get(s, house.slug), name="k", scopes=frozenset({Scope.ADMIN}), now=NOW
        )
    )
    reply = client.put(
        "/api/v1/site/rules",
        json={"version": 0, "rules": [rule]},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert reply.status_code == 200
    assert preview()["before"]["reasons"]["rule"] == 6


def test_it_writes_nothing_and_asks_no_model(
    client: TestClient, preview: Preview, database: Database, scorer: KeywordScorer
) -> None:
    for n, text in enumerate((SPAM, RUDE, FINE)):
        post_comment(client, f"c-{n}", text)
    asked = len(scorer.asked)

    def everything() -> dict[str, Any]:
        return database.read(
            lambda s: {
                name: sorted(map(str, s.execute(sa.select(table)).all()))
                for name, table in Table.metadata.tables.items()
            }
        )

    preview()  # the first call of a key's day is noted with the key
    before = everything()
    assert preview(hold={"spam": 1.0}, observe=True)["changes"]
    assert everything() == before
    assert len(scorer.asked) == asked


def test_it_looks_at_scored_comments_of_this_site_that_are_still_there(
    client: TestClient, preview: Preview, house: House, scorer: KeywordScorer
) -> None:
    post_comment(client, "gone", SPAM)
    assert client.delete("/api/v1/comments/gone").status_code == 200
    scorer.trouble = "gone"
    post_comment(client, "unscored", SPAM)
    scorer.trouble = None
    with_neighbour = house.neighbour_auth
    client.put(
        "/api/v1/articles/a-1",
        json={"url": "https://other.example/a", "title": "T", "body": "B"},
        headers=with_neighbour,
    )
    body = {"id": "c", "article_id": "a-1", "author": {"name": "A"}, "body": SPAM}
    posted = client.post("/api/v1/comments?wait=5", json=body, headers=with_neighbour)
    assert posted.status_code == 201
    got = preview()
    assert (got["comments"], got["changes"]) == (0, [])
    assert got["before"]["queue_share"] == 0.0


def test_it_ends_after_so_many_characters(
    client: TestClient, preview: Preview, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(5):
        post_comment(client, f"c-{n}", FINE)
    monkeypatch.setattr("service.moderation.policy_preview.MOST_CHARACTERS", 3 * len(FINE))
    assert preview()["comments"] == 3
    assert rules_preview.LOOKED_AT == 1000


def test_a_policy_that_is_none_is_refused(client: TestClient, preview: Preview) -> None:
    with pytest.raises(AssertionError, match="hold/nonsense"):
        preview(hold={"nonsense": 0.5})
