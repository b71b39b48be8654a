"""The command line: everything an operator types."""

import json
import shutil
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service import demo as demonstration
from service import doctor as examination
from service import loading, server, worker
from service.app import start_process, stop_process
from service.commands import keys, people
from service.commands.opening import must_answer, must_be_migrated, opened, out
from service.errors import MisconfiguredError, NotFound, ServiceError
from service.logs import set_up_logs
from service.moderation import judging, sites
from service.process import Process, utc_now
from service.scoring import score_file
from service.settings import SETTINGS, Settings, read_settings
from service.storage import migrations
from service.storage.db import Database, open_database
from service.storage.tables import Site

app = typer.Typer(
    help="Postbag: comment moderation and insight for publishers, on your own machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
site_app = typer.Typer(help="Sites: publications, each for itself.", no_args_is_help=True)
app.add_typer(site_app, name="site")
app.add_typer(keys.app, name="key")
app.add_typer(people.app, name="person")

STOPPED = "\nStopped. Run it again to go on where you left off."


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


@app.command()
def migrate() -> None:
    """Bring the database to the present shape; safe to run twice."""
    settings = read_settings()
    database = open_database(settings.database_url)
    try:
        must_answer(database)
    finally:
        database.dispose()
    migrations.upgrade(settings.database_url)
    out.print("The database is up to date.")


@app.command()
def load(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    *,
    site: Annotated[str | None, typer.Option(help="Slug; the only site if left out.")] = None,
    url: Annotated[str | None, typer.Option(help="Address of the article.")] = None,
) -> None:
    """Take in a published article followed by its "Perspectives & Insights" block."""
    settings = read_settings()
    set_up_logs("warning", human=True)
    must_be_migrated(settings)
    published = loading.parse_published(_read_text(file))
    process = start_process(settings)
    try:
        into = _site(process.database, site)
        loaded = process.database.write(
            lambda s: loading.load(s, into, published, url=url, owner="load", now=utc_now())
        )
        _judge_now(process, owner="load")
    finally:
        stop_process(process)
    out.print(
        f"{loaded.article_id}: {loaded.new_comments} new comments, {loaded.known_comments} known."
    )


@app.command()
def score(
    source: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help=".jsonl or .jsonl.zst")
    ],
    *,
    target: Annotated[Path, typer.Option("--out", help="Where the scores go.")],
    articles: Annotated[
        Path | None, typer.Option(exists=True, help="Articles that lines name by article_id.")
    ] = None,
) -> None:
    """Score a JSON Lines file offline; nothing is stored."""
    settings = read_settings()
    set_up_logs("warning", human=True)
    with _progress() as bar:
        task = bar.add_task("Scoring", total=None)
        try:
            lines = score_file(
                source,
                target,
                articles=articles,
                weights=settings.weights,
                threads=settings.scoring_threads,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        except (ValueError, OSError) as error:
            raise MisconfiguredError(str(error)) from error
    out.print(f"{lines} {'line' if lines == 1 else 'lines'} scored into {target}.")


@app.command()
def doctor() -> None:
    """Say what is wrong with the configuration and how to mend it."""
    settings = read_settings()
    set_up_logs("error", human=True)
    well = True
    for finding in examination.examine(settings):
        well = well and finding.well
        out.print(f"{'ok   ' if finding.well else 'WRONG'}  {finding.what}", highlight=False)
        if not finding.well:
            out.print(f"       → {finding.mend}", highlight=False)
    out.print("\nSettings (environment, prefix POSTBAG_):")
    for setting in SETTINGS:
        out.print(f"  {setting.name:<16} {setting.help}", highlight=False)
    if not well:
        raise typer.Exit(1)


@site_app.command("add")
def add_site(
    slug: str,
    *,
    name: Annotated[str, typer.Option(help="As readers know it.")],
    timezone: str = "UTC",
) -> None:
    """A new site."""
    with opened() as database:
        database.write(lambda s: sites.create(s, slug, name=name, timezone=timezone, now=utc_now()))
    out.print(f"Site {slug} is there.")


@site_app.command("list")
def list_sites() -> None:
    """Every site."""
    with opened() as database:
        for site in database.read(sites.list_all):
            out.print(f"{site.slug}  {site.name}", highlight=False)


@site_app.command("policy")
def site_policy(
    slug: str,
    *,
    file: Annotated[
        Path | None, typer.Option("--set", exists=True, help="JSON that becomes the next version.")
    ] = None,
) -> None:
    """Show a site's policy, or set its next version."""
    with opened() as database:
        site = _site(database, slug)
        if file is not None:
            body = _read_json(file)
            database.write(lambda s: sites.set_policy(s, site.id, body, now=utc_now()))
        policy = database.read(lambda s: sites.get_policy(s, site.id))
    out.print(f"version {policy.version}", highlight=False)
    out.print_json(json.dumps(policy.to_body()))


def main() -> None:
    """Run a command; what an operator can mend is said in a sentence."""
    try:
        app()
    except (MisconfiguredError, ServiceError) as error:
        print(f"postbag: {error}", file=sys.stderr)
        sys.exit(1)


def _site(database: Database, slug: str | None) -> Site:
    if slug is not None:
        return database.read(lambda session: sites.get(session, slug))
    known = database.read(sites.list_all)
    if len(known) != 1:
        raise NotFound(f"there are {len(known)} sites; name one with --site")
    return known[0]


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MisconfiguredError(f"{file} is not text in UTF-8") from error


def _read_json(file: Path) -> dict[str, Any]:
    try:
        body = json.loads(_read_text(file))
    except ValueError as error:
        raise MisconfiguredError(f"{file} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise MisconfiguredError(f"{file} must hold a JSON object")
    return body


def _judge_now(process: Process, *, owner: str) -> None:
    process.database.write(lambda session: judging.free(session, owner=owner))
    while worker.work_once(process):
        pass


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
    )


def _prepare(process: Process) -> demonstration.Credentials:
    """Make what is missing, with a bar while there is anything to score; raises KeyboardInterrupt."""
    # Raised wherever Python happens to be, Ctrl-C can be swallowed by a library's callback: here it is
    # noted, and raised between two batches.
    asked_to_stop = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: asked_to_stop.set())
    try:
        with _progress() as bar:
            task = bar.add_task("Scoring the comments", total=None, visible=False)

            def progress(done: int, total: int) -> None:
                if asked_to_stop.is_set():
                    raise KeyboardInterrupt
                bar.update(task, completed=done, total=total, visible=total > 0)

            credentials = demonstration.prepare(process, progress=progress)
        if asked_to_stop.is_set():
            raise KeyboardInterrupt
        return credentials
    finally:
        signal.signal(signal.SIGINT, before)


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


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


if __name__ == "__main__":
    main()
