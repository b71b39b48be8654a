"""No door is open by mistake: every route says who may pass."""

import re
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from service.api.routes import ROUTES as API_ROUTES
from service.app import create_app
from service.moderation import keys, sites
from service.process import Process
from service.storage.db import Database
from service.storage.tables import Role, Scope
from service.web.page import STAFF
from tests.conftest import NOW, House


def routes(found: list[BaseRoute], above: str = "") -> Iterator[tuple[str, Route]]:
    for route in found:
        if isinstance(route, Mount) and not isinstance(route.app, StaticFiles):
            yield from routes(list(route.routes), above + route.path)
        elif isinstance(route, Route):
            yield above + route.path, route


def application(process: Process) -> Starlette:
    return create_app(process)


def test_every_route_names_its_permission(process: Process) -> None:
    walked = list(routes(application(process).routes))
    assert len(walked) > 20
    for path, route in walked:
        permission = getattr(route.endpoint, "permission", None)
        assert permission is not None, f"{path} does not say who may call it"
        if path.startswith("/api/") and path != "/api/v1/openapi.json":
            assert isinstance(permission, Scope), f"{path} is open to everybody"


def test_every_call_of_the_api_asks_for_the_scope_it_names(
    client: TestClient, database: Database, house: House
) -> None:
    """With no key, with an unknown one, and with one that has every scope but the one needed."""
    site = database.read(lambda s: sites.get(s, house.slug))
    ordinary = frozenset(Scope) - {Scope.ADMIN}

    def key_without(scope: Scope) -> str:
        scopes = ordinary - {scope}
        return database.write(lambda s: keys.create(s, site, name="k", scopes=scopes, now=NOW))

    # A key with `admin` lacks nothing; what asks for `admin` is refused to all others.
    lacking = {scope: key_without(scope) for scope in Scope}
    for route in API_ROUTES:
        path = re.sub(r"\{\w+\}", "x", f"/api/v1{route.path}")
        method = next(iter((route.methods or set()) - {"HEAD"}))
        lacks = lacking[getattr(route.endpoint, "permission")]  # noqa: B009 - mypy knows no such attribute
        for header, status in (("", 401), ("Bearer pb_unknown", 401), (f"Bearer {lacks}", 403)):
            reply = client.request(method, path, headers={"Authorization": header})
            assert reply.status_code == status, f"{method} {path} with {header!r}"


def test_pages_that_change_something_are_for_somebody(process: Process) -> None:
    for path, route in routes(application(process).routes):
        unsafe = (route.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}
        if unsafe and not path.startswith("/api/") and path not in {"/login", "/logout"}:
            permission = getattr(route.endpoint, "permission", None)
            assert isinstance(permission, Role) or permission == STAFF, path
