"""Roles that are limited to sections: another section's comments and articles are not there."""

import re

import pytest
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from service.moderation import people, sites
from service.storage.db import Database
from service.storage.tables import Role
from tests.conftest import House, post_comment, put_article
from tests.web.conftest import Browse

REVIEW, PICKS = "/desk/post/review", "/desk/post/picks"
GOOD = "I shop there every week because the bus stops at the door."


def limit(database: Database, email: str, role: Role, *sections: str) -> None:
    def grant(session: Session) -> None:
        people.grant(
            session,
            people.get(session, email),
            sites.get(session, "post"),
            role,
            sections=sections or None,
        )

    database.write(grant)


@pytest.fixture(autouse=True)
def stream(client: TestClient) -> None:
    """A held and an approved comment in Sport, in Local, and under an article without a section."""
    for section in ("Sport", "Local", None):
        name = section or "none"
        put_article(client, f"a-{name}", **({"section": section} if section else {}))
        for kind, body in (("held", "You idiot"), ("good", GOOD)):
            posted = post_comment(client, f"{kind}-{name}", body, article_id=f"a-{name}")
            assert posted.status_code == 201


@pytest.fixture
def moderator(browse: Browse, house: House, database: Database) -> TestClient:
    """The moderator of Sport."""
    limit(database, house.moderator, Role.MODERATOR, "Sport")
    return browse(house.moderator)


@pytest.fixture
def editor(browse: Browse, house: House, database: Database) -> TestClient:
    """The editor of Sport."""
    limit(database, house.editor, Role.EDITOR, "Sport")
    return browse(house.editor)


def shown(page: str) -> set[str]:
    return set(re.findall(r"review/([\w-]+)/decide", page))


def decide(client: TestClient, comment: str) -> str:
    form = {"action": "approve", "revision": "1"}
    reply = client.post(f"{REVIEW}/{comment}/decide", data=form)
    return reply.headers["location"].partition("said=")[2]


def state(client: TestClient, comment: str) -> str:
    found: str = client.get(f"/api/v1/comments/{comment}").json()["state"]
    return found


def test_a_moderator_sees_counts_claims_and_decides_the_own_section_alone(
    client: TestClient, moderator: TestClient, browse: Browse, house: House
) -> None:
    page = moderator.get(REVIEW).text
    assert shown(page) == {"held-Sport"}
    assert "1 comment waits" in page
    assert "Of <bdi>Sport</bdi>" in page
    assert shown(browse(house.second_moderator).get(REVIEW).text) == {"held-Local", "held-none"}
    assert decide(moderator, "held-Local") == "not_found"
    assert decide(moderator, "held-none") == "not_found"
    assert decide(moderator, "no-such") == "not_found"
    assert decide(moderator, "held-Sport") == "approve"
    states = [state(client, f"held-{name}") for name in ("Sport", "Local", "none")]
    assert states == ["approved", "held", "held"]


def test_what_was_decided_before_the_limit_is_out_of_reach_too(
    browse: Browse, house: House, database: Database, client: TestClient
) -> None:
    moderator = browse(house.moderator)
    moderator.get(REVIEW)
    assert decide(moderator, "held-Local") == "approve"
    page = moderator.get(REVIEW).text
    found = re.search(r'held-Local/undo.*?name="decision" value="(\d+)"', page, re.DOTALL)
    assert found
    limit(database, house.moderator, Role.MODERATOR, "Sport")
    assert "held-Local" not in moderator.get(REVIEW).text
    undone = moderator.post(f"{REVIEW}/held-Local/undo", data={"decision": found[1]})
    assert undone.headers["location"].endswith("not_found")
    assert state(client, "held-Local") == "approved"


def test_a_limit_frees_what_was_claimed_beyond_it(
    browse: Browse, house: House, database: Database
) -> None:
    moderator, colleague = browse(house.moderator), browse(house.second_moderator)
    assert len(shown(moderator.get(REVIEW).text)) == 3
    limit(database, house.moderator, Role.MODERATOR, "Sport")
    assert shown(moderator.get(REVIEW).text) == {"held-Sport"}
    assert shown(colleague.get(REVIEW).text) == {"held-Local", "held-none"}


def test_an_article_that_moves_to_another_section_takes_its_comments_along(
    client: TestClient, moderator: TestClient
) -> None:
    assert shown(moderator.get(REVIEW).text) == {"held-Sport"}
    put_article(client, "a-Sport", section="Local")
    put_article(client, "a-none", section="Sport")
    assert shown(moderator.get(REVIEW).text) == {"held-none"}
    assert decide(moderator, "held-Sport") == "not_found"


def test_an_editor_sees_picks_and_publishes_the_own_section_alone(
    client: TestClient, editor: TestClient
) -> None:
    page = editor.get(PICKS).text
    assert "a-Sport" in page
    assert "a-Local" not in page
    assert "a-none" not in page
    assert GOOD in editor.get(f"{PICKS}/a-Sport").text
    pick = {"comment": "good-Sport", "revision": "1", "quote": ""}
    picked = editor.post(f"{PICKS}/a-Sport/choose", data=pick)
    assert picked.headers["location"].endswith("picked")
    found = re.search(r'name="version" value="(\d+)"', editor.get(f"{PICKS}/a-Sport").text)
    assert found
    editor.post(f"{PICKS}/a-Sport/publish", data={"version": found[1]})
    assert len(client.get("/p/post/a-Sport.json").json()["items"]) == 1


def test_another_sections_block_is_not_there_to_be_touched(
    client: TestClient, editor: TestClient
) -> None:
    chosen = client.post(
        "/api/v1/articles/a-Local/picks", json={"comment_id": "good-Local", "revision": 1}
    ).json()
    version = client.get("/api/v1/articles/a-Local/block").json()["draft"]["version"]
    client.post("/api/v1/articles/a-Local/block/publish", json={"version": version})
    before = client.get("/api/v1/articles/a-Local/block").json()
    there = f"{PICKS}/a-Local"
    assert editor.get(there).status_code == 404
    for path, form in (
        ("choose", {"comment": "good-Local", "revision": "1", "quote": ""}),
        ("choose", {"comment": "good-Sport", "revision": "1", "quote": ""}),
        ("publish", {"version": str(version)}),
        ("take-down", {}),
        (f"{chosen['id']}/place", {"position": "1"}),
        (f"{chosen['id']}/drop", {}),
    ):
        refused = editor.post(f"{there}/{path}", data=form)
        assert refused.headers["location"].endswith("said=not_found"), path
    assert client.get("/api/v1/articles/a-Local/block").json() == before


def test_each_role_has_its_own_sections(browse: Browse, house: House, database: Database) -> None:
    limit(database, house.moderator, Role.MODERATOR, "Sport", "Local")
    limit(database, house.moderator, Role.EDITOR, "Local")
    both = browse(house.moderator)
    assert shown(both.get(REVIEW).text) == {"held-Sport", "held-Local"}
    page = both.get(PICKS).text
    assert "a-Local" in page
    assert "a-Sport" not in page


def test_an_admin_sees_the_whole_site_whatever_else_they_are(
    browse: Browse, house: House, database: Database
) -> None:
    limit(database, house.moderator, Role.MODERATOR, "Sport")
    limit(database, house.moderator, Role.ADMIN)
    admin = browse(house.moderator)
    assert shown(admin.get(REVIEW).text) == {"held-Sport", "held-Local", "held-none"}
    assert admin.get(f"{PICKS}/a-Local").status_code == 200
