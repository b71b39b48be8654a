"""Suggested thresholds: by the site's own comments and decisions, with an interval, or not at all."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from service.moderation import keys, sites, suggestion
from service.storage.db import Database
from service.storage.tables import Comment, Scope, Score
from tests.conftest import NOW, House

pytestmark = pytest.mark.usefixtures("article")

Suggest = Callable[..., Any]


@pytest.fixture
def suggest(client: TestClient, database: Database, house: House) -> Suggest:
    """Asks with the key of the site's admin."""
    scopes = frozenset({Scope.ADMIN})
    key = database.write(
        lambda s: keys.create(s, sites.get(s, house.slug), name="ops", scopes=scopes, now=NOW)
    )

    def ask(**query: Any) -> Any:
        return client.get(
            "/api/v1/site/policy/suggest",
            params=query,
            headers={"Authorization": f"Bearer {key}"},
        )

    return ask


def post_scored(client: TestClient, database: Database, scores: list[float]) -> None:
    """Comments `c-0`, `c-1`, … with these scores for spam."""
    sent = [
        {"id": f"c-{n}", "article_id": "a-1", "author": {"name": "A"}, "body": f"Word {n}"}
        for n in range(len(scores))
    ]
    reply = client.post("/api/v1/comments:batch", json={"comments": sent})
    assert {item["status"] for item in reply.json()["items"]} == {201}

    def rescore(session: Any) -> None:
        for score, (row,) in zip(
            scores,
            session.execute(
                sa.select(Score).join(Comment, Comment.score_id == Score.id).order_by(Comment.id)
            ),
            strict=True,
        ):
            row.answer = {**row.answer, "scores": {**row.answer["scores"], "spam": score}}

    database.write(rescore)


def decide(client: TestClient, numbers: range, action: str, reason: str = "spam") -> None:
    for n in numbers:
        body = {"action": action, "revision": 1, "reason": reason}
        reply = client.post(f"/api/v1/comments/c-{n}/decisions", json=body)
        assert reply.status_code == 201


def test_a_precision_is_suggested_from_what_people_decided(
    client: TestClient, database: Database, suggest: Suggest
) -> None:
    post_scored(client, database, [0.9] * 60 + [0.6] * 30 + [0.1] * 30)
    decide(client, range(60), "reject")
    decide(client, range(60, 90), "approve")
    got = suggest(reason="spam", precision=0.9).json()
    assert (got["reason"], got["ground"], got["model"]) == ("spam", "decisions", "keywords-1")
    # Down to here no comment is added to the sixty that people rejected.
    assert got["threshold"] == 0.61
    assert (got["comments"], got["decided"], got["right"]) == (120, 60, 60)
    assert got["precision"]["value"] == 1.0
    # Exact: of 60 hits in 60, the 60th root of one in twenty.
    assert got["precision"]["low"] == pytest.approx(0.05 ** (1 / 60), abs=1e-4)
    assert got["queue_share"]["value"] == 0.5


def test_more_precision_than_the_decisions_can_show_is_refused(
    client: TestClient, database: Database, suggest: Suggest
) -> None:
    post_scored(client, database, [0.9] * 60)
    decide(client, range(60), "reject")
    refused = suggest(reason="spam", precision=0.98)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_shown")
    assert "people ruled on 60 of the last 60" in refused.json()["detail"]
    assert "at least 149 rulings" in refused.json()["detail"]
    assert suggest(reason="spam", precision=0.95).status_code == 200


def test_a_rejection_for_another_reason_is_no_proof(
    client: TestClient, database: Database, suggest: Suggest
) -> None:
    post_scored(client, database, [0.9] * 40)
    decide(client, range(40), "reject", reason="other")
    assert suggest(reason="spam", precision=0.6).status_code == 409


def test_decisions_that_people_chose_themselves_are_no_ground(
    client: TestClient, database: Database, suggest: Suggest
) -> None:
    post_scored(client, database, [0.9] * 100)
    decide(client, range(79), "reject")
    assert suggest(reason="spam", precision=0.8).status_code == 409
    decide(client, range(79, 80), "reject")
    assert suggest(reason="spam", precision=0.8).status_code == 200


def test_a_queue_share_is_suggested_from_the_sites_comments(
    client: TestClient, database: Database, suggest: Suggest
) -> None:
    post_scored(client, database, [n / 200 for n in range(200)])
    got = suggest(reason="spam", queue_share=0.1).json()
    assert (got["threshold"], got["ground"], got["decided"]) == (0.9, "comments", 0)
    assert got["precision"] is None
    assert got["queue_share"]["value"] == 0.1
    assert got["queue_share"]["low"] < 0.1 < got["queue_share"]["high"]


def test_too_few_comments_or_none_suggest_nothing(
    client: TestClient, database: Database, suggest: Suggest
) -> None:
    assert suggest(reason="spam", queue_share=0.1).status_code == 409
    assert suggest(reason="hateful", precision=0.9).status_code == 409
    post_scored(client, database, [0.5] * 199)
    refused = suggest(reason="spam", queue_share=0.1)
    assert "199 comments" in refused.json()["detail"]


def test_scores_of_other_weights_are_left_out(
    client: TestClient, database: Database, suggest: Suggest
) -> None:
    post_scored(client, database, [0.9] * 40)
    decide(client, range(40), "reject")
    assert suggest(reason="spam", precision=0.9).status_code == 200
    newest = sa.select(sa.func.max(Score.id)).scalar_subquery()
    database.write(
        lambda s: s.execute(sa.update(Score).where(Score.id == newest).values(model="keywords-2"))
    )
    assert suggest(reason="spam", precision=0.9).status_code == 409


@pytest.mark.parametrize(
    "query",
    [
        {"reason": "spam"},
        {"reason": "spam", "precision": 0.9, "queue_share": 0.1},
        {"reason": "duplicate", "precision": 0.9},
        {"reason": "spam", "precision": 1},
        {"reason": "spam", "queue_share": 0},
        {"reason": "spam", "precision": "nan"},
        {"precision": 0.9},
    ],
)
def test_what_cannot_be_asked_is_a_422(suggest: Suggest, query: dict[str, Any]) -> None:
    reply = suggest(**query)
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["pointer"].startswith("/query")


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    # From tables of the exact interval.
    [
        (0, 10, 0.0, 0.2589),
        (10, 10, 0.7411, 1.0),
        (5, 10, 0.2224, 0.7776),
        (95, 100, 0.8977, 0.9801),
    ],
)
def test_the_interval_is_the_exact_one(count: int, of: int, low: float, high: float) -> None:
    found = suggestion.interval(count, of)
    assert found.value == count / of
    assert found.low == pytest.approx(low, abs=2e-4)
    assert found.high == pytest.approx(high, abs=2e-4)
