"""The database: `migrate`, `backup` and `restore`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from service import backups, erasure_list
from service.commands.console import must_answer, must_be_known, out
from service.errors import MisconfiguredError
from service.moderation import erasures
from service.process import utc_now
from service.scoring import find_trouble
from service.settings import Settings, read_settings
from service.storage import archives, migrations
from service.storage.db import Database, open_database
from service.storage.migrations import Standing

app = typer.Typer()
FOLDER = "backups"


@app.command()
def migrate(
    *,
    backup_first: Annotated[
        bool, typer.Option("--backup/--no-backup", help="Back up first what is there.")
    ] = True,
) -> None:
    """Bring the database to the present shape, after a backup of it; safe to run twice."""
    settings = read_settings()
    if trouble := find_trouble(settings.weights):
        raise MisconfiguredError(f"{trouble}; nothing was migrated.")
    database = open_database(settings.database_url)
    try:
        must_answer(database)
        must_be_known(database)
        if migrations.standing(database) is Standing.BEHIND:
            for revision, title in migrations.list_missing(database):
                out.print(f"To be run: {revision} {title}", highlight=False)
            if backup_first:
                _back_up_before(settings, database)
    finally:
        database.dispose()
    migrations.upgrade(settings.database_url)
    out.print("The database is up to date.")


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, or a folder for it.")],
    *,
    portable: Annotated[
        bool, typer.Option(help="As rows, which SQLite and PostgreSQL both take.")
    ] = False,
) -> None:
    """Back the database up into one file, while the service runs."""
    settings = read_settings()
    database = open_database(settings.database_url)
    try:
        must_answer(database)
        file, manifest = backups.take(settings, database, target, portable=portable, now=utc_now())
    except OSError as error:
        raise MisconfiguredError(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        database.dispose()
    rows = sum(manifest.counts.values())
    out.print(f"{file}: {rows} rows at revision {manifest.revision}.", highlight=False)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    *,
    erased_list: Annotated[
        Path | None,
        typer.Option(
            "--erasures",
            exists=True,
            dir_okay=False,
            help="A list of erasures kept elsewhere, beside the one in the data folder.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a database that has rows.")
    ] = False,
) -> None:
    """Make a backup the database, and erase again what was erased since it was taken."""
    settings = read_settings()
    manifest = archives.read_manifest(file)
    backups.must_fit(settings, manifest)
    backups.must_be_idle(settings)
    erased = _erased_so_far(settings, erased_list, force=force)
    restored = backups.restore(settings, file, manifest, erased, reapply=_reapply)
    rows = sum(manifest.counts.values())
    out.print(
        f"Restored {rows} rows, taken {manifest.taken_at:%Y-%m-%d %H:%M} UTC by Postbag {manifest.version}.",
        highlight=False,
    )
    out.print(f"{restored.erased} comments that were erased since are erased again.")
    if manifest.secret != backups.fingerprint(settings.secret):
        out.print(
            "This installation has another secret than the one backed up: authors known by e-mail are "
            "strangers, and webhooks send nothing until their secrets are rotated. See POSTBAG_SECRET.",
            highlight=False,
        )


def _reapply(session: Session, rows: Sequence[Mapping[str, object]]) -> int:
    recorded = erasures.listed(session, since=None)
    return erasures.reapply(session, erasure_list.beyond(rows, recorded))


def _back_up_before(settings: Settings, database: Database) -> None:
    folder = settings.data_dir / FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, _ = backups.take(settings, database, folder, portable=False, now=utc_now())
    except OSError as error:
        raise MisconfiguredError(
            f"{folder} cannot be written ({error.strerror}); nothing was migrated. "
            "--no-backup goes without."
        ) from error
    out.print(f"Backed up into {file}.", highlight=False)


def _erased_so_far(
    settings: Settings, elsewhere: Path | None, *, force: bool
) -> list[Mapping[str, object]]:
    """Every erasure that is known: from the lists, and from the database that is to be replaced."""
    erased: list[Mapping[str, object]] = []
    for listed in (settings.data_dir / erasure_list.NAME, elsewhere):
        if listed is not None and listed.exists():
            erased += erasure_list.read(listed)
    database = open_database(settings.database_url)
    try:
        if not database.is_alive():
            if not force:
                raise MisconfiguredError(
                    "the present database does not answer; --force replaces it all the same."
                )
        elif any(archives.count_rows(database).values()):
            if not force:
                raise MisconfiguredError("the database has rows; --force replaces them.")
            if migrations.is_current(database):
                erased += database.read(lambda s: erasures.listed(s, since=None))
    finally:
        database.dispose()
    return erased
