"""OpenAPI: the document of the API, made from its routes, their contracts and the schemas."""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.api.endpoint import Contract, Nothing
from service.api.problems import MEDIA_TYPE, Problem
from service.ids import ID_SCHEMA
from service.process import State

REF = "#/components/schemas/{model}"
ABOUT = (
    "Comments in, verdicts out; see also docs/api.md. A key belongs to one site and sees nothing of "
    "another. Bodies are JSON in UTF-8, at most 8 MB; unknown fields are refused. No text may hold a NUL "
    "or half of a surrogate pair. Times are RFC 3339 with a zone; offsets count code points."
)
MADE_BY = "The document itself: this one, made from the code."
# Refusals that any call may meet, and those of calls that have a path to be wrong or a body to be read.
ALWAYS = (401, 403, 422, 429, 500)
WITH_PATH = (404,)
WITH_BODY = (400, 413)

# By schema and by whether it is taken or given.
Schemas = Mapping[Any, dict[str, Any]]


def document(routes: Sequence[Route], *, prefix: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of `routes`, which are mounted under `prefix`."""
    contracts = [_contract(route) for route in routes]
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
    for contract in contracts:
        if contract.body is not Nothing:
            wanted[contract.body, "validation"] = None
        wanted |= {(reply, "serialization"): None for reply in contract.replies.values()}
    schemas, definitions = models_json_schema(list(wanted), ref_template=REF)
    paths: dict[str, Any] = {}
    for route, contract in zip(routes, contracts, strict=True):
        at = paths.setdefault(prefix + route.path, {})
        at[_method(route).lower()] = _operation(route, contract, schemas)
    paths[f"{prefix}/openapi.json"] = {"get": _itself()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Postbag", "version": version("postbag"), "description": ABOUT},
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def route_to(found: dict[str, Any]) -> Route:
    """The call that hands out the document, to whoever asks."""
    text = json.dumps(found, ensure_ascii=False)

    async def show(_request: Request[State]) -> Response:
        return Response(text, media_type="application/json")

    show.permission = "public"  # type: ignore[attr-defined] # a test walks the routes
    return Route("/openapi.json", show, methods=["GET"])


def _contract(route: Route) -> Contract:
    contract: Contract = getattr(route.endpoint, "contract")  # noqa: B009 - set by `marked`
    return contract


def _method(route: Route) -> str:
    return next(iter((route.methods or set()) - {"HEAD"}))


def _operation(route: Route, contract: Contract, schemas: Schemas) -> dict[str, Any]:
    summary, _, more = contract.about.partition("\n\n")
    operation: dict[str, Any] = {
        "operationId": contract.name.replace(".", "_"),
        "tags": [contract.name.partition(".")[0]],
        "summary": " ".join(summary.split()),
        # What a bearer key needs, as role names: OpenAPI 3.1 allows them for every scheme.
        "security": [{"key": [contract.permission.value]}],
        "parameters": [*_path_parameters(route), *_query_parameters(contract.query)],
        "responses": _responses(route, contract, schemas),
    }
    if more:
        operation["description"] = " ".join(more.split())
    if contract.body is not Nothing:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[contract.body, "validation"]}},
        }
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": dict(ID_SCHEMA)}
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    described = query.model_json_schema(ref_template=REF)
    needed = described.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": _without_null(schema)}
        for name, schema in described.get("properties", {}).items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not: it is never null."""
    kinds = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    if len(kinds) != 1:
        return schema
    kept = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    return {**kept, **kinds[0]}


def _responses(route: Route, contract: Contract, schemas: Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, reply in contract.replies.items():
        found[str(status)] = {"description": _phrase(status)}
        if reply is not Nothing:
            content = {"application/json": {"schema": schemas[reply, "serialization"]}}
            found[str(status)]["content"] = content
    refusals = {*ALWAYS, *contract.refusals}
    refusals |= set(WITH_PATH if "{" in route.path else ())
    refusals |= set(() if contract.body is Nothing else WITH_BODY)
    problem = {MEDIA_TYPE: {"schema": schemas[Problem, "serialization"]}}
    for status in sorted(refusals):
        found[str(status)] = {"description": _phrase(status), "content": problem}
    return found


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase


def _itself() -> dict[str, Any]:
    return {
        "operationId": "openapi_show",
        "tags": ["openapi"],
        "summary": MADE_BY,
        "security": [],
        "parameters": [],
        "responses": {
            "200": {
                "description": _phrase(200),
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        },
    }
