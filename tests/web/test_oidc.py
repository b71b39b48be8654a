"""Sign-in through a real OpenID provider, and every way in which it must not work."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey
from starlette.testclient import TestClient

from service.errors import MisconfiguredError, Unauthorized, Unavailable
from service.moderation import identities, people, sign_ins
from service.process import Process, utc_now
from service.provider import Provider, Secrets
from service.settings import Oidc, Settings, read_settings
from service.storage.db import Database
from service.storage.people_tables import Identity
from service.storage.tables import Person
from tests.conftest import NOW, PASSWORD, House
from tests.oidc_provider import Running, running
from tests.running import free_port
from tests.web.conftest import Browse

CLIENT, CLIENT_SECRET = "postbag", "a secret of the client's"
CALLBACK = "http://testserver/login/oidc/callback"
SECRETS = Secrets(state="s" * 64, nonce="n" * 64, verifier="v" * 64)


@pytest.fixture(scope="module")
def provider() -> Iterator[Running]:
    with running(free_port()) as started:
        yield started


@pytest.fixture
def environment(database_url: str, provider: Running, tmp_path: Path) -> dict[str, str]:
    return {
        "POSTBAG_DATA_DIR": str(tmp_path),
        "POSTBAG_DATABASE_URL": database_url,
        "POSTBAG_PUBLIC_URL": "http://testserver",
        "POSTBAG_WORKER": "separate",
        "POSTBAG_OIDC_ISSUER": provider.url,
        "POSTBAG_OIDC_CLIENT_ID": CLIENT,
        "POSTBAG_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "POSTBAG_OIDC_NAME": "The Post’s accounts",
    }


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    return read_settings(environment)


@pytest.fixture
def invited(database: Database, house: House, provider: Running) -> str:
    """Mo, whom an admin has invited and the provider knows as `sub-mo`."""
    provider.knows("sub-mo", email=house.moderator, email_verified=True, name="Mo of the provider")
    database.write(lambda s: identities.invite(s, people.get(s, house.moderator), now=NOW))
    return "sub-mo"


def begin(client: TestClient, going_to: str = "/desk/post/review") -> str:
    """The provider's address that the button leads to."""
    sent = client.get(f"/login/oidc?next={going_to}")
    assert sent.status_code == 303
    return sent.headers["location"]


def come_back(client: TestClient, address: str) -> tuple[int, str]:
    """What the browser meets when it is sent back: the status, and where it is led to or the page."""
    parts = urlsplit(address)
    reply = client.get(f"{parts.path}?{parts.query}")
    return reply.status_code, reply.headers.get("location") or reply.text


def sign_in(client: TestClient, provider: Running, subject: str, **changed: str) -> tuple[int, str]:
    return come_back(client, provider.confirm(begin(client), subject, **changed))


def configure(process: Process, environment: dict[str, str], **changed: str) -> None:
    """The process as it would be with other settings."""
    settings = read_settings({**environment, **changed})
    made = Provider(settings=settings.oidc, redirect_uri=CALLBACK) if settings.oidc else None
    object.__setattr__(process, "settings", settings)
    object.__setattr__(process, "provider", made)


def test_the_sign_in_page_offers_the_provider_only_where_there_is_one(
    browse: Browse, process: Process, environment: dict[str, str]
) -> None:
    page = browse(None).get("/login?next=/desk/post/review").text
    assert 'href="/login/oidc?next=/desk/post/review"' in page
    assert "The Post’s accounts" in page
    configure(process, environment, POSTBAG_OIDC_ISSUER="")
    assert "/login/oidc" not in browse(None).get("/login").text
    assert browse(None).get("/login/oidc").status_code == 404


def test_an_invited_person_signs_in_and_is_known_from_then_on_by_the_subject(
    browse: Browse, provider: Running, invited: str, database: Database, house: House
) -> None:
    client = browse(None)
    assert sign_in(client, provider, invited) == (303, "/desk/post/review")
    page = client.get("/desk/post/review")
    assert page.status_code == 200
    assert ">Mo<" in page.text  # as we know them
    # The address at the provider goes to somebody else, and Mo's is another one now.
    provider.knows(invited, email="mo@new.example", email_verified=False)
    provider.knows("sub-heir", email=house.moderator, email_verified=True)
    assert sign_in(browse(None), provider, invited)[0] == 303
    status, text = sign_in(browse(None), provider, "sub-heir")
    assert status == 403
    assert "nobody has invited this address" in text
    with database.reading() as session:
        assert [row.subject for row in session.query(Identity)] == [invited]


def test_the_request_carries_state_nonce_and_a_challenge_and_no_secret(browse: Browse) -> None:
    asked = dict(parse_qsl(urlsplit(begin(browse(None))).query))
    assert asked["redirect_uri"] == CALLBACK
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid email profile"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert CLIENT_SECRET not in urlencode(asked)
    again = dict(parse_qsl(urlsplit(begin(browse(None))).query))
    assert all(again[name] != asked[name] for name in ("state", "nonce", "code_challenge"))


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"nonce": "another"}, 401),
        ({"state": "another"}, 401),
        ({"code_challenge": "another"}, 401),
        ({"client_id": "another"}, 401),
        ({"scope": "openid"}, 403),
    ],
)
def test_a_request_that_was_tampered_with_lets_nobody_in(
    browse: Browse, provider: Running, invited: str, changed: dict[str, str], status: int
) -> None:
    client = browse(None)
    assert sign_in(client, provider, invited, **changed)[0] == status
    assert "postbag_session" not in client.cookies
    assert sign_in(client, provider, invited)[0] == 303


def test_a_code_is_good_once(browse: Browse, provider: Running, invited: str) -> None:
    client = browse(None)
    address = provider.confirm(begin(client), invited)
    seed = client.cookies["postbag_oidc"]
    assert come_back(client, address)[0] == 303
    again = browse(None)
    again.cookies.set("postbag_oidc", seed)
    status, text = come_back(again, address)
    assert status == 401
    assert "did not confirm this sign-in" in text


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(
    browse: Browse, provider: Running, invited: str
) -> None:
    """Or somebody could sign a victim's browser in as themselves."""
    address = provider.confirm(begin(browse(None)), invited)
    victim = browse(None)
    status, text = come_back(victim, address)
    assert (status, "not begun here" in text) == (401, True)
    begin(victim)
    assert come_back(victim, address)[0] == 401
    assert "postbag_session" not in victim.cookies


def test_an_answer_that_comes_too_late_is_refused(
    browse: Browse,
    provider: Running,
    invited: str,
    process: Process,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = browse(None)
    address = provider.confirm(begin(client), invited)
    late = utc_now() + timedelta(minutes=16)
    with monkeypatch.context() as clock:
        clock.setattr("service.web.oidc.utc_now", lambda: late)
        status, text = come_back(client, address)
    assert (status, "too long ago" in text) == (401, True)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "error=access_denied",
        "code=x",
        "code=&state=",
        "state=%00&code=%ff",
        "code=" + "x" * 9000,
    ],
)
def test_whatever_comes_back_is_a_page_and_never_a_fault(browse: Browse, query: str) -> None:
    client = browse(None)
    begin(client)
    reply = client.get(f"/login/oidc/callback?{query}")
    assert reply.status_code == 401
    assert 'name="password"' in reply.text


def test_somebody_who_declines_there_is_told_so_here(browse: Browse) -> None:
    client = browse(None)
    state = dict(parse_qsl(urlsplit(begin(client)).query))["state"]
    reply = client.get(f"/login/oidc/callback?error=access_denied&state={state}")
    assert reply.status_code == 401
    assert "did not confirm this sign-in" in reply.text


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_the_provider_has_not_verified_matches_nobody(
    browse: Browse, provider: Running, invited: str, house: House, verified: object
) -> None:
    provider.knows(invited, email=house.moderator, email_verified=verified)
    status, text = sign_in(browse(None), provider, invited)
    assert status == 403
    assert "has not verified your e-mail address" in text


def test_an_address_without_an_invitation_matches_nobody(
    browse: Browse, provider: Running, house: House, database: Database
) -> None:
    provider.knows("sub-edi", email=house.editor, email_verified=True)
    provider.knows("sub-stranger", email="stranger@else.example", email_verified=True)
    for subject in ("sub-edi", "sub-stranger"):
        assert sign_in(browse(None), provider, subject)[0] == 403
    with database.reading() as session:
        assert session.query(Identity).count() == 0
        assert session.query(Person).count() == 3


def test_a_deactivated_person_stays_outside_whatever_the_provider_says(
    browse: Browse, provider: Running, invited: str, house: House, database: Database
) -> None:
    assert sign_in(browse(None), provider, invited)[0] == 303
    database.write(lambda s: people.deactivate(s, people.get(s, house.moderator), now=NOW))
    assert sign_in(browse(None), provider, invited)[0] == 403


def test_who_is_invited_once_more_may_come_with_another_identity(
    browse: Browse, provider: Running, invited: str, house: House, database: Database
) -> None:
    assert sign_in(browse(None), provider, invited)[0] == 303
    provider.knows("sub-moved", email=house.moderator, email_verified=True)
    database.write(lambda s: identities.invite(s, people.get(s, house.moderator), now=NOW))
    assert sign_in(browse(None), provider, "sub-moved")[0] == 303
    assert sign_in(browse(None), provider, invited)[0] == 403


def test_strangers_are_welcome_only_where_the_operator_says_so(
    browse: Browse,
    provider: Running,
    environment: dict[str, str],
    process: Process,
    house: House,
) -> None:
    configure(process, environment, POSTBAG_OIDC_WELCOME="post/moderator")
    provider.knows("sub-new", email="nell@post.example", email_verified=True, name="Nell")
    client = browse(None)
    assert sign_in(client, provider, "sub-new")[0] == 303
    page = client.get("/desk/post/review")
    assert page.status_code == 200
    assert ">Nell<" in page.text
    assert client.get("/desk/post/picks").status_code == 403
    # Somebody who is there already needs an invitation all the same.
    provider.knows("sub-thief", email=house.editor, email_verified=True)
    assert sign_in(browse(None), provider, "sub-thief")[0] == 403


def test_a_sign_in_never_leads_to_another_site(
    browse: Browse, provider: Running, invited: str
) -> None:
    client = browse(None)
    back = provider.confirm(begin(client, "//evil.example"), invited)
    assert come_back(client, back) == (303, "/")


def test_passwords_still_work_while_the_provider_is_down(
    browse: Browse, house: House, environment: dict[str, str], process: Process
) -> None:
    configure(process, environment, POSTBAG_OIDC_ISSUER=f"http://127.0.0.1:{free_port()}")
    client = browse(None)
    page = client.get("/login/oidc")
    assert page.status_code == 503
    assert "The provider does not answer" in page.text
    assert 'name="password"' in page.text
    form = {"email": house.moderator, "password": PASSWORD}
    assert client.post("/login", data=form).status_code == 303


def test_a_provider_that_goes_down_on_the_way_is_a_page(
    browse: Browse, environment: dict[str, str], process: Process
) -> None:
    with running(free_port()) as mortal:
        configure(process, environment, POSTBAG_OIDC_ISSUER=mortal.url)
        client = browse(None)
        address = mortal.confirm(begin(client), "sub-mo")
        mortal.stop()
        assert come_back(client, address)[0] == 503


def test_a_session_through_the_provider_takes_the_place_of_the_one_before(
    browse: Browse, provider: Running, invited: str, database: Database, house: House
) -> None:
    client = browse(house.editor)
    before = client.cookies["postbag_session"]
    assert sign_in(client, provider, invited)[0] == 303
    token, now = client.cookies["postbag_session"], utc_now()
    with database.reading() as session:
        found = sign_ins.find_member(session, token, site=None, now=now)
        assert found is not None
        assert found.name == "Mo"
        assert sign_ins.find_member(session, before, site=None, now=now) is None


def asking(url: str) -> Provider:
    """A client of the provider's, before it has asked for anything."""
    oidc = Oidc(issuer=url, client_id=CLIENT, client_secret=CLIENT_SECRET, name="x", welcome=None)
    return Provider(settings=oidc, redirect_uri=CALLBACK)


def code_for(provider: Running, client: Provider) -> str:
    back = provider.confirm(client.address(SECRETS), "sub-any")
    return dict(parse_qsl(urlsplit(back).query))["code"]


def test_a_token_that_is_over_is_refused(provider: Running) -> None:
    client = asking(provider.url)
    code = code_for(provider, client)
    with pytest.raises(Unauthorized):
        client.identify(code, SECRETS, now=utc_now() + timedelta(hours=2))


def test_a_provider_that_calls_itself_otherwise_is_not_believed(provider: Running) -> None:
    with pytest.raises(Unavailable):
        asking(provider.url + "/").address(SECRETS)


def test_a_provider_that_changes_its_keys_is_understood() -> None:
    port = free_port()
    client = asking(f"http://127.0.0.1:{port}")
    for _ in range(2):
        with running(port) as started:
            code = code_for(started, client)
            assert client.identify(code, SECRETS, now=utc_now()).subject == "sub-any"


def forged(url: str, key: Key, algorithm: str) -> str:
    now = int(time.time())
    claims = {"iss": url, "aud": CLIENT, "sub": "sub-mo", "nonce": SECRETS.nonce}
    times = {"iat": now, "exp": now + 600}
    return jwt.encode({"alg": algorithm}, {**claims, **times}, key, algorithms=[algorithm])


def test_a_token_that_the_provider_has_not_signed_is_refused(provider: Running) -> None:
    """Signed by another key, with the client's secret, or not at all."""
    client = asking(provider.url)
    others = forged(provider.url, ECKey.generate_key("P-256"), "ES256")
    secret = forged(provider.url, OctKey.import_key(CLIENT_SECRET * 3), "HS256")
    unsigned = f"eyJhbGciOiJub25lIn0.{others.split('.')[1]}."
    for token in (others, secret, unsigned, "", "x", "a.b.c", None, 7):
        with pytest.raises(Unauthorized):
            client._verified({"id_token": token}, SECRETS, now=utc_now())


def test_only_the_issuers_own_host_may_be_a_private_one(provider: Running) -> None:
    """A description that points into the house is not followed."""
    client = asking(provider.url)
    client.address(SECRETS)
    with running(free_port()) as inside:
        code = code_for(provider, client)
        own = client.metadata
        client.metadata = {**own, "token_endpoint": f"{inside.url}/oauth2/token"}
        with pytest.raises(Unavailable):
            client.identify(code, SECRETS, now=utc_now())
        client.metadata = own
        assert client.identify(code, SECRETS, now=utc_now()).subject == "sub-any"


def test_a_description_does_not_lead_from_tls_to_plain_http(provider: Running) -> None:
    """The client's secret goes to the token endpoint."""
    client = asking(provider.url.replace("http://", "https://"))
    with pytest.raises(Unavailable):
        client._ask("GET", f"{provider.url}/.well-known/openid-configuration")


@pytest.mark.parametrize(
    "changed",
    [
        {"POSTBAG_OIDC_ISSUER": "http://accounts.example"},
        {"POSTBAG_OIDC_ISSUER": "accounts.example"},
        {"POSTBAG_OIDC_CLIENT_ID": ""},
        {"POSTBAG_OIDC_CLIENT_SECRET": ""},
        {"POSTBAG_OIDC_WELCOME": "post/admin"},
        {"POSTBAG_OIDC_WELCOME": "post"},
    ],
)
def test_settings_that_make_no_sense_stop_the_start(
    environment: dict[str, str], changed: dict[str, str]
) -> None:
    with pytest.raises(MisconfiguredError, match=next(iter(changed))):
        read_settings({**environment, **changed})
    assert CLIENT_SECRET not in repr(read_settings(environment))
