"""A site's rules on the moderator's page: by the name the site gave them, with their evidence."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from service.moderation.rules import versions
from service.moderation.rules.book import Book
from service.storage.db import Database
from tests.conftest import NOW, House, post_comment

pytestmark = pytest.mark.usefixtures("article")


def set_rule(database: Database, house: House, **fields: Any) -> None:
    rule = {"id": "bus", "name": "No <buses>", "when": {"words": ["bus"]}, **fields}
    book = Book.model_validate({"rules": [rule]})
    database.write(lambda s: versions.put(s, house.site_id, book, seen=0, now=NOW))


def test_a_rule_that_holds_is_named_and_its_words_are_marked(
    client: TestClient, moderator: TestClient, database: Database, house: House
) -> None:
    set_rule(database, house, action="hold")
    post_comment(client, "c-1", "The bus was late")
    page = moderator.get("/desk/post/review").text
    assert "<strong>Rule</strong> <span>The rule “No &lt;buses&gt;” applies.</span>" in page
    assert '<mark class="evidence">bus</mark>' in page


def test_a_rule_that_flags_shows_beside_what_holds_the_comment(
    client: TestClient, moderator: TestClient, database: Database, house: House
) -> None:
    set_rule(database, house, action="flag")
    post_comment(client, "c-1", "Win at the casino by bus")
    page = moderator.get("/desk/post/review").text
    assert "It reads like advertising or fraud." in page
    assert "<strong>Flag</strong> <span>The rule “No &lt;buses&gt;” applies.</span>" in page
    assert '<mark class="evidence">bus</mark>' in page


def test_a_rule_in_the_shadow_is_not_shown(
    client: TestClient, moderator: TestClient, database: Database, house: House
) -> None:
    set_rule(database, house, action="flag", shadow=True)
    post_comment(client, "c-1", "Win at the casino by bus")
    page = moderator.get("/desk/post/review").text
    assert "casino" in page
    assert "buses" not in page
