"""Servers: `serve`, and `worker` in a process of its own."""

import signal
import threading

import typer

from service import server, worker
from service.app import start_process, stop_process
from service.commands.console import must_be_migrated
from service.logs import set_up_logs
from service.settings import read_settings

app = typer.Typer()


@app.command()
def serve() -> None:
    """Serve the API and the pages; the worker runs inside unless POSTBAG_WORKER=separate."""
    settings = read_settings()
    set_up_logs(settings.log_level)
    listening = server.open_socket(settings.host, settings.port)
    must_be_migrated(settings)
    server.serve(start_process(settings), listening)


@app.command("worker")
def run_worker() -> None:
    """Judge what was left unjudged, in a process of its own."""
    settings = read_settings()
    set_up_logs(settings.log_level)
    must_be_migrated(settings)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    process = start_process(settings)
    try:
        worker.run(process, stop)
    finally:
        stop_process(process)
