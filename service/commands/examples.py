"""Examples: `export-examples` writes what people decided, as texts with labels, for training."""

import json
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from service.commands.console import in_utc, opened, out
from service.errors import MisconfiguredError
from service.moderation import examples, sites

app = typer.Typer()


@app.command("export-examples")
def export_examples(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    *,
    site: Annotated[str | None, typer.Option(help="Slug; every site if left out.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Received from this day (UTC) on.")] = None,
) -> None:
    """Write moderators' decisions and editors' picks as JSON lines: readers' words, with labels, for training."""
    if file.exists():
        raise MisconfiguredError(f"{file} is there already; name another file.")
    partial = file.with_name(f".{file.name}.{secrets.token_hex(4)}.partial")
    number = 0
    try:
        with opened() as database, database.reading() as session:
            site_id = sites.get(session, site).id if site else None
            fresh = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fresh, "w", encoding="utf-8") as lines:
                for example in examples.each(session, site_id=site_id, since=in_utc(since)):
                    lines.write(json.dumps(example, ensure_ascii=False) + "\n")
                    number += 1
        os.replace(partial, file)
    except OSError as error:
        raise MisconfiguredError(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)
    out.print(f"{number} examples in {file}.", highlight=False)
    out.print(
        "It holds what readers wrote, and nobody's erasure reaches it: keep it no longer than you train."
    )
