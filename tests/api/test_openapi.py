"""The OpenAPI document: it names every call, it is valid, and the service keeps what it says."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import positive_data_acceptance
from sqlalchemy.engine import make_url
from starlette.applications import Starlette
from starlette.testclient import TestClient

from service.api import openapi
from service.api.endpoint import Nothing, json_endpoint
from service.api.routes import ROUTES
from service.app import API, create_app
from service.moderation.judging import new_owner
from service.process import Process
from service.settings import read_settings
from service.storage.db import open_database
from service.storage.tables import Scope
from tests.conftest import Template, post_comment, put_article
from tests.house.test_routes import routes
from tests.keyword_scorer import KeywordScorer

EXAMPLES_A_CALL = 15
# What a body that fits its schema may still be refused for: it speaks of other things that are stored.
SPEAKS_OF_OTHERS = {
    "unknown_article",
    "other_article",
    "not_its_article",
    "parent_cycle",
    "invalid_cursor",
    "not_in_revision",
    "in_the_past",
    "in_the_future",
    "missing",  # the reason of a decision that does not approve, the reference of a legal one
    "legal_only",
    "exactly_one",  # of the ways to name an author
    "one_of",  # of two parameters
}
KNOWN = {
    "article_id": "a-1",
    "comment_id": "c-1",
    "pick_id": "p-unknown",
    "webhook_id": "w-unknown",
    "message_id": "m-unknown",
    "pack_id": "health",
    "key_id": "k-unknown",
}


def test_every_call_is_in_the_document_and_the_document_has_no_other(process: Process) -> None:
    found = openapi.document(ROUTES, prefix=API)
    described = {
        (method.upper(), path) for path, methods in found["paths"].items() for method in methods
    }
    served = {
        (method, path)
        for path, route in routes(create_app(process).routes)
        if path.startswith("/api/")
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert described == served


def test_the_document_is_handed_out_to_everybody_and_valid(client: TestClient) -> None:
    reply = client.get("/api/v1/openapi.json", headers={"Authorization": ""})
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    found = reply.json()
    assert found["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(found).iter_errors()) == []


def test_the_document_names_scope_parameters_body_and_every_status() -> None:
    found = openapi.document(ROUTES, prefix=API)["paths"]
    submit = found["/api/v1/comments"]["post"]
    assert submit["security"] == [{"key": ["ingest"]}]
    assert [each["name"] for each in submit["parameters"]] == ["wait"]
    body = submit["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/CommentBody"}
    assert {"200", "201", "202", "400", "401", "403", "409", "413", "422"} <= set(
        submit["responses"]
    )
    decide = found["/api/v1/comments/{comment_id}/decisions"]["post"]
    assert decide["security"] == [{"key": ["moderate"]}]
    assert "application/problem+json" in decide["responses"]["409"]["content"]


def test_a_call_that_does_not_say_what_it_answers_stops_the_start() -> None:
    def silent(_session: Any, _call: Any) -> Any:
        """Says nothing."""

    with pytest.raises(TypeError, match="silent needs @answers"):
        json_endpoint(silent, permission=Scope.INGEST, body=Nothing, query=Nothing, writes=False)


@pytest.fixture(scope="module")
def app(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starlette]:
    """A running service that has an article, an approved comment and a held one."""
    folder = tmp_path_factory.mktemp("described")
    shutil.copy(make_url(sqlite_template.url).database or "", folder / "postbag.db")
    url = f"sqlite:///{folder / 'postbag.db'}"
    given = {
        "POSTBAG_DATA_DIR": str(folder),
        "POSTBAG_DATABASE_URL": url,
        "POSTBAG_WORKER": "separate",
    }
    database = open_database(url)
    process = Process(
        settings=read_settings(given), database=database, scorer=KeywordScorer(), owner=new_owner()
    )
    served = create_app(process)
    with TestClient(served, headers=sqlite_template.house.auth) as client:
        put_article(client, "a-1")
        assert post_comment(client, "c-1", "I go there because it is near.").status_code == 201
        assert post_comment(client, "c-2", "Win at the casino").json()["state"] == "held"
    yield served
    asgi.shutdown_lifespans()
    database.dispose()


calls = schemathesis.openapi.from_dict(openapi.document(ROUTES, prefix=API))
calls.config.generation.update(
    # A NUL is refused in every text: the description says so, a schema cannot.
    allow_x00=False,
    allow_extra_parameters=False,
    with_security_parameters=False,
)


@calls.parametrize()
@settings(
    max_examples=EXAMPLES_A_CALL,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_service_keeps_what_the_document_says(
    case: schemathesis.Case[Any], app: Starlette, sqlite_template: Template
) -> None:
    """Whatever is sent, fitting or not: status, type and body of the reply are those it names."""
    must_keep_it(case, app, sqlite_template.house.auth)
    if case.meta is not None and case.meta.generation.mode.is_positive and case.path_parameters:
        case.path_parameters = {name: KNOWN[name] for name in case.path_parameters}
        must_keep_it(case, app, sqlite_template.house.auth)


def must_keep_it(case: schemathesis.Case[Any], app: Starlette, headers: dict[str, str]) -> None:
    case.operation.schema.app = app  # where the checks send probes of their own
    # What fits may yet be refused, for what is stored: looked at below, by its codes.
    response = case.call_and_validate(
        app=app, headers=headers, excluded_checks=[positive_data_acceptance]
    )
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    assert response.status_code != 400
    if response.status_code == 422:
        problem = response.json()
        codes = {wrong["code"] for wrong in problem.get("errors", [])} or {problem["code"]}
        assert codes <= SPEAKS_OF_OTHERS, problem
