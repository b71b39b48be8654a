"""The people's desk: an admin gives and takes roles, ends sessions, and keeps people out."""

import html
import re
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from service.moderation import people, sites
from service.process import utc_now
from service.storage.db import Database
from service.storage.tables import Comment, Person, Role
from tests.conftest import NOW, PASSWORD, House, post_comment, put_article
from tests.web.conftest import Browse

HERE = "/desk/post/people"
REVIEW = "/desk/post/review"


@pytest.fixture
def admin(browse: Browse, database: Database) -> TestClient:
    def add(session: Session) -> None:
        person = people.create(session, "ann@post.example", name="Ann", password=PASSWORD, now=NOW)
        people.grant(session, person, sites.get(session, "post"), Role.ADMIN)

    database.write(add)
    return browse("ann@post.example")


@pytest.fixture
def mo(database: Database, house: House) -> int:
    """The moderator's number on the page."""
    return database.read(lambda s: people.get(s, house.moderator).id)


def said(admin: TestClient, path: str, **form: str) -> str:
    reply = admin.post(f"{HERE}/{path}", data=form)
    return reply.headers.get("location", "").partition("said=")[2] or str(reply.status_code)


def test_everybody_on_the_site_is_listed_with_their_roles(admin: TestClient) -> None:
    page = admin.get(HERE).text
    for name in ("Ann", "Mo", "Max", "Edi", "mo@post.example"):
        assert name in page
    assert page.count("of the whole site") == 4
    assert page.count(">You<") == 1
    # Nothing to do to oneself here.
    assert page.count("Deactivate<") == 3


def test_the_form_has_the_sections_that_stand_there_already(
    admin: TestClient, mo: int, database: Database
) -> None:
    """Sent again with one section more, or by mistake as it is, it gives nobody the whole site."""
    assert said(admin, f"{mo}/grant", role="moderator", sections="Sport\n<Local>") == "role_given"
    page = admin.get(HERE).text
    [filled] = re.findall(r"<textarea[^>]*>([^<]+)</textarea>", page)
    assert html.unescape(filled) == "<Local>\nSport"
    form = page.split(f"/people/{mo}/grant")[1].partition("</form>")[0]
    assert '<option value="moderator" selected>' in form
    editor = page.split("edi@post.example")[1].partition("</form>")[2]
    assert '<option value="editor" selected>' in editor


def test_a_deactivated_person_is_out_at_once_and_their_claims_go_to_the_others(
    admin: TestClient,
    client: TestClient,
    browse: Browse,
    house: House,
    mo: int,
    database: Database,
) -> None:
    put_article(client, "a-1")
    post_comment(client, "c-1", "You idiot")
    moderator = browse(house.moderator)
    assert "/c-1/decide" in moderator.get(REVIEW).text
    assert "/c-1/decide" not in browse(house.second_moderator).get(REVIEW).text
    assert said(admin, f"{mo}/deactivate") == "deactivated"
    assert moderator.get(REVIEW).status_code == 303
    assert "/c-1/decide" in browse(house.second_moderator).get(REVIEW).text
    form = {"email": house.moderator, "password": PASSWORD}
    assert browse(None).post("/login", data=form).status_code == 401
    assert "Deactivated" in admin.get(HERE).text
    assert said(admin, f"{mo}/activate") == "activated"
    assert browse(None).post("/login", data=form).status_code == 303
    with database.reading() as session:
        claimed = session.query(Comment).one().claim_until
    assert claimed is not None
    assert claimed > utc_now() - timedelta(minutes=1)


def test_an_admin_ends_somebodys_sessions(
    admin: TestClient, browse: Browse, house: House, mo: int
) -> None:
    theirs = [browse(house.moderator) for _ in range(2)]
    assert said(admin, f"{mo}/sign-out") == "signed_out"
    assert [each.get(REVIEW).status_code for each in theirs] == [303, 303]
    assert admin.get(HERE).status_code == 200


def test_a_role_is_given_limited_and_taken_while_its_owner_is_signed_in(
    admin: TestClient, browse: Browse, house: House, mo: int
) -> None:
    moderator = browse(house.moderator)
    assert moderator.get("/desk/post/picks").status_code == 403
    assert (
        said(admin, f"{mo}/grant", role="editor", sections=" Sport \r\n\r\nLocal") == "role_given"
    )
    assert moderator.get("/desk/post/picks").status_code == 200
    assert "of <bdi>Local, Sport</bdi>" in admin.get(HERE).text
    assert said(admin, f"{mo}/grant", role="editor", sections="") == "role_given"
    assert "Local" not in admin.get(HERE).text
    assert said(admin, f"{mo}/revoke", role="editor") == "role_taken"
    assert moderator.get("/desk/post/picks").status_code == 403
    assert said(admin, f"{mo}/revoke", role="editor") == "not_found"


@pytest.mark.parametrize(
    ("path", "form", "outcome"),
    [
        ("{mo}/grant", {"role": "root"}, "missing"),
        ("{mo}/grant", {"role": "admin", "sections": "Sport"}, "invalid"),
        ("{mo}/grant", {"role": "editor", "sections": "x" * 201}, "invalid"),
        ("{mo}/revoke", {}, "missing"),
        ("999999/sign-out", {}, "not_found"),
        ("x/sign-out", {}, "not_found"),
        ("{me}/deactivate", {}, "403"),
        ("{me}/revoke", {"role": "admin"}, "403"),
        ("{me}/grant", {"role": "editor"}, "403"),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    admin: TestClient,
    mo: int,
    database: Database,
    path: str,
    form: dict[str, str],
    outcome: str,
) -> None:
    me = database.read(lambda s: people.get(s, "ann@post.example").id)
    before = admin.get(HERE).text
    assert said(admin, path.format(mo=mo, me=me), **form) == outcome
    assert admin.get(HERE).text == before


def test_who_also_works_elsewhere_is_not_deactivated_by_one_sites_admin(
    admin: TestClient, house: House, mo: int, database: Database
) -> None:
    def hire(session: Session) -> None:
        person = people.get(session, house.moderator)
        people.grant(session, person, sites.get(session, "other"), Role.EDITOR)

    database.write(hire)
    assert said(admin, f"{mo}/deactivate") == "403"
    with database.reading() as session:
        assert session.get_one(Person, mo).disabled_at is None


def test_a_neighbours_people_are_not_there(admin: TestClient, database: Database) -> None:
    def hire(session: Session) -> int:
        person = people.create(session, "ned@other.example", name="Ned", password=PASSWORD, now=NOW)
        people.grant(session, person, sites.get(session, "other"), Role.EDITOR)
        return person.id

    ned = database.write(hire)
    assert "Ned" not in admin.get(HERE).text
    for act in ("sign-out", "deactivate", "activate"):
        assert said(admin, f"{ned}/{act}") == "not_found"
    assert said(admin, f"{ned}/grant", role="moderator") == "not_found"
