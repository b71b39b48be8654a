"""The page of the API: every call and schema, read from the document, for everybody."""

import re

import pytest
from starlette.testclient import TestClient

from service.api import openapi
from service.api.routes import ROUTES
from service.app import API
from tests.web.conftest import Browse


@pytest.fixture
def page(browse: Browse) -> str:
    """What a stranger sees."""
    reply = browse(None).get("/docs")
    assert reply.status_code == 200
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    return reply.text


def test_every_call_stands_on_the_page_with_its_scope_and_statuses(page: str) -> None:
    for path, methods in openapi.document(ROUTES, prefix=API)["paths"].items():
        for method, operation in methods.items():
            start = page.index(f'id="{operation["operationId"]}"')
            card = page[start : page.index("</section>", start)]
            assert f"{method.upper()} {path}" in card
            for need in operation["security"]:
                assert f"scope <code>{need['key'][0]}</code>" in card
            for status in operation["responses"]:
                assert f">{status}</code>" in card
            for parameter in operation["parameters"]:
                assert f"<code>{parameter['name']}</code>" in card


def test_every_schema_stands_on_the_page_with_its_fields(page: str) -> None:
    for name, schema in openapi.document(ROUTES, prefix=API)["components"]["schemas"].items():
        start = page.index(f'id="{name}"')
        card = page[start : page.index("</section>", start)]
        for field in schema.get("properties", {}):
            assert f"<code>{field}</code>" in card


def test_links_lead_somewhere_and_no_script_runs(page: str) -> None:
    for target in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{target}"' in page
    assert "<script" not in page


def test_the_page_is_served_to_those_who_are_signed_in_too(moderator: TestClient) -> None:
    assert moderator.get("/docs").status_code == 200
