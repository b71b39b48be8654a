"""`postbag key`: a site's keys, made, listed, rotated and ended."""

from datetime import datetime, timedelta
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from service.commands.console import opened, out
from service.moderation import keys, sites
from service.moderation.keys import Issued
from service.process import utc_now
from service.storage.tables import Key, Scope

app = typer.Typer(help="Keys: how a site's backend proves who it is.", no_args_is_help=True)

SCOPES = [Scope.INGEST, Scope.MODERATE, Scope.PUBLISH]
HOUR = timedelta(hours=1)


@app.command("add")
def add(
    site: str,
    *,
    name: str = "backend",
    scope: Annotated[list[Scope], typer.Option(help="May be repeated.")] = SCOPES,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="It ends after so many; never if left out.")
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="Acts in a sandbox beside the site.")
    ] = False,
) -> None:
    """A new key; it is shown once."""
    now = utc_now()

    def make(session: Session) -> Issued:
        return keys.issue(
            session,
            sites.get(session, site),
            name=name,
            scopes=set(scope),
            expires_at=now + timedelta(days=days) if days else None,
            test=test,
            now=now,
        )

    with opened() as database:
        issued = database.write(make)
    typer.echo(issued.secret)


@app.command("list")
def list_all(site: str) -> None:
    """A site's keys by their first letters: name, scopes, the day of the last call, and how each ends."""
    now = utc_now()
    with opened() as database:
        for key in database.read(lambda s: keys.list_of(s, sites.get(s, site).id)):
            scopes = ",".join(key.scopes)
            used = f"used {key.used_on}" if key.used_on else "never used"
            kind = "test" if key.test else ""
            parts = (f"{key.prefix}…", key.name, scopes, kind, used, _end(key, now))
            out.print("  ".join(part for part in parts if part), highlight=False)


@app.command("rotate")
def rotate(
    site: str,
    prefix: str,
    *,
    overlap_hours: Annotated[
        int,
        typer.Option(
            min=0,
            max=keys.LONGEST_OVERLAP // HOUR,
            help="So long the old key goes on; 0: not at all.",
        ),
    ] = keys.OVERLAP // HOUR,
) -> None:
    """A key's successor, shown once; the old key goes on until the overlap is over."""
    now = utc_now()

    def change(session: Session) -> Issued:
        old = keys.find_by_prefix(session, sites.get(session, site), prefix, now=now)
        return keys.rotate(session, old, overlap=overlap_hours * HOUR, now=now)

    with opened() as database:
        issued = database.write(change)
    typer.echo(issued.secret)


@app.command("revoke")
def revoke(site: str, prefix: str) -> None:
    """End a key at once."""
    with opened() as database:
        database.write(lambda s: keys.revoke(s, sites.get(s, site), prefix, now=utc_now()))
    out.print("Revoked.")


def _end(key: Key, now: datetime) -> str:
    if key.revoked_at:
        return "revoked"
    if key.expires_at is None:
        return ""
    ended = "ended" if key.expires_at <= now else "ends"
    return f"{ended} {key.expires_at:%Y-%m-%d %H:%M} UTC"
