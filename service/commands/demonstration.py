"""The demonstration: `demo` serves a site of its own, on this machine alone."""

import json
import shutil
from dataclasses import replace
from typing import Annotated

import typer

from service import demo as demonstration
from service import server
from service.app import start_process, stop_process
from service.commands.console import noting_interrupts, out, progress_bar
from service.logs import set_up_logs
from service.process import Process
from service.settings import Settings, read_settings
from service.storage import migrations

app = typer.Typer()
STOPPED = "\nStopped. Run it again to go on where you left off."


@app.command()
def demo(
    *, reset: Annotated[bool, typer.Option("--reset", help="Start over with fresh data.")] = False
) -> None:
    """Serve a demonstration site on this machine alone; its data are kept until --reset."""
    settings = _demo_settings(read_settings())
    set_up_logs("warning", human=True)
    # Before anything is thrown away: whoever has the port may be this demonstration.
    listening = server.open_socket(settings.host, settings.port)
    if reset:
        shutil.rmtree(settings.data_dir, ignore_errors=True)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    migrations.upgrade(settings.database_url)
    process = start_process(settings)
    try:
        credentials = _prepare(process)
    except KeyboardInterrupt:
        stop_process(process)
        out.print(STOPPED)
        raise typer.Exit(130) from None
    _introduce(settings, credentials)
    server.serve(process, listening)
    out.print(STOPPED)


def _demo_settings(settings: Settings) -> Settings:
    """The demonstration lives in a folder of its own and listens on loopback only."""
    folder = settings.data_dir / "demo"
    return replace(
        settings,
        data_dir=folder,
        database_url=f"sqlite:///{folder / 'postbag.db'}",
        host="127.0.0.1",
        public_url=f"http://127.0.0.1:{settings.port}",
        trusted_proxies=(),
        worker_inside=True,
        drain_s=0,
    )


def _prepare(process: Process) -> demonstration.Credentials:
    """Make what is missing, with a bar while there is anything to score; raises KeyboardInterrupt."""
    with noting_interrupts() as asked_to_stop, progress_bar() as bar:
        task = bar.add_task("Scoring the comments", total=None, visible=False)

        def progress(done: int, total: int) -> None:
            if asked_to_stop.is_set():
                raise KeyboardInterrupt
            bar.update(task, completed=done, total=total, visible=total > 0)

        credentials = demonstration.prepare(process, progress=progress)
    if asked_to_stop.is_set():
        raise KeyboardInterrupt
    return credentials


def _introduce(settings: Settings, credentials: demonstration.Credentials) -> None:
    url = settings.public_url
    curl = (
        f"curl -s '{url}/api/v1/comments?wait=5' \\\n"
        f"  -H 'Authorization: Bearer {credentials.key}' -H 'Content-Type: application/json' \\\n"
        f"  -d '{json.dumps(demonstration.FIRST_COMMENT)}'"
    )
    lines = (
        "",
        f"Postbag is at    {url}",
        f"  moderator      {demonstration.MODERATOR}   {credentials.moderator_password}",
        f"  editor         {demonstration.EDITOR}      {credentials.editor_password}",
        f"  API key        {credentials.key}",
        "",
        "Post a comment and get an explained verdict:",
        "",
        curl,
        "",
        "Ctrl-C stops it.",
    )
    print("\n".join(lines), flush=True)
