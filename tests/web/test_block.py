"""The published block, as a stranger's browser and a cache see it."""

import pytest
from starlette.testclient import TestClient

from tests.conftest import post_comment, put_article
from tests.web.conftest import Browse

pytestmark = pytest.mark.usefixtures("article")

WORDS = "I shop there because the bus stops at the door."


@pytest.fixture
def stranger(client: TestClient, browse: Browse) -> TestClient:
    """A visitor without key or sign-in, after one quote was published."""
    post_comment(client, "good", WORDS, url="https://post.example/a-1#good")
    client.post("/api/v1/articles/a-1/picks", json={"comment_id": "good", "revision": 1})
    version = client.get("/api/v1/articles/a-1/block").json()["draft"]["version"]
    client.post("/api/v1/articles/a-1/block/publish", json={"version": version})
    return browse(None)


def test_json_says_what_stands_there(stranger: TestClient) -> None:
    reply = stranger.get("/p/post/a-1.json", headers={"Origin": "https://post.example"})
    body = reply.json()
    assert set(body) == {"article_id", "version", "changed_at", "heading", "items"}
    assert body["heading"] == "Perspectives & Insights"
    [item] = body["items"]
    assert (item["author_name"], item["quote"]) == ("Ada", WORDS)
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["cache-control"] == "public, max-age=30"


def test_html_is_a_document_or_its_section_alone(stranger: TestClient) -> None:
    document = stranger.get("/p/post/a-1.html").text
    assert document.startswith("<!doctype html>")
    section = stranger.get("/p/post/a-1.html?part=section").text
    assert section.startswith('<section class="postbag-block">')
    assert "<h2>Perspectives &amp; Insights</h2>" in section
    assert section.strip().replace("h2>", "h1>") in document
    assert '<blockquote cite="https://post.example/a-1#good">' in section
    assert "<script" not in document


def test_words_that_bring_their_own_marks_get_no_second_pair(
    client: TestClient, browse: Browse
) -> None:
    post_comment(client, "own", "“Fine by me because I walk.”")
    pick = {"comment_id": "own", "revision": 1, "spans": [{"start": 0, "end": 28}]}
    assert client.post("/api/v1/articles/a-1/picks", json=pick).status_code == 201
    version = client.get("/api/v1/articles/a-1/block").json()["draft"]["version"]
    client.post("/api/v1/articles/a-1/block/publish", json={"version": version})
    page = browse(None).get("/p/post/a-1.html").text
    assert ">“Fine by me because I walk.”<" in page


@pytest.mark.parametrize("kind", ["json", "html"])
def test_a_cache_asks_and_hears_whether_it_changed(
    client: TestClient, stranger: TestClient, kind: str
) -> None:
    path = f"/p/post/a-1.{kind}"
    etag = stranger.get(path).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        assert stranger.get(path, headers={"If-None-Match": known}).status_code == 304
    client.post("/api/v1/articles/a-1/block/withdraw")
    changed = stranger.get(path, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


@pytest.mark.parametrize("path", ["/p/post/none.json", "/p/none/a-1.json", "/p/post/a%00b.json"])
def test_what_is_not_there_is_404(stranger: TestClient, path: str) -> None:
    assert stranger.get(path).status_code == 404


def test_a_cache_asks_again_once_the_article_has_moved(
    client: TestClient, stranger: TestClient
) -> None:
    before = stranger.get("/p/post/a-1.html")
    put_article(client, "a-1", url="https://post.example/moved")
    known = {"If-None-Match": before.headers["etag"]}
    after = stranger.get("/p/post/a-1.html", headers=known)
    assert after.status_code == 200
    assert 'href="https://post.example/moved"' in after.text
    known = {"If-None-Match": after.headers["etag"]}
    assert stranger.get("/p/post/a-1.html", headers=known).status_code == 304
