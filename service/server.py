"""The server: a socket, uvicorn, and a clean end."""

import signal
import socket

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
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        stop_process(process)
