"""Settings: the only reader of the environment."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from service.errors import MisconfiguredError
from service.outgoing import ANYWHERE, Network, trouble_with

PREFIX = "POSTBAG_"
# Names the file in which settings may stand, one VARIABLE=value a line; the environment goes before it.
CONFIG = f"{PREFIX}CONFIG"
DEFAULT_CONFIG = Path("postbag.env")
UNFIT_IN_CONFIG = frozenset("'\"`$#\\ \t")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One variable of the environment, as the operator's table shows it."""

    name: str
    default: str
    help: str
    secret: bool = False


SETTINGS = (
    Setting(
        name="DATA_DIR",
        default=".postbag",
        help="Folder of the embedded database and of the generated secret.",
    ),
    Setting(
        name="DATABASE_URL",
        default="",
        help="SQLAlchemy URL; empty means SQLite in DATA_DIR. PostgreSQL: postgresql+psycopg://…",
        secret=True,
    ),
    Setting(
        name="SECRET",
        default="",
        help="Key for hashing e-mail addresses and for making webhooks' secrets; empty means one generated in DATA_DIR. Set it when several hosts share a database.",
        secret=True,
    ),
    Setting(name="HOST", default="127.0.0.1", help="Address to listen on."),
    Setting(name="PORT", default="8765", help="Port to listen on."),
    Setting(
        name="PUBLIC_URL",
        default="",
        help="Address under which readers and staff reach this service; empty means http://HOST:PORT.",
    ),
    Setting(
        name="WEIGHTS", default="", help="Folder of a weights version; empty means the one shipped."
    ),
    Setting(
        name="SCORING_THREADS",
        default="0",
        help="Threads of the scorer; 0 means one for each core.",
    ),
    Setting(
        name="SCORING_QUEUE",
        default="512",
        help="Comments that may wait for the scorer before new ones are answered 503.",
    ),
    Setting(
        name="WORKER",
        default="inside",
        help="'inside' runs the worker in `serve`; 'separate' leaves it to `postbag worker`.",
    ),
    Setting(
        name="TRUSTED_PROXIES",
        default="",
        help="Comma-separated addresses whose X-Forwarded-* headers count.",
    ),
    Setting(
        name="WEBHOOK_ALLOW_PRIVATE",
        default="",
        help="Comma-separated networks, e.g. 10.1.0.0/16, in which webhooks may be delivered, over plain http too; elsewhere only to public addresses over https.",
    ),
    Setting(
        name="KEY_RATE",
        default="200",
        help="Calls a second that each key may make of this process before it is answered 429; 0 is no limit.",
    ),
    Setting(
        name="OIDC_ISSUER",
        default="",
        help="Address of an OpenID Connect provider, exactly as its tokens name it; empty means passwords alone.",
    ),
    Setting(name="OIDC_CLIENT_ID", default="", help="As the provider knows this service."),
    Setting(
        name="OIDC_CLIENT_SECRET",
        default="",
        help="What proves to the provider that it is this service.",
        secret=True,
    ),
    Setting(
        name="OIDC_NAME",
        default="SSO",
        help="What the sign-in page calls the provider.",
    ),
    Setting(
        name="OIDC_WELCOME",
        default="",
        help="SITE/ROLE that people whom the provider knows are given when they come uninvited; empty keeps them outside.",
    ),
    Setting(
        name="METRICS_TOKEN",
        default="",
        help="What a scraper sends as bearer token to read /metrics; empty closes it.",
        secret=True,
    ),
    Setting(
        name="DRAIN",
        default="2",
        help="Seconds after SIGTERM in which requests are still taken while /readyz says 503, so that a load balancer goes elsewhere first.",
    ),
    Setting(name="LOG_LEVEL", default="info", help="debug, info, warning or error."),
)


@dataclass(frozen=True, kw_only=True)
class Oidc:
    """A provider that people sign in through; `welcome` is the site and the role of the uninvited."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    welcome: tuple[str, str] | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The configuration of one process, read once and passed in."""

    data_dir: Path
    database_url: str
    secret: str
    host: str
    port: int
    public_url: str
    weights: Path | None
    scoring_threads: int
    scoring_queue: int
    worker_inside: bool
    trusted_proxies: tuple[str, ...]
    webhook_networks: tuple[Network, ...]
    key_rate: int
    oidc: Oidc | None
    metrics_token: str
    drain_s: int
    log_level: str

    def __repr__(self) -> str:
        hidden = {"database_url", "secret", "metrics_token"}
        shown = (
            f"{f.name}={'***' if f.name in hidden else getattr(self, f.name)!r}"
            for f in fields(self)
        )
        return f"Settings({', '.join(shown)})"


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check every variable; raises MisconfiguredError with a sentence naming the wrong one.

    Without `environ` they are those of the environment, and where it is silent those of the config file.
    """
    if environ is None:
        config = find_config()
        environ = {**(parse_config(config) if config else {}), **os.environ}
    values = _values(environ)
    data_dir = Path(values["DATA_DIR"])
    host, port = values["HOST"], _number(values, "PORT", low=0, high=65535)
    return Settings(
        data_dir=data_dir,
        database_url=values["DATABASE_URL"] or f"sqlite:///{data_dir / 'postbag.db'}",
        secret=values["SECRET"] or _secret_of(data_dir),
        host=host,
        port=port,
        public_url=(values["PUBLIC_URL"] or f"http://{host}:{port}").rstrip("/"),
        weights=Path(values["WEIGHTS"]) if values["WEIGHTS"] else None,
        scoring_threads=_number(values, "SCORING_THREADS", low=0, high=256),
        scoring_queue=_number(values, "SCORING_QUEUE", low=1, high=100_000),
        worker_inside=_choice(values, "WORKER", ("inside", "separate")) == "inside",
        trusted_proxies=tuple(p.strip() for p in values["TRUSTED_PROXIES"].split(",") if p.strip()),
        webhook_networks=_networks(values, "WEBHOOK_ALLOW_PRIVATE"),
        key_rate=_number(values, "KEY_RATE", low=0, high=1_000_000),
        oidc=_oidc(values),
        metrics_token=values["METRICS_TOKEN"],
        drain_s=_number(values, "DRAIN", low=0, high=300),
        log_level=_choice(values, "LOG_LEVEL", ("debug", "info", "warning", "error")),
    )


def parse_config(file: Path) -> dict[str, str]:
    """The variables of a config file, as systemd and Compose read it; raises MisconfiguredError naming a wrong line."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MisconfiguredError(f"{file} cannot be read: {error}.") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name, value = name.strip(), value.strip()
        # What a shell would read otherwise is refused, so that every reader of the file reads the same.
        if (
            not (equals and name.startswith(PREFIX))
            or set(value) & UNFIT_IN_CONFIG
            or name in found
        ):
            raise MisconfiguredError(
                f"{file}, line {number}: one {PREFIX}NAME=value a line, each name once, without "
                "quotes, spaces, $, # and backslashes in the value."
            )
        found[name] = value
    return found


def find_config() -> Path | None:
    """The config file: the one that the environment names, or `postbag.env` here; None where there is none."""
    named = os.environ.get(CONFIG)
    if named:
        return Path(named)
    return DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None


def _values(environ: Mapping[str, str]) -> dict[str, str]:
    known = {setting.name for setting in SETTINGS}
    files = {f"{setting.name}_FILE" for setting in SETTINGS if setting.secret}
    for variable in environ:
        name = variable.removeprefix(PREFIX)
        if variable.startswith(PREFIX) and name not in known | files | {"CONFIG"}:
            raise MisconfiguredError(
                f"{variable} is not a setting of Postbag; `postbag doctor` lists them."
            )
    values = {
        setting.name: environ.get(PREFIX + setting.name, setting.default) for setting in SETTINGS
    }
    for name in files:
        path = environ.get(PREFIX + name)
        if path:
            try:
                values[name.removesuffix("_FILE")] = Path(path).read_text().strip()
            except OSError as error:
                raise MisconfiguredError(
                    f"{PREFIX}{name} names {path}, which cannot be read: {error.strerror}."
                ) from error
    return values


def _number(values: dict[str, str], name: str, *, low: int, high: int) -> int:
    try:
        number = int(values[name])
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise MisconfiguredError(
            f"{PREFIX}{name} must be a whole number from {low} to {high}, not {values[name]!r}."
        )
    return number


def _networks(values: dict[str, str], name: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(n.strip()) for n in values[name].split(",") if n.strip())
    except ValueError as error:
        raise MisconfiguredError(
            f"{PREFIX}{name} must name networks like 10.1.0.0/16 or addresses, not {values[name]!r}."
        ) from error


def _oidc(values: dict[str, str]) -> Oidc | None:
    issuer = values["OIDC_ISSUER"].strip()
    if not issuer:
        return None
    parts = urlsplit(issuer)
    secure = parts.scheme == "https" or parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if trouble_with(issuer, networks=ANYWHERE) or parts.query or not secure:
        raise MisconfiguredError(f"{PREFIX}OIDC_ISSUER must be an https address, not {issuer!r}.")
    for name in ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"):
        if not values[name]:
            raise MisconfiguredError(f"{PREFIX}{name} is needed beside {PREFIX}OIDC_ISSUER.")
    return Oidc(
        issuer=issuer,
        client_id=values["OIDC_CLIENT_ID"],
        client_secret=values["OIDC_CLIENT_SECRET"],
        name=values["OIDC_NAME"],
        welcome=_welcome(values["OIDC_WELCOME"]),
    )


def _welcome(value: str) -> tuple[str, str] | None:
    if not value:
        return None
    site, _, role = value.partition("/")
    # Never admin: whoever the provider lets in must not rule here.
    if not site or role not in {"moderator", "editor"}:
        raise MisconfiguredError(
            f"{PREFIX}OIDC_WELCOME must be SITE/moderator or SITE/editor, not {value!r}."
        )
    return site, role


def _choice(values: dict[str, str], name: str, allowed: tuple[str, ...]) -> str:
    if values[name] not in allowed:
        raise MisconfiguredError(
            f"{PREFIX}{name} must be one of {', '.join(allowed)}, not {values[name]!r}."
        )
    return values[name]


def _secret_of(data_dir: Path) -> str:
    try:
        return _kept_secret(data_dir)
    except OSError as error:
        raise MisconfiguredError(
            f"{PREFIX}DATA_DIR names {data_dir}, which cannot be used ({error.strerror}): "
            "make it a folder that can be written, or name another."
        ) from error


def _kept_secret(data_dir: Path) -> str:
    """The secret of an embedded installation, made at its first start and readable by its owner alone."""
    path = data_dir / "secret"
    if not path.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"secret.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32))
        # Two first starts at once: link refuses to overwrite, so both go on with the same secret.
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()
