"""The doctor: what is wrong with an installation, and how to mend it."""

import os
import shutil
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import false, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.moderation import backlog, keys, people, sites, workers
from service.moderation.backlog import Backlog
from service.scoring import BatchScorer
from service.settings import Settings
from service.storage import copies, db, migrations
from service.storage.db import Database, open_database
from service.storage.migrations import Standing
from service.storage.tables import Event, Key

MEGABYTE = 1 << 20
LEAST_FREE = 512 * MEGABYTE
# The log is written back at about 4 MB; so much more means that some reader never ends.
LARGEST_LOG = 256 * MEGABYTE
LATE_VERDICT = timedelta(minutes=15)
LATE_DELIVERY = timedelta(hours=1)
CLOCK_OFF_BY = timedelta(minutes=2)
ANSWERS_WITHIN_S = 3.0
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SHORTEST_SECRET = 32


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at; `mend` says what to do when it is not well."""

    what: str
    well: bool
    mend: str = ""


def examine(settings: Settings, *, config: Path | None, now: datetime) -> Iterator[Finding]:
    """Look at everything that a start and a day's work need, one finding after the other."""
    yield from examine_settings(settings, config=config)
    yield _weights(settings)
    database = open_database(settings.database_url)
    try:
        yield from examine_database(settings, database, now=now)
    finally:
        database.dispose()


def examine_settings(settings: Settings, *, config: Path | None) -> Iterator[Finding]:
    """The machine and the settings, whatever the database says."""
    yield _data_dir(settings)
    yield _disk(settings)
    yield from _modes(settings, config)
    yield _port(settings)
    yield _public_url(settings)
    yield from _public_service(settings)


def _data_dir(settings: Settings) -> Finding:
    folder = settings.data_dir
    return Finding(
        what=f"{folder} can be written",
        well=folder.is_dir() and os.access(folder, os.W_OK),
        mend="make the folder writable, or name another in POSTBAG_DATA_DIR",
    )


def _disk(settings: Settings) -> Finding:
    here = db.find_file(settings.database_url) or settings.data_dir
    folder = next((each for each in (here, *here.parents) if each.is_dir()), Path("/"))
    free = shutil.disk_usage(folder).free
    return Finding(
        what=f"the disk has {free // MEGABYTE} MB left",
        well=free >= LEAST_FREE,
        mend=f"make room: {LEAST_FREE // MEGABYTE} MB at least, or comments are refused when it is full",
    )


def _modes(settings: Settings, config: Path | None) -> Iterator[Finding]:
    """Files with secrets or readers' words are their owner's alone."""
    private = (
        config,
        settings.data_dir / "secret",
        db.find_file(settings.database_url),
    )
    for path in private:
        if path is not None and path.is_file():
            mode = stat.S_IMODE(path.stat().st_mode)
            yield Finding(
                what=f"{path} is readable by its owner alone",
                well=not mode & 0o077,
                mend=f"run `chmod 600 {path}`",
            )


def _weights(settings: Settings) -> Finding:
    scorer = BatchScorer(settings.weights, threads=1, queue=1)
    scorer.close()
    return Finding(
        what=f"the models are as they were sealed, and load ({scorer.model or 'none'})",
        well=scorer.trouble is None,
        mend=scorer.trouble or "",
    )


def _port(settings: Settings) -> Finding:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
            free = True
        except OSError:
            free = False
    return Finding(
        what=f"{settings.host}:{settings.port} is free, or Postbag's own",
        well=free or _is_postbag(settings),
        mend="something else listens there; stop it, or set POSTBAG_PORT",
    )


def _is_postbag(settings: Settings) -> bool:
    """Whether what listens there answers as Postbag does."""
    everywhere = settings.host in {"0.0.0.0", "::"}  # noqa: S104 - it is compared, not listened on
    host = "localhost" if everywhere else settings.host
    connection = HTTPConnection(host, settings.port, timeout=ANSWERS_WITHIN_S)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().read(100) == b'{"status":"ok"}'
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _public_url(settings: Settings) -> Finding:
    url = urlsplit(settings.public_url)
    return Finding(
        what=f"{settings.public_url} is safe for sign-ins",
        well=url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK),
        mend="set POSTBAG_PUBLIC_URL to the https:// address that your proxy serves",
    )


def _public_service(settings: Settings) -> Iterator[Finding]:
    """What is harmless on a desk and not where the world can reach it."""
    if urlsplit(settings.public_url).hostname in LOOPBACK:
        return
    yield Finding(
        what="a proxy's word on who calls counts",
        well=bool(settings.trusted_proxies),
        mend="set POSTBAG_TRUSTED_PROXIES to your proxy's address; else every caller seems to be the proxy",
    )
    yield Finding(
        what="no proxy is trusted whatever its address",
        well="*" not in settings.trusted_proxies,
        mend="name the proxy in POSTBAG_TRUSTED_PROXIES: with * any caller may say who they are",
    )
    yield Finding(
        what="a key may not ask without end",
        well=settings.key_rate > 0,
        mend="set POSTBAG_KEY_RATE: with 0 one key can take the whole service",
    )
    yield Finding(
        what="the secret is long enough",
        well=len(settings.secret) >= SHORTEST_SECRET,
        mend=f"set POSTBAG_SECRET to {SHORTEST_SECRET} random characters or more (authors known by e-mail become strangers)",
    )
    yield Finding(
        what="the log does not tell every batch",
        well=settings.log_level != "debug",
        mend="set POSTBAG_LOG_LEVEL=info: at debug it grows with every comment",
    )


def examine_database(settings: Settings, database: Database, *, now: datetime) -> Iterator[Finding]:
    """The database, and how far the service has come with what is in it."""
    damage = copies.list_damage(database)
    yield Finding(
        what="the database is undamaged",
        well=not damage,
        mend=f"{damage[0] if damage else ''}: stop, and restore a backup",
    )
    if damage:
        return
    alive = database.is_alive()
    yield Finding(
        what="the database answers", well=alive, mend="see POSTBAG_DATABASE_URL; is it running?"
    )
    if not alive:
        return
    standing = migrations.standing(database)
    yield Finding(
        what=f"the database is migrated (revision {migrations.find_revision(database) or 'none'})",
        well=standing is Standing.CURRENT,
        mend="it is of a newer Postbag, or not of Postbag"
        if standing is Standing.UNKNOWN
        else "run `postbag migrate`",
    )
    if standing is Standing.CURRENT:
        yield _writable(database)
        yield from _log(settings)
        yield from database.read(lambda s: _rows(s, settings, now=now))
        yield from database.read(lambda s: _work(s, settings, now=now))


def _writable(database: Database) -> Finding:
    try:
        with database.writing() as session:
            # Takes the lock that a comment needs, and leaves no trace.
            session.execute(update(Key).where(false()).values(name=Key.name))
        well = True
    except DBAPIError:
        well = False
    return Finding(
        what="the database can be written",
        well=well,
        mend="some process holds its lock, or the file or its folder is read-only",
    )


def _log(settings: Settings) -> Iterator[Finding]:
    file = db.find_file(settings.database_url)
    log = Path(f"{file}-wal")
    if file is not None:
        size = log.stat().st_size if log.exists() else 0
        yield Finding(
            what=f"the database's log is written back ({size // MEGABYTE} MB)",
            well=size <= LARGEST_LOG,
            mend="some program reads the database without end; stop it, then restart Postbag",
        )


def _rows(session: Session, settings: Settings, *, now: datetime) -> list[Finding]:
    newest = session.scalar(select(Event.at).order_by(Event.id.desc()).limit(1))
    return [
        Finding(
            what=f"the clock goes right ({now:%Y-%m-%d %H:%M} UTC)",
            well=newest is None or newest <= now + CLOCK_OFF_BY,
            mend="an event bears a later time than now: leases and sign-ins go by the clock; set it",
        ),
        Finding(
            what="there is a site",
            well=bool(sites.list_all(session)),
            mend="run `postbag site add SLUG --name NAME`",
        ),
        Finding(
            what="a backend has a key",
            well=keys.is_any_alive(session, now=now),
            mend="run `postbag key add SITE`",
        ),
        Finding(
            what="a person can sign in",
            well=people.can_anybody_sign_in(session, by_provider=settings.oidc is not None),
            mend="run `postbag person add EMAIL --site SITE --role moderator`, or `person activate EMAIL`",
        ),
    ]


def _work(session: Session, settings: Settings, *, now: datetime) -> list[Finding]:
    """How far the service has come with what was given to it."""
    waits = backlog.count(session, now=now)
    seen = workers.last_seen(session)
    idle = not waits.unscored and not waits.pending_deliveries
    return [
        Finding(
            what=f"a worker works (seen {seen:%Y-%m-%d %H:%M} UTC)" if seen else "a worker works",
            well=idle or (seen is not None and seen > now - workers.GONE_AFTER),
            mend="something waits and no worker runs: start `postbag serve`"
            + ("" if settings.worker_inside else " and `postbag worker`"),
        ),
        *_backlog(waits, now=now),
    ]


def _backlog(waits: Backlog, *, now: datetime) -> list[Finding]:
    oldest = waits.received.oldest_at or now
    oldest_delivery = waits.oldest_delivery_at or now
    return [
        Finding(
            what=f"comments have their verdict in time ({waits.received.count} wait)",
            well=oldest > now - LATE_VERDICT,
            mend=f"the oldest came {_when(oldest)}: is a worker running, and do the models answer?",
        ),
        Finding(
            what="no lease was left behind",
            well=not waits.stale_leases,
            mend=f"{waits.stale_leases} comments were being judged by a process that died: start a worker",
        ),
        Finding(
            what=f"webhooks are told in time ({waits.pending_deliveries} wait)",
            well=oldest_delivery > now - LATE_DELIVERY,
            mend=f"the oldest delivery waits since {_when(oldest_delivery)}: `postbag webhooks list SITE`",
        ),
        Finding(
            what="no webhook fails",
            well=not waits.failing_webhooks,
            mend=f"{waits.failing_webhooks} answer with errors: `postbag webhooks list SITE`",
        ),
        Finding(
            what="no webhook is parked",
            well=not waits.parked_webhooks,
            mend=f"{waits.parked_webhooks} are told nothing ({waits.parked_deliveries} deliveries wait): "
            "mend the receiver, then `postbag webhooks unpark SITE ID`",
        ),
    ]


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
