"""The server: a socket, uvicorn, and a clean end."""

import signal
import socket
import threading
from types import FrameType

import uvicorn

from service.app import create_app, stop_process
from service.errors import MisconfiguredError
from service.process import Process

SHUTDOWN_TAKES_S = 10
# Whoever connects while the models load waits here for an answer.
BACKLOG = 2048


def open_socket(host: str, port: int) -> socket.socket:
    """Take the port before anything else is done; raises MisconfiguredError where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # At once: two that are bound and do not listen yet would both believe that the port is theirs.
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise MisconfiguredError(
            f"{host}:{port} cannot be listened on ({error.strerror}): stop what runs there, "
            f"or choose another port, e.g. POSTBAG_PORT={port + 1}."
        ) from error
    return listening


class Server(uvicorn.Server):
    """uvicorn, which at SIGTERM first says on /readyz that it stops, and a while later stops."""

    def __init__(self, config: uvicorn.Config, process: Process) -> None:
        super().__init__(config)
        self._process = process

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        drains = sig == signal.SIGTERM and not self._process.stopping.is_set()
        self._process.stopping.set()
        if drains and self._process.settings.drain_s:
            late = threading.Timer(
                self._process.settings.drain_s, super().handle_exit, (sig, frame)
            )
            late.daemon = True  # who is asked twice stops at once, and waits for no timer
            late.start()
        else:
            super().handle_exit(sig, frame)


def serve(process: Process, listening: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; requests in hand are finished first."""
    settings = process.settings
    config = uvicorn.Config(
        create_app(process),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=SHUTDOWN_TAKES_S,
    )
    # uvicorn raises the signal again once everything is closed: as an exception it lets us close the rest.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        Server(config, process).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        stop_process(process)
