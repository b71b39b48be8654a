"""No door is open by mistake: every route says who may pass."""

from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from service.app import create_app
from service.process import Process
from service.storage.tables import Role, Scope


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
        if path.startswith("/api/"):
            assert isinstance(permission, Scope), f"{path} is open to everybody"


def test_pages_that_change_something_are_for_somebody(process: Process) -> None:
    for path, route in routes(application(process).routes):
        unsafe = (route.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}
        if unsafe and not path.startswith("/api/") and path not in {"/login", "/logout"}:
            assert isinstance(getattr(route.endpoint, "permission", None), Role), path
