"""The editor's page: candidates, a quote, an order, a publication."""

import re

import pytest
from starlette.testclient import TestClient

from service.web import words
from tests.conftest import ARTICLE_TEXT, post_comment

pytestmark = pytest.mark.usefixtures("article")

GOOD = "I shop there every week because the bus stops at the door. It saves me an hour."
ECHO = ARTICLE_TEXT.split(". ")[2]
HERE = "/desk/post/picks/a-1"


def choose(editor: TestClient, comment_id: str, **form: str) -> str:
    data = {"comment": comment_id, "revision": "1", **form}
    reply = editor.post(f"{HERE}/choose", data=data)
    assert reply.status_code == 303
    return reply.headers["location"]


def publish(editor: TestClient) -> str:
    version = re.search(r'name="version" value="(\d+)"', editor.get(HERE).text)
    assert version
    location = editor.post(f"{HERE}/publish", data={"version": version[1]}).headers["location"]
    return str(location)


def on_the_page(client: TestClient) -> list[str]:
    return [item["quote"] for item in client.get("/p/post/a-1.json").json()["items"]]


def test_articles_are_listed_with_what_waits(client: TestClient, editor: TestClient) -> None:
    post_comment(client, "c-1", GOOD)
    page = editor.get("/desk/post/picks").text
    assert "High street closes to cars" in page
    assert f'href="{HERE}"' in page


def test_candidates_are_ranked_explained_and_echoes_marked(
    client: TestClient, editor: TestClient
) -> None:
    post_comment(client, "echo", ECHO)
    post_comment(client, "good", GOOD)
    page = editor.get(HERE).text
    assert page.index("I shop there") < page.index("Buses now stop")
    assert "first-hand experience" in page
    assert "the article&#39;s own words" in page
    assert "insight 90" in page


def test_words_are_picked_put_in_order_published_and_taken_down(
    client: TestClient, editor: TestClient
) -> None:
    post_comment(client, "good", GOOD)
    post_comment(client, "other", "Fine by me because I walk.")
    assert choose(editor, "good", quote="the bus stops\r\nat the door").endswith("?said=picked")
    assert choose(editor, "other", quote="").endswith("?said=picked")
    assert "Not on the page." in editor.get(HERE).text
    assert publish(editor).endswith("?said=published")
    assert on_the_page(client) == ["the bus stops at the door", "Fine by me because I walk."]
    page = editor.get(HERE).text
    assert "On the page, as below." in page
    second = re.findall(rf"{HERE}/(p_[\w-]+)/place", page)[1]
    editor.post(f"{HERE}/{second}/place", data={"position": "1"})
    assert "The draft differs from the page." in editor.get(HERE).text
    publish(editor)
    assert on_the_page(client)[0] == "Fine by me because I walk."
    editor.post(f"{HERE}/{second}/drop")
    publish(editor)
    assert on_the_page(client) == ["the bus stops at the door"]
    assert editor.post(f"{HERE}/take-down").headers["location"].endswith("?said=taken_down")
    assert on_the_page(client) == []


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"quote": "words nobody wrote"}, "not_in_revision"),
        ({"revision": "2"}, "stale"),
        ({"revision": "x"}, "missing"),
        ({"comment": "no-such"}, "not_found"),
    ],
)
def test_what_cannot_be_picked_is_refused_in_words(
    client: TestClient, editor: TestClient, form: dict[str, str], said: str
) -> None:
    post_comment(client, "good", GOOD)
    data = {"comment": "good", "revision": "1", "quote": "", **form}
    reply = editor.post(f"{HERE}/choose", data=data)
    assert reply.headers["location"].endswith(f"?said={said}")
    assert client.get("/api/v1/articles/a-1/picks").json()["items"] == []


def test_an_echo_is_picked_only_knowingly(client: TestClient, editor: TestClient) -> None:
    post_comment(client, "echo", ECHO)
    assert choose(editor, "echo", quote=ECHO).endswith("?said=echo")
    assert choose(editor, "echo", quote=ECHO, acknowledge_echo="yes").endswith("?said=picked")


def test_a_draft_that_changed_meanwhile_is_not_published(
    client: TestClient, editor: TestClient
) -> None:
    post_comment(client, "good", GOOD)
    reply = editor.post(f"{HERE}/publish", data={"version": "99"})
    assert reply.headers["location"].endswith("?said=stale")


def test_an_article_that_is_not_there_is_404(editor: TestClient) -> None:
    assert editor.get("/desk/post/picks/no-such").status_code == 404
    assert editor.get("/desk/post/picks/a%00b").status_code == 404


def test_a_withdrawn_pick_says_why_until_it_is_dismissed(
    client: TestClient, editor: TestClient
) -> None:
    post_comment(client, "good", GOOD)
    choose(editor, "good", quote="")
    assert "Withdrawn" not in editor.get(HERE).text
    ruling = {"action": "reject", "revision": 1, "reason": "off_topic"}
    client.post("/api/v1/comments/good/decisions", json=ruling)
    page = editor.get(HERE).text
    assert "The comment is no longer approved: off topic." in page
    assert "Ada" in page
    dismiss = re.search(r'action="([^"]+/drop)"', page)
    assert dismiss
    assert editor.post(dismiss[1]).headers["location"].endswith("?said=dropped")
    assert "Withdrawn" not in editor.get(HERE).text


@pytest.mark.parametrize(
    ("because", "said"),
    [
        ("edited", "Its author changed the comment."),
        ("erased", "The comment was erased."),
        ("retention", "The comment was erased: it is not kept for longer."),
        ("spam", "The comment is no longer approved: spam."),
        ("held", "The comment is no longer approved."),
        (None, "The comment is no longer approved."),
    ],
)
def test_every_cause_of_a_withdrawal_has_its_sentence(because: str | None, said: str) -> None:
    assert words.withdrawn(because) == said
