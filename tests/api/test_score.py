"""Scoring without storing."""

from starlette.testclient import TestClient

from tests.keyword_scorer import KeywordScorer


def test_a_text_is_scored_and_nothing_is_stored(client: TestClient) -> None:
    reply = client.post("/api/v1/score", json={"text": "Win at the casino"})
    assert reply.status_code == 200
    assert reply.json()["scores"]["spam"] == 0.97
    assert "relevance" not in reply.json()["scores"]
    assert client.get("/api/v1/queue").json()["items"] == []


def test_an_article_may_be_sent_along_or_named(
    client: TestClient, article: dict[str, object]
) -> None:
    sent = {"text": "Fine weather", "article": {"title": "High street closes"}}
    assert client.post("/api/v1/score", json=sent).json()["relevance_label"] == "off"
    named = {"text": "A fair point", "article_id": article["id"]}
    assert client.post("/api/v1/score", json=named).json()["relevance_label"] == "direct"
    unknown = {"text": "A fair point", "article_id": "nowhere"}
    assert client.post("/api/v1/score", json=unknown).status_code == 404


def test_without_models_it_says_so(client: TestClient, scorer: KeywordScorer) -> None:
    scorer.trouble = "the weights are missing"
    reply = client.post("/api/v1/score", json={"text": "A fair point"})
    assert (reply.status_code, reply.json()["code"]) == (503, "model_unavailable")
    assert reply.json()["detail"] == "the weights are missing"
