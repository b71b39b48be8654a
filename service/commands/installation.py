"""The installation: `init` asks what matters, writes the config file and makes the first site and admin."""

import os
import secrets
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from sqlalchemy.orm import Session

from service.commands.console import must_answer, out
from service.errors import MisconfiguredError
from service.moderation import people, sites
from service.process import utc_now
from service.settings import (
    CONFIG,
    DEFAULT_CONFIG,
    PREFIX,
    SETTINGS,
    Settings,
    parse_config,
    read_settings,
)
from service.storage import migrations
from service.storage.db import open_database
from service.storage.migrations import Standing
from service.storage.tables import Role

app = typer.Typer()
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
HEAD = """\
# Postbag's settings: one variable a line, read by `postbag` (in the folder it is started in, or named by
# POSTBAG_CONFIG), by systemd's EnvironmentFile= and by Compose's env_file:. The environment goes before it.
# It holds secrets: keep it to the service's own user, and keep a copy of it beside the backups.
"""


def _must_be_new(config: Path) -> Path:
    """Before anything is asked: an installation that is there is not written over."""
    if config.exists():
        raise MisconfiguredError(f"{config} is there already; name another file with --config.")
    return config


@app.command()
def init(
    *,
    config: Annotated[
        Path, typer.Option(is_eager=True, callback=_must_be_new, help="The file to write.")
    ] = DEFAULT_CONFIG,
    data_dir: Annotated[Path, typer.Option(help="Folder of the embedded database.")] = Path(
        ".postbag"
    ),
    database: Annotated[
        str,
        typer.Option(
            prompt="Database: postgresql://user:password@host/name, or nothing for an embedded one",
            help="Empty means SQLite in the data folder.",
        ),
    ] = "",
    public_url: Annotated[
        str,
        typer.Option(
            prompt="Address under which readers and staff reach it",
            help="https:// and a name; behind a proxy the proxy's.",
        ),
    ] = "http://127.0.0.1:8765",
    site: Annotated[
        str, typer.Option(prompt="First site, as it stands in addresses (my-paper)", help="Slug.")
    ],
    site_name: Annotated[
        str, typer.Option(prompt="Its name, as readers know it", help="Of the first site.")
    ],
    email: Annotated[str, typer.Option(prompt="Your e-mail address", help="The first admin's.")],
    password: Annotated[
        str,
        typer.Option(prompt="A password for signing in", hide_input=True, confirmation_prompt=True),
    ],
) -> None:
    """Ask what matters, write a commented config file, and make the first site and its admin."""
    chosen = {
        "DATA_DIR": str(data_dir.absolute()),
        "DATABASE_URL": database.strip(),
        "SECRET": _kept_or_new(data_dir),
        "METRICS_TOKEN": secrets.token_urlsafe(32),
        **_addresses(public_url.strip()),
    }
    _write(config, chosen)
    try:
        settings = read_settings(parse_config(config))
        _make_folder(settings.data_dir)
        _furnish(settings, site=site, site_name=site_name, email=email, password=password)
    except BaseException:
        config.unlink()
        raise
    prefix = "" if config == DEFAULT_CONFIG else f"{CONFIG}={config} "
    out.print(f"\n{config} is written, {site} is there, and {email} is its admin.", highlight=False)
    out.print("Next:", highlight=False)
    for step in (f"key add {site}", "doctor", "serve"):
        out.print(f"  {prefix}postbag {step}", highlight=False)


def _addresses(public_url: str) -> dict[str, str]:
    """Where to listen: where the address says if it is this machine's own, else on loopback behind a proxy."""
    try:
        url = urlsplit(public_url)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    if url.scheme not in {"http", "https"} or not url.hostname or url.path.strip("/"):
        raise MisconfiguredError(
            "an address is needed like https://comments.example, without path."
        )
    own = url.hostname in LOOPBACK
    return {
        "PUBLIC_URL": public_url.rstrip("/"),
        "HOST": "127.0.0.1",
        "PORT": str(port or 8765) if own else "8765",
        "TRUSTED_PROXIES": "" if own else "127.0.0.1",
    }


def _kept_or_new(data_dir: Path) -> str:
    """The secret of an installation whose data are there already; it hashes their authors."""
    kept = data_dir / "secret"
    return kept.read_text().strip() if kept.exists() else secrets.token_hex(32)


def _make_folder(data_dir: Path) -> None:
    """What the database does not hold is kept there, wherever that is: the list of erasures, backups."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MisconfiguredError(f"{data_dir} cannot be made: {error.strerror}.") from error


def _write(config: Path, chosen: dict[str, str]) -> None:
    lines = [HEAD]
    for setting in SETTINGS:
        value = chosen.get(setting.name, "")
        line = f"{PREFIX}{setting.name}={value}"
        lines.append(f"# {setting.help}\n{line if value else f'#{line}{setting.default}'}\n")
    try:
        with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("\n".join(lines))
    except OSError as error:
        raise MisconfiguredError(f"{config} cannot be written: {error.strerror}.") from error


def _furnish(settings: Settings, *, site: str, site_name: str, email: str, password: str) -> None:
    database = open_database(settings.database_url)
    try:
        must_answer(database)
        standing = migrations.standing(database)
        if standing is Standing.EMPTY:
            migrations.upgrade(settings.database_url)
        elif standing is not Standing.CURRENT:
            raise MisconfiguredError("this database is not empty, and not of this Postbag.")
        now = utc_now()

        def add(session: Session) -> None:
            if sites.list_all(session):
                raise MisconfiguredError("this database has a site already: it is set up.")
            made = sites.create(session, site, name=site_name, now=now)
            name = email.partition("@")[0] or email
            person = people.create(session, email, name=name, password=password, now=now)
            people.grant(session, person, made, Role.ADMIN)

        database.write(add)
    finally:
        database.dispose()
