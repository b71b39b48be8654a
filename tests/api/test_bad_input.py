"""Bad input: each kind has a clear answer, and what is taken all the same is kept as it was sent."""

import json
import re
import time

import pytest
from starlette.testclient import TestClient

from service.moderation import keys, sites
from service.process import utc_now
from service.storage.db import Database
from service.storage.tables import Scope
from tests.conftest import NOW, PASSWORD, House, post_comment, put_article

pytestmark = pytest.mark.usefixtures("article")

MARKUP = "<img src=x onerror=alert(1)>\"'&lt;</p></blockquote><script>x</script>"
OVERRIDE = "\u202eevil\u2066 text\u200b"
# Whatever is no NUL: C0, DEL and C1.
CONTROLS = "a" + "".join(map(chr, [*range(1, 32), *range(127, 160)])) + "b"
PICKS, BLOCK = "/api/v1/articles/a-1/picks", "/api/v1/articles/a-1/block/publish"


def published(client: TestClient, **pick: object) -> None:
    """The comment `c-1` stands on the page."""
    assert client.post(PICKS, json={"comment_id": "c-1", "revision": 1, **pick}).status_code == 201
    assert client.post(BLOCK, json={"version": 1}).status_code == 200


def signed_in(client: TestClient, email: str) -> TestClient:
    client.headers["Sec-Fetch-Site"] = "same-origin"
    form = {"email": email, "password": PASSWORD}
    assert client.post("/login", data=form, follow_redirects=False).status_code == 303
    return client


@pytest.mark.parametrize("body", ["", " ", "\t\r\n", "\u3000\u2028"])
def test_a_comment_without_words_is_named(client: TestClient, body: str) -> None:
    refused = post_comment(client, "c-1", body)
    [wrong] = refused.json()["errors"]
    assert (refused.status_code, wrong["pointer"], wrong["code"]) == (422, "/body", "empty")


def test_a_comment_of_a_megabyte_is_refused_by_its_length_and_an_article_is_taken(
    client: TestClient,
) -> None:
    megabyte = "word " * 200_000
    refused = post_comment(client, "c-1", megabyte)
    [wrong] = refused.json()["errors"]
    assert (refused.status_code, wrong["pointer"], wrong["code"]) == (422, "/body", "too_long")
    assert len(refused.content) < 1000
    assert put_article(client, "a-2", body=megabyte)["revision"] == 1
    assert post_comment(client, "c-1", "About it", article_id="a-2").status_code == 201


def test_control_characters_are_kept_and_every_page_stands(
    client: TestClient, house: House
) -> None:
    sent = post_comment(client, "c-1", CONTROLS, author={"name": f"Ada {CONTROLS}"})
    assert sent.status_code == 201
    published(client)
    assert client.get("/p/post/a-1.html").status_code == 200
    assert client.get("/p/post/a-1.json").json()["items"][0]["author_name"] == f"Ada {CONTROLS}"
    assert signed_in(client, house.editor).get("/desk/post/picks/a-1").status_code == 200


def test_an_override_of_direction_turns_nothing_beside_it(client: TestClient, house: House) -> None:
    """A name stands in `bdi`, words in a paragraph of their own: the override ends with them."""
    post_comment(client, "c-1", OVERRIDE, author={"name": OVERRIDE})
    published(client)
    section = client.get("/p/post/a-1.html?part=section").text
    assert f"<bdi>{OVERRIDE}</bdi>" in section
    assert f'<p dir="auto">“{OVERRIDE}”</p>' in section
    post_comment(client, "c-2", f"casino {OVERRIDE}", author={"name": OVERRIDE})
    page = signed_in(client, house.moderator).get("/desk/post/review").text
    assert f"<bdi>{OVERRIDE}</bdi>" in page
    assert re.search(rf'<div class="text body"[^>]* dir="auto"[^>]*>[^\n]*{OVERRIDE}</div>', page)


def test_ten_thousand_marks_on_a_letter_are_one_character_and_take_no_time(
    client: TestClient,
) -> None:
    piled = "e" + "\u0301" * 10_000
    began = time.monotonic()
    assert post_comment(client, "c-1", f"Oh {piled} no").status_code == 201
    inside = {"comment_id": "c-1", "revision": 1, "spans": [{"start": 0, "end": 100}]}
    refused = client.post(PICKS, json=inside)
    assert refused.status_code == 422
    assert [e["code"] for e in refused.json()["errors"]] == ["splits_a_character"]
    published(client)
    assert client.get("/p/post/a-1.json").json()["items"][0]["quote"] == f"Oh {piled} no"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("body", "start", "end", "quote"),
    [
        ("Cafe\u0301 life", 0, 4, "Cafe"),  # the letter without its accent
        ("We 👩‍👩‍👧 agree", 3, 4, "👩"),  # one of a family
        ("Go 🇩🇪 go", 0, 4, "Go \U0001f1e9"),  # half a flag
        ("Yes 👍🏽 yes", 0, 5, "Yes 👍"),  # a hand without its colour
    ],
)
def test_a_quote_splits_no_character(
    client: TestClient, body: str, start: int, end: int, quote: str
) -> None:
    post_comment(client, "c-1", body)
    for cut in ({"spans": [{"start": start, "end": end}]}, {"quote": quote}):
        refused = client.post(PICKS, json={"comment_id": "c-1", "revision": 1, **cut})
        assert refused.status_code == 422
        [wrong] = refused.json()["errors"]
        assert (wrong["pointer"], wrong["code"]) == ("/spans/0", "splits_a_character")
    published(client)


def test_markup_in_every_field_is_text_on_every_page(client: TestClient, house: House) -> None:
    put_article(client, "a-1", title=MARKUP, section=MARKUP, tags=[MARKUP], bylines=[MARKUP])
    author = {"name": MARKUP, "id": MARKUP, "url": MARKUP}
    for comment_id, words in (("c-1", MARKUP), ("c-2", f"casino {MARKUP}")):
        assert post_comment(client, comment_id, words, author=author).status_code == 201
    published(client, note=MARKUP)
    flag = {"reporter": MARKUP, "note": MARKUP}
    assert client.post("/api/v1/comments/c-2/flags", json=flag).status_code == 201
    assert client.get("/api/v1/comments/c-1").json()["body"] == MARKUP
    pages = ["/p/post/a-1.html", "/p/post/a-1.html?part=section"]
    shown = [client.get(page).text for page in pages]
    for email, desk in (
        (house.moderator, ["/desk/post/review"]),
        (house.editor, ["/desk/post/picks", "/desk/post/picks/a-1"]),
    ):
        signed_in(client, email)
        shown += [client.get(page).text for page in desk]
        client.cookies.clear()
    for html in shown:
        assert "&lt;img src=x" in html
        assert "<img src=x" not in html
        assert "<script>x" not in html


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "not an address"])
def test_what_is_no_address_of_the_web_is_named(client: TestClient, address: str) -> None:
    refused = post_comment(client, "c-1", "Words", url=address)
    assert [e["pointer"] for e in refused.json()["errors"]] == ["/url"]


@pytest.mark.parametrize(
    ("year", "code"), [(utc_now().year + 2, "in_the_future"), (9999, "not_allowed")]
)
def test_a_time_in_the_far_future_is_named(client: TestClient, year: int, code: str) -> None:
    later = f"{year}-01-01T00:00:00Z"
    refused = post_comment(client, "c-1", "Words", posted_at=later)
    [wrong] = refused.json()["errors"]
    assert (refused.status_code, wrong["pointer"]) == (422, "/posted_at")
    assert wrong["code"] == code
    assert post_comment(client, "c-1", "Words").status_code == 201
    edit = {"article_id": "a-1", "author": {"name": "Ada"}, "body": "Other", "posted_at": later}
    assert client.put("/api/v1/comments/c-1", json=edit).status_code == 422
    assert client.get("/api/v1/comments/c-1").json()["revision"] == 1


@pytest.mark.parametrize("step", [".", ".."])
def test_an_id_is_no_step_in_a_path(client: TestClient, step: str) -> None:
    refused = post_comment(client, step, "Words")
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [("/id", "invalid_id")]
    refused = post_comment(client, "c-1", "Words", article_id=step, parent_id=step)
    assert [e["pointer"] for e in refused.json()["errors"]] == ["/article_id", "/parent_id"]
    # A client that does not take the step itself.
    escaped = step.replace(".", "%2e")
    assert client.get(f"/api/v1/comments/{escaped}").json()["code"] == "invalid_id"
    assert client.get(f"/p/post/{escaped}.json").status_code == 404
    assert post_comment(client, "...", "Words").status_code == 201


def test_a_comment_that_was_erased_takes_no_edit(
    client: TestClient, database: Database, house: House
) -> None:
    site = database.read(lambda s: sites.get(s, house.slug))
    key = database.write(lambda s: keys.create(s, site, name="k", scopes={Scope.ADMIN}, now=NOW))
    post_comment(client, "c-1", "Words")
    erased = client.delete(
        "/api/v1/authors?comment_id=c-1", headers={"Authorization": f"Bearer {key}"}
    )
    assert erased.status_code == 200
    edit = {"article_id": "a-1", "author": {"name": "Ada"}, "body": "Words, edited"}
    refused = client.put("/api/v1/comments/c-1", json=edit)
    assert (refused.status_code, refused.json()["code"]) == (410, "erased")
    assert client.get("/api/v1/comments/c-1").json()["body"] == ""


def test_a_name_that_is_twice_in_an_object_counts_as_written_last(client: TestClient) -> None:
    body = {"id": "c-1", "article_id": "a-1", "author": {"name": "Ada"}, "body": "Last"}
    raw = json.dumps(body).replace('"body"', '"body": "First", "body"')
    assert client.post("/api/v1/comments?wait=5", content=raw).json()["body"] == "Last"


def test_an_earlier_revision_sent_again_is_the_same_comment(client: TestClient) -> None:
    """A queue between the site and us may deliver the posting after the edit, or once more."""
    post_comment(client, "c-1", "As it was posted")
    edit = {"article_id": "a-1", "author": {"name": "Ada"}, "body": "As it was edited"}
    assert client.put("/api/v1/comments/c-1?wait=5", json=edit).json()["revision"] == 2
    again = post_comment(client, "c-1", "As it was posted")
    assert (again.status_code, again.json()["revision"]) == (200, 2)
    assert again.json()["body"] == "As it was edited"
    assert post_comment(client, "c-1", "As nobody wrote it").status_code == 409
