"""One's own account: sessions that are seen, ended and run out, and the password."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from service.app import create_app
from service.moderation import people, sign_ins
from service.process import Process, utc_now
from service.storage.db import Database
from service.storage.tables import SignIn
from service.web import browsers
from tests.conftest import PASSWORD, House
from tests.web.conftest import Browse

REVIEW = "/desk/post/review"
NEW = "another long password"


def is_in(client: TestClient) -> bool:
    return client.get(REVIEW).status_code == 200


def sessions_in(page: str) -> list[str]:
    return re.findall(r'name="session" value="(\d+)"', page)


def test_ones_own_sessions_are_listed_and_this_one_is_marked(
    browse: Browse, house: House, process: Process
) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    headers = {"Sec-Fetch-Site": "same-origin", "User-Agent": agent}
    with TestClient(create_app(process), headers=headers, follow_redirects=False) as fox:
        fox.post("/login", data={"email": house.moderator, "password": PASSWORD})
        browse(house.second_moderator)
        other = browse(house.moderator)
        page = other.get("/account").text
        assert "Firefox on Linux" in page
        assert page.count("This one") == 1
        assert page.index("This one") < page.index("Firefox on Linux")
        assert "last seen today" in page
        assert len(sessions_in(page)) == 1  # not this one, and not a colleague's


def test_another_browser_of_ones_own_is_signed_out_and_this_one_is_not(
    browse: Browse, house: House
) -> None:
    lost, here = browse(house.moderator), browse(house.moderator)
    [session] = sessions_in(here.get("/account").text)
    done = here.post("/account/end", data={"session": session})
    assert done.headers["location"] == "/account?said=signed_out"
    assert (is_in(lost), is_in(here)) == (False, True)


def test_everywhere_else_is_signed_out_at_once(browse: Browse, house: House) -> None:
    others = [browse(house.moderator) for _ in range(3)]
    colleague, here = browse(house.second_moderator), browse(house.moderator)
    here.post("/account/end-others")
    assert [is_in(each) for each in (*others, colleague, here)] == [False, False, False, True, True]


def test_nobody_ends_a_colleagues_session(browse: Browse, house: House, database: Database) -> None:
    victim = browse(house.second_moderator)
    with database.reading() as session:
        [row] = session.query(SignIn).all()
    refused = browse(house.moderator).post("/account/end", data={"session": str(row.id)})
    assert refused.headers["location"] == "/account?said=not_found"
    assert is_in(victim)


@pytest.mark.parametrize("session", ["", "x", "-1", "9" * 30])
def test_a_session_that_is_none_changes_nothing(moderator: TestClient, session: str) -> None:
    assert moderator.post("/account/end", data={"session": session}).status_code == 303
    assert is_in(moderator)


def test_a_session_that_nobody_uses_runs_out(moderator: TestClient, database: Database) -> None:
    almost = utc_now() - sign_ins.IDLE_FOR + timedelta(minutes=1)
    database.write(lambda s: s.execute(update(SignIn).values(seen_at=almost)))
    assert is_in(moderator)
    with database.reading() as session:
        [row] = session.query(SignIn).all()
    assert utc_now() - row.seen_at < timedelta(minutes=1)  # the page was a sign of life
    over = utc_now() - sign_ins.IDLE_FOR
    database.write(lambda s: s.execute(update(SignIn).values(seen_at=over)))
    assert not is_in(moderator)


def test_a_session_ends_however_busy_it_is(moderator: TestClient, database: Database) -> None:
    database.write(lambda s: s.execute(update(SignIn).values(expires_at=utc_now())))
    assert not is_in(moderator)


def test_a_page_is_not_noted_more_often_than_needed(
    moderator: TestClient, database: Database
) -> None:
    def seen() -> list[SignIn]:
        with database.reading() as session:
            return session.query(SignIn).all()

    before = seen()[0].seen_at
    assert is_in(moderator)
    assert seen()[0].seen_at == before


def test_signing_in_makes_a_new_session_and_ends_the_one_before(
    browse: Browse, house: House, database: Database
) -> None:
    client = browse(house.moderator)
    before = client.cookies["postbag_session"]
    client.post("/login", data={"email": house.moderator, "password": PASSWORD})
    assert client.cookies["postbag_session"] != before
    client.cookies.clear()
    client.cookies.set("postbag_session", before)
    assert not is_in(client)
    with database.reading() as session:
        assert session.query(SignIn).count() == 1


def change(client: TestClient, *, present: str = PASSWORD, new: str = NEW, again: str = NEW) -> str:
    form = {"present": present, "new": new, "again": again}
    return client.post("/account/password", data=form).headers["location"].partition("said=")[2]


def test_a_changed_password_counts_and_ends_every_other_session(
    browse: Browse, house: House
) -> None:
    other, here = browse(house.moderator), browse(house.moderator)
    assert change(here) == "password_changed"
    assert (is_in(other), is_in(here)) == (False, True)
    fresh = browse(None)
    form = {"email": house.moderator, "password": PASSWORD}
    assert fresh.post("/login", data=form).status_code == 401
    assert fresh.post("/login", data={**form, "password": NEW}).status_code == 303


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"present": "not the password"}, "wrong_password"),
        ({"again": "something else entirely"}, "not_the_same"),
        ({"new": "short", "again": "short"}, "unfit_password"),
        ({"new": "x" * 1001, "again": "x" * 1001}, "unfit_password"),
    ],
)
def test_a_password_is_not_changed_by_mistake_or_by_a_stranger(
    browse: Browse, house: House, form: dict[str, str], said: str
) -> None:
    other, here = browse(house.moderator), browse(house.moderator)
    assert change(here, **form) == said
    assert is_in(other)
    form = {"email": house.moderator, "password": PASSWORD}
    assert browse(None).post("/login", data=form).status_code == 303


def test_the_present_password_cannot_be_guessed_from_an_open_session(
    moderator: TestClient,
) -> None:
    said = [change(moderator, present="not the password") for _ in range(11)]
    assert said == ["wrong_password"] * 10 + ["wait_a_little"]


def test_the_account_is_for_whoever_is_signed_in(browse: Browse) -> None:
    stranger = browse(None)
    assert stranger.get("/account").headers["location"] == "/login?next=/account"
    assert change(stranger) == ""


def test_who_has_no_password_cannot_sign_in_with_one(
    browse: Browse, house: House, database: Database
) -> None:
    def forget(session: Session) -> None:
        people.get(session, house.moderator).password = None

    here = browse(house.moderator)
    database.write(forget)
    assert "You have none" in here.get("/account").text
    for password in (PASSWORD, "", "None"):
        form = {"email": house.moderator, "password": password}
        assert browse(None).post("/login", data=form).status_code == 401


@pytest.mark.parametrize(
    ("agent", "named"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/140 Safari/537 Edg/140",
            "Edge on Windows",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/18 Safari/605", "Safari on macOS"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/140 Safari/604",
            "Chrome on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537 Chrome/140 Mobile Safari/537",
            "Chrome on Android",
        ),
        ("<script>alert(1)</script>", "Another browser"),
        ("", "Another browser"),
    ],
)
def test_a_browser_is_named_as_its_owner_would(agent: str, named: str) -> None:
    assert browsers.name(agent) == named
