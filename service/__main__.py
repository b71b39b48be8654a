"""The command line: everything an operator types."""

import sys
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from service.commands import (
    articles,
    database,
    demonstration,
    doctor,
    examples,
    installation,
    scores,
    servers,
)
from service.commands import rules as rule_commands
from service.commands import sites as site_commands
from service.commands import webhooks as webhook_commands
from service.commands.console import opened, out
from service.errors import MisconfiguredError, ServiceError
from service.moderation import keys, people, sites
from service.process import utc_now
from service.storage.tables import Role, Scope

app = typer.Typer(
    help="Postbag: comment moderation and insight for publishers, on your own machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
key_app = typer.Typer(help="Keys: how a site's backend proves who it is.", no_args_is_help=True)
person_app = typer.Typer(help="People: moderators, editors, admins.", no_args_is_help=True)
for commands in (
    installation,
    servers,
    demonstration,
    database,
    articles,
    scores,
    examples,
    doctor,
):
    app.add_typer(commands.app)
app.add_typer(site_commands.app, name="site")
app.add_typer(rule_commands.app, name="rules")
app.add_typer(webhook_commands.app, name="webhooks")
app.add_typer(key_app, name="key")
app.add_typer(person_app, name="person")

KEY_SCOPES = [Scope.INGEST, Scope.MODERATE, Scope.PUBLISH]


@key_app.command("add")
def add_key(
    site: str,
    *,
    name: str = "backend",
    scope: Annotated[list[Scope], typer.Option(help="May be repeated.")] = KEY_SCOPES,
) -> None:
    """A new key; it is shown once."""
    with opened() as database:
        secret = database.write(
            lambda s: keys.create(
                s, sites.get(s, site), name=name, scopes=frozenset(scope), now=utc_now()
            )
        )
    print(secret)


@key_app.command("list")
def list_keys(site: str) -> None:
    """A site's keys, by their first letters."""
    with opened() as database:
        for key in database.read(lambda s: keys.list_of(s, sites.get(s, site))):
            ended = "  revoked" if key.revoked_at else ""
            out.print(f"{key.prefix}…  {key.name}  {','.join(key.scopes)}{ended}", highlight=False)


@key_app.command("revoke")
def revoke_key(site: str, prefix: str) -> None:
    """End a key at once."""
    with opened() as database:
        database.write(lambda s: keys.revoke(s, sites.get(s, site), prefix, now=utc_now()))
    out.print("Revoked.")


Password = Annotated[
    str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for.")
]


@person_app.command("add")
def add_person(
    email: str,
    *,
    name: Annotated[str, typer.Option()],
    site: Annotated[str, typer.Option()],
    role: Annotated[Role, typer.Option()],
    password: Password,
) -> None:
    """A person who can sign in."""
    with opened() as database:

        def add(session: Session) -> None:
            person = people.create(session, email, name=name, password=password, now=utc_now())
            people.grant(session, person, sites.get(session, site), role)

        database.write(add)
    out.print(f"{email} can sign in as {role.value} of {site}.", highlight=False)


@person_app.command("grant")
def grant_role(email: str, site: str, role: Role) -> None:
    """Another role, or another site."""
    with opened() as database:
        database.write(lambda s: people.grant(s, people.get(s, email), sites.get(s, site), role))
    out.print(f"{email} is {role.value} of {site}.", highlight=False)


@person_app.command("password")
def change_password(email: str, *, password: Password) -> None:
    """A new password; every sign-in of the person ends."""
    with opened() as database:
        database.write(lambda s: people.set_password(s, people.get(s, email), password))
    out.print("Changed.")


def main() -> None:
    """Run a command; what an operator can mend is said in a sentence."""
    try:
        app()
    except (MisconfiguredError, ServiceError) as error:
        print(f"postbag: {error}", file=sys.stderr)
        for wrong in getattr(error, "errors", ()):
            print(f"  {wrong.pointer}: {wrong.detail}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
