"""Docs: the API's OpenAPI document as a page that people read."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.process import State
from service.web.page import marked, render

REF = "#/components/schemas/"
LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "{} or more",
    "maximum": "{} or less",
    "maxItems": "at most {} items",
    "minItems": "at least {} items",
    "pattern": "pattern {}",
    "format": "{}",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A field or parameter: its name, what it is, the schema that its kind links to, and its limits."""

    name: str
    kind: str
    schema: str | None
    needed: bool
    default: str | None
    limits: str
    about: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A status that a call may be answered with, and the schema of what comes with it."""

    status: int
    phrase: str
    schema: str | None
    is_problem: bool


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One call of the API."""

    id: str
    method: str
    path: str
    scope: str | None
    summary: str
    about: str
    tag: str
    parameters: list[Entry]
    body: str | None
    answers: list[Answer]


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What a body or a reply is made of: fields, or one of some words."""

    name: str
    about: str
    fields: list[Entry]
    words: list[str]


def route_to(document: Mapping[str, Any]) -> Route:
    """The page of a document; drawn once, for the document does not change while the service runs."""
    operations = list_operations(document)
    content = {
        "info": document["info"],
        "rooms": [(tag, list(calls)) for tag, calls in groupby(operations, key=lambda o: o.tag)],
        "schemas": list_schemas(document),
    }
    page = render("docs.html", content)

    async def show(_request: Request[State]) -> Response:
        return Response(page.body, headers=dict(page.headers))

    return Route("/docs", marked(show, "public"))


def list_operations(document: Mapping[str, Any]) -> list[Operation]:
    """The calls of a document, those of one room together, in the order of the rooms' first calls."""
    found = [
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    order = list(dict.fromkeys(operation.tag for operation in found))
    return sorted(found, key=lambda operation: order.index(operation.tag))


def list_schemas(document: Mapping[str, Any]) -> list[Schema]:
    """The schemas of a document by name."""
    return [
        Schema(
            name=name,
            about=schema.get("description", ""),
            fields=[
                _entry(field, inside, needed=field in schema.get("required", []))
                for field, inside in schema.get("properties", {}).items()
            ],
            words=[str(word) for word in schema.get("enum", [])],
        )
        for name, schema in sorted(document["components"]["schemas"].items())
    ]


def _operation(path: str, method: str, found: Mapping[str, Any]) -> Operation:
    scopes = [scope for need in found["security"] for scope in need.get("key", [])]
    body = found.get("requestBody")
    return Operation(
        id=found["operationId"],
        method=method.upper(),
        path=path,
        scope=scopes[0] if scopes else None,
        summary=found["summary"],
        about=found.get("description", ""),
        tag=found["tags"][0],
        parameters=[
            _entry(each["name"], each["schema"], needed=each["required"])
            for each in found["parameters"]
        ],
        body=_referred(body["content"]["application/json"]["schema"]) if body else None,
        answers=[_answer(int(status), each) for status, each in found["responses"].items()],
    )


def _answer(status: int, found: Mapping[str, Any]) -> Answer:
    phrase = HTTPStatus(status).phrase
    if "content" not in found:
        return Answer(status=status, phrase=phrase, schema=None, is_problem=False)
    [(media_type, content)] = found["content"].items()
    return Answer(
        status=status,
        phrase=phrase,
        schema=_referred(content["schema"]),
        is_problem=media_type == "application/problem+json",
    )


def _entry(name: str, schema: Mapping[str, Any], *, needed: bool) -> Entry:
    kinds = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    inner = kinds[0] if len(kinds) == 1 else schema
    default = schema.get("default")
    return Entry(
        name=name,
        kind=" or ".join(dict.fromkeys(map(_kind, kinds))),
        schema=_referred(inner) or _referred(inner.get("items", {})),
        needed=needed,
        default=None if default in (None, [], "") else str(default),
        limits=", ".join(
            words.format(inner[limit]) for limit, words in LIMITS.items() if limit in inner
        ),
        about=inner.get("description", schema.get("description", "")),
    )


def _kind(schema: Mapping[str, Any]) -> str:
    referred = _referred(schema)
    if referred:
        return referred
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(schema.get("type", "any"))


def _referred(schema: Mapping[str, Any]) -> str | None:
    reference = schema.get("$ref")
    return reference.removeprefix(REF) if reference else None
