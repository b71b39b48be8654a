"""Sign-in through the provider: out to it, and back with a code."""

import secrets
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.errors import NotFound, ServiceError, Unauthorized
from service.moderation import identities
from service.moderation.identities import Welcome
from service.moderation.people import keyed_hash
from service.process import CALLBACK, Process, State, utc_now
from service.provider import Provider, Secrets
from service.storage.tables import Role
from service.web.login import form_page, let_in, next_path
from service.web.page import marked, set_cookie

log = structlog.get_logger()

COOKIE = "postbag_oidc"
# As long as somebody may take at the provider.
LASTS = timedelta(minutes=15)
LONGEST_CODE = 4000


async def start(request: Request[State]) -> Response:
    """Off to the provider, with a cookie that ties its answer to this browser."""
    process = request.state["process"]
    return await process.in_thread(lambda: _start(process, request))


async def come_back(request: Request[State]) -> Response:
    """Back from the provider: who it says this is, if we let them in."""
    process = request.state["process"]
    return await process.in_thread(lambda: _come_back(process, request))


for endpoint in (start, come_back):
    marked(endpoint, "public")


def _start(process: Process, request: Request[Any]) -> Response:
    provider = _provider(process)
    going_to = next_path(request.query_params.get("next"))
    seed = f"{int(utc_now().timestamp())}.{secrets.token_urlsafe(32)}.{going_to}"
    try:
        address = provider.address(_secrets(process, seed))
    except ServiceError as error:
        return _refusal(process, error, going_to)
    response = RedirectResponse(address, status_code=303)
    set_cookie(process, response, COOKIE, seed, lasts=LASTS, path=CALLBACK)
    return response


def _come_back(process: Process, request: Request[Any]) -> Response:
    provider, now = _provider(process), utc_now()
    seed = request.cookies.get(COOKIE, "")
    going_to = next_path(seed[seed.find("/") :])
    try:
        _must_be_the_answer(process, request, seed, now=now)
        code = request.query_params.get("code", "")
        if not 0 < len(code) <= LONGEST_CODE:
            raise Unauthorized(code="provider_refused")
        vouched = provider.identify(code, _secrets(process, seed), now=now)
        person_id = process.database.write(
            lambda s: identities.admit(s, vouched, welcome=_welcome(process), now=now)
        )
    except ServiceError as error:
        response = _refusal(process, error, going_to)
    else:
        response = let_in(process, request, person_id, going_to)
    # Good for one answer.
    response.delete_cookie(COOKIE, path=CALLBACK)
    return response


def _must_be_the_answer(
    process: Process, request: Request[Any], seed: str, *, now: datetime
) -> None:
    """Raises Unauthorized for an answer that this browser has not asked for, or asked for too long ago."""
    began = seed.partition(".")[0]
    dated = began.isascii() and began.isdigit() and len(began) <= 12
    fresh = dated and now.timestamp() - int(began) <= LASTS.total_seconds()
    state = request.query_params.get("state", "").encode()
    if not fresh or not compare_digest(state, _secrets(process, seed).state.encode()):
        raise Unauthorized("this browser has not asked for it", code="sign_in_expired")


def _secrets(process: Process, seed: str) -> Secrets:
    """What only this service can make of the cookie: so it keeps nothing until the answer comes."""

    def derived(use: str) -> str:
        return keyed_hash(f"oidc:{use}:{seed}", secret=process.settings.secret)

    return Secrets(state=derived("state"), nonce=derived("nonce"), verifier=derived("verifier"))


def _welcome(process: Process) -> Welcome | None:
    oidc = process.settings.oidc
    if oidc is None or oidc.welcome is None:
        return None
    site, role = oidc.welcome
    return Welcome(site=site, role=Role(role))


def _provider(process: Process) -> Provider:
    if process.provider is None:
        raise NotFound("there is no such page")
    return process.provider


def _refusal(process: Process, error: ServiceError, going_to: str) -> Response:
    """The sign-in page again, which still takes passwords."""
    log.warning("oidc.refused", code=error.code)
    return form_page(process, going_to=going_to, said=error.code, status=error.status)
