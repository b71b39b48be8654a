"""Scores: `score` reads a file."""

from pathlib import Path
from typing import Annotated

import typer

from service.commands.console import out, progress_bar
from service.errors import MisconfiguredError
from service.logs import set_up_logs
from service.scoring import score_file
from service.settings import read_settings

app = typer.Typer()


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
