"""A receiver of webhooks: a real little HTTP server that verifies signatures as its makers would."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

Verdict = Callable[[dict[str, Any]], int]


@dataclass(kw_only=True)
class Heard:
    """One request that came in."""

    path: str
    id: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def message(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.message["data"]
        return data


@dataclass(kw_only=True)
class Receiver:
    """What it answers can be changed at any time; what it accepted has passed the verifier."""

    url: str = ""
    secret: str = ""
    verifies: bool = True
    verdict: Verdict = lambda _message: 204
    headers: dict[str, str] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    # Cleared, it keeps everybody waiting for an answer.
    gate: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def accepted(self) -> list[Heard]:
        return [each for each in self.heard if 200 <= each.status < 300]

    @property
    def cursors(self) -> list[int]:
        return [int(each.data["cursor"]) for each in self.accepted]

    def answer(self, status: int) -> None:
        self.verdict = lambda _message: status

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """The status to answer with: 401 for what the verifier refuses."""
        self.arrived.release()
        assert self.gate.wait(20)
        status = self.verdict(json.loads(body))
        if self.verifies and 200 <= status < 300:
            try:
                Webhook(self.secret).verify(body, headers)
            except WebhookVerificationError:
                status = 401
        message_id = headers.get("webhook-id", "")
        self.heard.append(
            Heard(path=path, id=message_id, headers=headers, body=body, status=status)
        )
        return status


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on loopback, for as long as it is needed."""
    receiver = Receiver()
    receiver.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {key.lower(): value for key, value in self.headers.items()}
            self.send_response(receiver.receive(self.path, headers, body))
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()
