"""What tests of pages share: browsers of people who are signed in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.process import Process
from tests.conftest import PASSWORD, House

Browse = Callable[[str | None], TestClient]
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def browse(process: Process) -> Iterator[Browse]:
    """A browser that follows no redirects by itself, signed in as someone if an address is given."""
    with ExitStack() as open_ones:

        def new(email: str | None) -> TestClient:
            client = TestClient(create_app(process), headers=SAME_ORIGIN, follow_redirects=False)
            open_ones.enter_context(client)
            if email:
                form = {"email": email, "password": PASSWORD}
                assert client.post("/login", data=form).status_code == 303
            return client

        yield new


@pytest.fixture
def moderator(browse: Browse, house: House) -> TestClient:
    return browse(house.moderator)


@pytest.fixture
def editor(browse: Browse, house: House) -> TestClient:
    return browse(house.editor)
