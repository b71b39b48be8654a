"""Scores: `score` reads a file, `rescore` the comments that other weights judged."""

import os
import time
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from service import worker
from service.app import start_process, stop_process
from service.commands.console import (
    get_site,
    in_utc,
    must_be_migrated,
    noting_interrupts,
    out,
    progress_bar,
)
from service.errors import MisconfiguredError
from service.logs import set_up_logs
from service.moderation import articles, backlog, judging, rescoring
from service.moderation.judging import Task
from service.moderation.rescoring import Wanted
from service.process import Process, utc_now
from service.scoring import score_file
from service.settings import read_settings

app = typer.Typer()
AT_ONCE = 16
# While a comment that just came in is being judged, the next batch waits, so long at most.
YIELDS_S, LOOKS_EVERY_S = 10.0, 0.2


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
    with progress_bar() as bar:
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
def rescore(
    *,
    site: Annotated[str | None, typer.Option(help="Slug; every site if left out.")] = None,
    article: Annotated[str | None, typer.Option(help="The site's id of one article.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Received from this day (UTC) on.")] = None,
) -> None:
    """Judge again, with the present weights, what others judged; what people decided stays as it is.

    A service may run meanwhile and goes first. Stopped, it goes on where it left off.
    """
    settings = read_settings()
    set_up_logs("warning", human=True)
    must_be_migrated(settings)
    os.nice(10)
    process = start_process(settings)
    try:
        if process.scorer.trouble is not None or process.scorer.model is None:
            raise MisconfiguredError(f"nothing can be scored: {process.scorer.trouble}.")
        wanted = _wanted(process, site=site, article=article, since=in_utc(since))
        with noting_interrupts() as asked_to_stop:
            done, left = _rescore(process, wanted, process.scorer.model, asked_to_stop)
    finally:
        process.database.write(lambda s: judging.free(s, owner=process.owner))
        stop_process(process)
    out.print(f"{done} comments judged again, {left} left.", highlight=False)
    if left:
        out.print("Run it again to go on.")
        raise typer.Exit(130 if asked_to_stop.is_set() else 1)


def _wanted(
    process: Process, *, site: str | None, article: str | None, since: datetime | None
) -> Wanted:
    if article is None and site is None:
        return Wanted(since=since)
    site_id = get_site(process.database, site).id
    if article is None:
        return Wanted(site_id=site_id, since=since)
    found = process.database.read(lambda s: articles.get(s, site_id, article))
    return Wanted(site_id=site_id, article_id=found.id, since=since)


def _rescore(process: Process, wanted: Wanted, model: str, asked_to_stop: Event) -> tuple[int, int]:
    """Judge batch after batch; how many were judged, and how many are left."""
    database = process.database
    done = after = 0
    with progress_bar() as bar:
        total = database.read(lambda s: rescoring.count(s, wanted, model=model))
        task = bar.add_task("Judging again", total=total)
        while not asked_to_stop.is_set():
            taken, tasks = _take(process, wanted, model, after)
            if not taken:
                break
            after = taken[-1]
            done += worker.judge_again(process, tasks)
            bar.update(task, completed=done)
            _give_way(process, asked_to_stop)
    return done, database.read(lambda s: rescoring.count(s, wanted, model=model))


def _take(process: Process, wanted: Wanted, model: str, after: int) -> tuple[list[int], list[Task]]:
    def take(session: Session) -> tuple[list[int], list[Task]]:
        taken = rescoring.take(
            session,
            wanted,
            model=model,
            after=after,
            owner=process.owner,
            now=utc_now(),
            limit=AT_ONCE,
        )
        return taken, judging.list_tasks(session, taken)

    return process.database.write(take)


def _give_way(process: Process, asked_to_stop: Event) -> None:
    until = time.monotonic() + YIELDS_S
    while time.monotonic() < until and not asked_to_stop.is_set():
        if not process.database.read(lambda s: backlog.is_live(s, now=utc_now())):
            return
        time.sleep(LOOKS_EVERY_S)
