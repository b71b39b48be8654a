"""An OpenID provider in a process of its own: the one that pip installed, made to insist on PKCE.

python -m tests.oidc_provider PORT
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx2

STARTS_WITHIN_S = 60
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A provider that runs, and what a person does in front of it."""

    url: str
    server: "subprocess.Popen[bytes]"

    def knows(self, subject: str, **claims: Any) -> None:
        """Make somebody, or change what is told of them."""
        assert httpx2.put(f"{self.url}/users/{subject}", json=claims).status_code == 204

    def confirm(self, address: str, subject: str, **changed: str) -> str:
        """Sign in there as `subject`; the address that the browser is sent back to.

        `changed` are parameters that somebody tampered with on the way.
        """
        parts = urlsplit(address)
        query = urlencode({**dict(parse_qsl(parts.query)), **changed})
        reply = httpx2.post(urlunsplit(parts._replace(query=query)), data={"sub": subject})
        assert reply.status_code == 302, reply.text
        return reply.headers["location"]

    def stop(self) -> None:
        self.server.terminate()
        self.server.wait(30)


@contextmanager
def running(port: int) -> Iterator[Running]:
    """A provider at a port, until the block ends."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.oidc_provider", str(port)],
        cwd=Path(__file__).parents[1],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    provider = Running(url=f"http://127.0.0.1:{port}", server=server)
    try:
        _wait_for(provider)
        yield provider
    finally:
        provider.stop()


def _wait_for(provider: Running) -> None:
    end = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            httpx2.get(f"{provider.url}/.well-known/openid-configuration").raise_for_status()
            return
        except httpx2.TransportError:
            assert provider.server.poll() is None, "the provider ended"
            assert time.monotonic() < end, "the provider did not start"
        time.sleep(0.1)


def with_pkce(app: Wsgi) -> Wsgi:
    """The provider as it is, but a code that was asked for with a challenge needs its verifier (RFC 7636)."""
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    challenges: dict[str, str] = {}

    def wrapped(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        form = dict(parse_qsl(body.decode()))
        if environ["PATH_INFO"].endswith("/token"):
            verifier = form.get("code_verifier", "")
            if challenges.get(form.get("code", "")) != create_s256_code_challenge(verifier):
                start("400 Bad Request", [("Content-Type", "application/json")])
                return [b'{"error": "invalid_grant"}']

        def noting(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
            for name, value in headers:
                if name.lower() == "location" and query.get("code_challenge_method") == "S256":
                    code = dict(parse_qsl(urlsplit(value).query)).get("code", "")
                    challenges[code] = query["code_challenge"]
            return start(status, headers, *rest)

        return app(environ, noting)

    return wrapped


def main() -> None:
    import oidc_provider_mock
    from werkzeug.serving import run_simple

    app = with_pkce(oidc_provider_mock.app(require_nonce=True).wsgi_app)
    run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)


if __name__ == "__main__":
    main()
