"""Articles: `load` takes in one that was published with its block."""

from pathlib import Path
from typing import Annotated

import typer

from service import loading, worker
from service.app import start_process, stop_process
from service.commands.console import get_site, must_be_migrated, out, read_text
from service.logs import set_up_logs
from service.moderation import judging
from service.process import Process, utc_now
from service.settings import read_settings

app = typer.Typer()


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
    published = loading.parse_published(read_text(file))
    process = start_process(settings)
    try:
        into = get_site(process.database, site)
        loaded = process.database.write(
            lambda s: loading.load(s, into, published, url=url, owner="load", now=utc_now())
        )
        _judge_now(process, owner="load")
    finally:
        stop_process(process)
    out.print(
        f"{loaded.article_id}: {loaded.new_comments} new comments, {loaded.known_comments} known."
    )


def _judge_now(process: Process, *, owner: str) -> None:
    process.database.write(lambda session: judging.free(session, owner=owner))
    while worker.work_once(process):
        pass
