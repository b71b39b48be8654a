"""Why a comment is held: the sentence and words behind each reason, in two kinds of offsets."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import House, post_comment
from tests.keyword_scorer import KeywordScorer

TEXT = "😀 You idiot, see the casino. The rest is fine."


@pytest.fixture
def held(client: TestClient, article: dict[str, Any]) -> str:
    reply = post_comment(client, "c-1", TEXT)
    assert reply.json()["state"] == "held"
    return "/api/v1/comments/c-1/explanation"


def test_each_reason_that_rests_on_words_names_them(client: TestClient, held: str) -> None:
    body = client.get(held).json()
    assert (body["id"], body["revision"], body["model"]) == ("c-1", 1, "keywords-1")
    by_code = {reason["code"]: reason for reason in body["reasons"]}
    assert set(by_code) == {"spam", "abusive"}
    [word] = by_code["abusive"]["words"]
    assert TEXT[word["start"] : word["end"]] == "idiot"
    sixteen = TEXT.encode("utf-16-le")
    assert sixteen[2 * word["utf16_start"] : 2 * word["utf16_end"]].decode("utf-16-le") == "idiot"
    assert word["utf16_start"] == word["start"] + 1
    sentence = by_code["spam"]["sentence"]
    assert TEXT[sentence["start"] : sentence["end"]].endswith("casino.")


def test_what_nothing_is_held_against_has_nothing_to_explain(
    client: TestClient, article: dict[str, Any]
) -> None:
    post_comment(client, "c-2", "A fair point.")
    assert client.get("/api/v1/comments/c-2/explanation").json()["reasons"] == []


def test_a_withdrawn_comment_is_not_explained(client: TestClient, held: str) -> None:
    client.delete("/api/v1/comments/c-1")
    assert client.get(held).status_code == 409


def test_another_site_and_a_missing_model_are_refused(
    client: TestClient, held: str, house: House, scorer: KeywordScorer
) -> None:
    neighbour = {"Authorization": f"Bearer {house.neighbour_key}"}
    assert client.get(held, headers=neighbour).status_code == 404
    scorer.trouble = "the weights are missing"
    assert client.get(held).json()["code"] == "model_unavailable"
