"""Who gets in, how far, and from where a form may come."""

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from service.errors import ServiceError
from service.moderation.throttle import ACCOUNT
from service.process import Process
from service.storage.tables import SignIn, SignInFailure
from service.web.login import network_of
from service.web.problems import render_problem_page
from tests.conftest import PASSWORD, House
from tests.web.conftest import Browse


def test_a_desk_asks_for_a_sign_in_and_leads_back_to_itself(browse: Browse, house: House) -> None:
    client = browse(None)
    asked = client.get("/desk/post/review")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=/desk/post/review")
    assert 'value="/desk/post/review"' in client.get(asked.headers["location"]).text
    form = {"email": house.moderator, "password": PASSWORD, "next": "/desk/post/review"}
    let_in = client.post("/login", data=form)
    assert let_in.headers["location"] == "/desk/post/review"
    cookie = let_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert client.get("/desk/post/review").status_code == 200


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", ""]
)
def test_a_sign_in_never_leads_to_another_site(
    browse: Browse, house: House, elsewhere: str
) -> None:
    form = {"email": house.moderator, "password": PASSWORD, "next": elsewhere}
    assert browse(None).post("/login", data=form).headers["location"] == "/"


def test_each_is_led_to_their_own_desk(moderator: TestClient, editor: TestClient) -> None:
    assert moderator.get("/").headers["location"] == "/desk/post/review"
    assert editor.get("/").headers["location"] == "/desk/post/picks"


def test_a_role_is_no_other_role(moderator: TestClient, editor: TestClient) -> None:
    refused = moderator.get("/desk/post/picks")
    assert refused.status_code == 403
    assert "This page is for editors of The Post." in refused.text
    assert editor.get("/desk/post/review").status_code == 403


def test_another_sites_desk_is_not_there(moderator: TestClient) -> None:
    assert moderator.get("/desk/other/review").status_code == 404


@pytest.mark.parametrize("email", ["mo@post.example", "nobody@post.example"])
def test_wrong_passwords_are_refused_and_then_throttled(
    browse: Browse, process: Process, email: str
) -> None:
    client = browse(None)
    form = {"email": email, "password": "not the password"}
    for _ in range(ACCOUNT.free):
        refused = client.post("/login", data=form)
        assert refused.status_code == 401
    assert "Wrong e-mail address or password." in refused.text
    assert f'value="{email}"' in refused.text
    assert "not the password" not in refused.text
    assert client.post("/login", data={**form, "password": PASSWORD}).status_code == 429
    kept = process.database.read(lambda s: s.query(SignInFailure).all())
    # Each counts against the account and against the network address.
    assert len(kept) == 2 * ACCOUNT.free
    assert all(email not in row.subject for row in kept)


def test_signing_out_ends_the_session_itself_and_not_only_the_cookie(
    moderator: TestClient, process: Process
) -> None:
    token = moderator.cookies["postbag_session"]
    assert moderator.post("/logout").status_code == 303
    moderator.cookies.set("postbag_session", token)
    assert moderator.get("/desk/post/review").status_code == 303
    assert process.database.read(lambda s: s.query(SignIn).count()) == 0


def test_the_database_does_not_hold_the_cookies_token(
    moderator: TestClient, process: Process
) -> None:
    [row] = process.database.read(lambda s: s.query(SignIn).all())
    assert row.sha256 != moderator.cookies["postbag_session"]


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://testserver"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_only_a_form_of_ours_changes_anything(
    browse: Browse, house: House, headers: dict[str, str], passes: bool
) -> None:
    client = browse(house.moderator)
    del client.headers["Sec-Fetch-Site"]
    reply = client.post("/desk/post/review/no-such/undo", data={"decision": "1"}, headers=headers)
    assert reply.status_code == (303 if passes else 403)


def test_pages_keep_to_themselves(moderator: TestClient) -> None:
    headers = moderator.get("/desk/post/review").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "'unsafe-inline'" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_an_unknown_address_is_a_page(browse: Browse) -> None:
    reply = browse(None).get("/no/such/page")
    assert reply.status_code == 404
    assert reply.headers["content-type"].startswith("text/html")
    assert "There is no such page" in reply.text


@pytest.mark.parametrize(("status", "named"), [(404, False), (500, True)])
def test_a_fault_of_ours_names_the_request_and_a_refusal_does_not(status: int, named: bool) -> None:
    error = ServiceError("it broke")
    error.status = status
    page = render_problem_page(error, Request({"type": "http", "request_id": "r-17"}))
    assert page.status_code == status
    assert "It broke." in bytes(page.body).decode()
    assert ("r-17" in bytes(page.body).decode()) is named


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "192.0.2.1", True),
    ],
)
def test_a_customer_of_ipv6_is_one_address_to_the_throttle(
    one: str, other: str, shared: bool
) -> None:
    def seen(host: str) -> str:
        return network_of(Request({"type": "http", "client": (host, 1)}))

    assert (seen(one) == seen(other)) is shared


def test_a_browser_that_signed_in_before_is_let_in_while_a_stranger_guesses(
    browse: Browse, house: House
) -> None:
    mine, stranger = browse(house.moderator), browse(None)
    guess = {"email": house.moderator, "password": "not the password"}
    statuses = [stranger.post("/login", data=guess).status_code for _ in range(ACCOUNT.free + 1)]
    assert statuses == [401] * ACCOUNT.free + [429]
    right = {"email": house.moderator, "password": PASSWORD}
    waiting = browse(None).post("/login", data=right)
    assert waiting.status_code == 429
    assert 1 <= int(waiting.headers["retry-after"]) <= 61
    mine.post("/logout")
    assert mine.post("/login", data=right).status_code == 303
