"""From candidates to the published block, at the API's door."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import ARTICLE_TEXT, post_comment, put_article

pytestmark = pytest.mark.usefixtures("article")

GOOD = "I shop there every week because the bus stops at the door. It saves me an hour."
ECHO = ARTICLE_TEXT.split(". ")[2]


def pick(client: TestClient, comment_id: str, **fields: Any) -> Any:
    body = {"comment_id": comment_id, "revision": 1, **fields}
    return client.post("/api/v1/articles/a-1/picks", json=body)


def publish(client: TestClient) -> Any:
    version = client.get("/api/v1/articles/a-1/block").json()["draft"]["version"]
    return client.post("/api/v1/articles/a-1/block/publish", json={"version": version})


def test_a_readers_own_thought_ranks_above_an_echo(client: TestClient) -> None:
    post_comment(client, "echo", ECHO)
    post_comment(client, "plain", "Fine by me.")
    post_comment(client, "good", GOOD)
    post_comment(client, "held", "Win at the casino today")
    items = client.get("/api/v1/candidates?article_id=a-1").json()["items"]
    assert [item["comment"]["id"] for item in items] == ["good", "plain", "echo"]
    assert items[0]["chips"] == ["first-hand experience", "gives reasons"]
    assert items[0]["quote_text"] == GOOD.split(" It saves")[0]
    assert items[2]["is_echo"]
    assert items[2]["chips"] == ["the article's own words"]


def test_a_quote_is_published_and_read_as_json_and_html(client: TestClient) -> None:
    post_comment(client, "good", GOOD)
    picked = pick(client, "good", quote="the bus stops  at the door")
    assert picked.status_code == 201
    assert picked.json()["quote"] == "the bus stops at the door"
    assert client.get("/p/post/a-1.json").json()["items"] == []
    assert publish(client).status_code == 200
    page = client.get("/p/post/a-1.json")
    assert [item["quote"] for item in page.json()["items"]] == ["the bus stops at the door"]
    unchanged = client.get("/p/post/a-1.json", headers={"If-None-Match": page.headers["etag"]})
    assert unchanged.status_code == 304
    html = client.get("/p/post/a-1.html").text
    assert "Perspectives &amp; Insights" in html
    assert "the bus stops at the door" in html


def test_words_that_the_author_did_not_write_are_refused(client: TestClient) -> None:
    post_comment(client, "good", GOOD)
    refused = pick(client, "good", quote="the bus never stops")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["code"] == "not_in_revision"
    for spans in ([{"start": 5, "end": 5}], [{"start": 0, "end": 9999}]):
        assert pick(client, "good", spans=spans).status_code == 422
    crossed = [{"start": 9, "end": 12}, {"start": 0, "end": 4}]
    assert pick(client, "good", spans=crossed).status_code == 422


def test_spans_are_joined_by_an_ellipsis(client: TestClient) -> None:
    post_comment(client, "good", GOOD)
    spans = [{"start": 0, "end": 6}, {"start": len(GOOD) - 8, "end": len(GOOD)}]
    assert pick(client, "good", spans=spans).json()["quote"] == "I shop … an hour."


def test_without_words_the_whole_comment_is_picked(client: TestClient) -> None:
    post_comment(client, "good", GOOD)
    assert pick(client, "good").json()["quote"] == GOOD


def test_a_held_comment_cannot_be_picked(client: TestClient) -> None:
    post_comment(client, "held", "Win at the casino today")
    assert pick(client, "held").json()["code"] == "not_approved"


def test_an_echo_is_picked_only_knowingly(client: TestClient) -> None:
    post_comment(client, "echo", ECHO)
    assert pick(client, "echo").json()["code"] == "echo"
    assert pick(client, "echo", acknowledge_echo=True).status_code == 201


def test_one_comment_is_picked_once(client: TestClient) -> None:
    post_comment(client, "good", GOOD)
    pick(client, "good")
    assert pick(client, "good").json()["code"] == "already_picked"


def test_a_draft_is_a_selection(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.moderation.picks.MOST_PICKS", 1)
    for number in range(2):
        post_comment(client, f"c-{number}", f"{GOOD} {number}")
    assert pick(client, "c-0").status_code == 201
    assert pick(client, "c-1").status_code == 409


def test_picks_are_put_in_order_and_dropped(client: TestClient) -> None:
    for number in range(3):
        post_comment(client, f"c-{number}", f"{GOOD} {number}")
        pick(client, f"c-{number}")
    draft = client.get("/api/v1/articles/a-1/picks").json()
    last = draft["items"][2]["id"]
    moved = client.patch(f"/api/v1/articles/a-1/picks/{last}", json={"position": 1}).json()
    assert [item["comment_id"] for item in moved["items"]] == ["c-2", "c-0", "c-1"]
    assert moved["version"] > draft["version"]
    left = client.delete(f"/api/v1/articles/a-1/picks/{last}").json()
    assert [item["comment_id"] for item in left["items"]] == ["c-0", "c-1"]
    assert client.delete(f"/api/v1/articles/a-1/picks/{last}").status_code == 404


def test_a_stale_draft_is_not_published(client: TestClient) -> None:
    post_comment(client, "good", GOOD)
    before = client.get("/api/v1/articles/a-1/block").json()["draft"]["version"]
    pick(client, "good")
    refused = client.post("/api/v1/articles/a-1/block/publish", json={"version": before})
    assert (refused.status_code, refused.json()["code"]) == (409, "stale")


@pytest.mark.parametrize("cause", ["rejected", "edited", "withdrawn"])
def test_a_comment_that_goes_takes_its_quote_off_the_page(client: TestClient, cause: str) -> None:
    post_comment(client, "good", GOOD)
    post_comment(client, "other", "Fine by me because I walk.")
    pick(client, "good")
    pick(client, "other")
    publish(client)
    before = client.get("/p/post/a-1.json")
    if cause == "rejected":
        decision = {"action": "reject", "revision": 1, "reason": "other"}
        client.post("/api/v1/comments/good/decisions", json=decision)
    elif cause == "edited":
        edited = {"article_id": "a-1", "author": {"name": "Ada"}, "body": "Other words"}
        client.put("/api/v1/comments/good?wait=5", json=edited)
    else:
        client.delete("/api/v1/comments/good")
    after = client.get("/p/post/a-1.json")
    assert [item["comment_id"] for item in after.json()["items"]] == ["other"]
    assert after.headers["etag"] != before.headers["etag"]


def test_a_block_that_is_taken_down_is_empty_and_has_no_heading(client: TestClient) -> None:
    post_comment(client, "good", GOOD)
    pick(client, "good")
    publish(client)
    down = client.post("/api/v1/articles/a-1/block/withdraw").json()
    assert down["published"]["items"] == []
    assert len(down["draft"]["items"]) == 1
    page = client.get("/p/post/a-1.html")
    assert (page.status_code, page.text) == (200, "")


def test_the_feed_tells_every_change_in_order(client: TestClient) -> None:
    post_comment(client, "good", GOOD)
    pick(client, "good")
    publish(client)
    client.delete("/api/v1/comments/good")
    events = client.get("/api/v1/feed").json()
    kinds = [(e["kind"], e["comment_id"]) for e in events["items"]]
    assert kinds[0] == ("comment", "good")
    assert ("pick", "good") in kinds
    assert ("block", None) in kinds
    after = client.get(f"/api/v1/feed?after={events['next']}").json()
    assert after == {"items": [], "next": events["next"]}


def test_markup_in_a_quote_is_inert_on_the_page(client: TestClient) -> None:
    put_article(client, "a-1", title="<b>High</b> street")
    body = "I <script>alert(1)</script> shop there because it is near."
    post_comment(client, "good", body, author={"name": "<img src=x onerror=alert(1)>"})
    pick(client, "good")
    publish(client)
    html = client.get("/p/post/a-1.html").text
    assert "<script>alert" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("body", "quote"),
    [
        ("“I walk there.”", "I walk there."),
        ('  "I walk there."  ', "I walk there."),
        ('"I walk there.”', "I walk there."),
        ('"Yes," she said, "and I walk."', '"Yes," she said, "and I walk."'),
        ("'Tis the dogs'", "'Tis the dogs'"),
    ],
)
def test_a_quote_has_no_marks_of_its_own_around_it(
    client: TestClient, body: str, quote: str
) -> None:
    post_comment(client, "c-1", body)
    [item] = client.get("/api/v1/candidates?article_id=a-1").json()["items"]
    assert item["quote_text"] == quote
    assert pick(client, "c-1", quote=body).json()["quote"] == quote


def test_a_pick_that_left_with_its_comment_is_listed_until_somebody_takes_note(
    client: TestClient,
) -> None:
    for comment_id in ("edited", "rejected", "again"):
        post_comment(client, comment_id, GOOD)
    ids = {name: pick(client, name).json()["id"] for name in ("edited", "rejected", "again")}
    words = {"article_id": "a-1", "author": {"name": "Ada"}, "body": "Fine by me."}
    client.put("/api/v1/comments/edited?wait=5", json=words)
    ruling = {"action": "reject", "revision": 1, "reason": "abusive"}
    for comment_id in ("rejected", "again"):
        client.post(f"/api/v1/comments/{comment_id}/decisions", json=ruling)
    undone = {"action": "approve", "revision": 1, "seen": "rejected"}
    client.post("/api/v1/comments/again/decisions", json=undone)
    listed = client.get("/api/v1/articles/a-1/picks").json()
    assert listed["items"] == []
    assert listed["withdrawn"] == [
        {"id": ids["again"], "comment_id": "again", "because": "abusive"},
        {"id": ids["rejected"], "comment_id": "rejected", "because": "abusive"},
        {"id": ids["edited"], "comment_id": "edited", "because": "edited"},
    ]
    assert pick(client, "again").status_code == 201
    noted = client.delete(f"/api/v1/articles/a-1/picks/{ids['rejected']}")
    assert [each["comment_id"] for each in noted.json()["withdrawn"]] == ["edited"]
    assert client.get("/api/v1/articles/a-1/picks").json() == noted.json()
