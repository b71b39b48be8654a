"""`postbag person`: who works here, in which roles, and how they get in."""

from typing import Annotated

import typer
from sqlalchemy.orm import Session

from service.commands.console import opened, out
from service.moderation import identities, people, sign_ins, sites
from service.moderation.people import Roles
from service.process import utc_now
from service.storage.tables import Role

app = typer.Typer(help="People: moderators, editors, admins.", no_args_is_help=True)

Password = Annotated[
    str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for.")
]
Sections = Annotated[
    list[str] | None,
    typer.Option(
        "--section", help="Limits the role to articles of it; may be repeated. Left out: the site."
    ),
]


@app.command("add")
def add(
    email: str,
    *,
    name: Annotated[str, typer.Option()],
    site: Annotated[str, typer.Option()],
    role: Annotated[Role, typer.Option()],
    section: Sections = None,
    password: Password,
) -> None:
    """A person who can sign in."""

    with opened() as database:
        database.write(
            lambda s: _make(
                s, email, name=name, site=site, role=role, section=section, password=password
            )
        )
    out.print(f"{email} can sign in as {role.value} of {site}.", highlight=False)


@app.command("invite")
def invite(
    email: str,
    *,
    name: Annotated[str | None, typer.Option(help="For a person who is not there yet.")] = None,
    site: Annotated[str | None, typer.Option()] = None,
    role: Annotated[Role | None, typer.Option()] = None,
    section: Sections = None,
) -> None:
    """Let whoever has this address at the OpenID provider sign in through it, from then on.

    A person who is not there yet is made, without a password: then name, site and role are needed.
    """

    def let(session: Session) -> None:
        if people.find(session, email) is None:
            if name is None or site is None or role is None:
                raise typer.BadParameter("a new person needs --name, --site and --role")
            _make(session, email, name=name, site=site, role=role, section=section, password=None)
        identities.invite(session, people.get(session, email), now=utc_now())

    with opened() as database:
        database.write(let)
    out.print(f"{email} may sign in through the provider.", highlight=False)


@app.command("list")
def list_all(site: str) -> None:
    """A site's people, with their roles and sections."""
    with opened() as database:
        for each in database.read(lambda s: people.list_colleagues(s, sites.get(s, site).id)):
            parts = [each.email, each.name, _told(each.roles)]
            parts += ["deactivated"] if each.disabled else []
            out.print("  ".join(parts), highlight=False)


@app.command("grant")
def grant(email: str, site: str, role: Role, *, section: Sections = None) -> None:
    """Another role or site; the same role again changes its sections."""
    with opened() as database:
        database.write(
            lambda s: people.grant(
                s, people.get(s, email), sites.get(s, site), role, sections=section or None
            )
        )
    out.print(f"{email} is {role.value} of {site}.", highlight=False)


@app.command("revoke")
def revoke(email: str, site: str, role: Role) -> None:
    """Take a role away, at once."""
    with opened() as database:
        database.write(lambda s: people.revoke(s, people.get(s, email), sites.get(s, site), role))
    out.print(f"{email} is no {role.value} of {site} any more.", highlight=False)


@app.command("password")
def change_password(email: str, *, password: Password) -> None:
    """A new password; every sign-in of the person ends."""
    with opened() as database:
        database.write(lambda s: people.set_password(s, people.get(s, email), password))
    out.print("Changed.")


@app.command("sign-out")
def sign_out(email: str) -> None:
    """End every sign-in of a person."""
    with opened() as database:
        database.write(lambda s: sign_ins.end_all(s, people.get(s, email).id))
    out.print("Signed out everywhere.")


@app.command("deactivate")
def deactivate(email: str) -> None:
    """Keep a person out from now on; sign-ins end and what they had claimed is free."""
    with opened() as database:
        database.write(lambda s: people.deactivate(s, people.get(s, email), now=utc_now()))
    out.print(f"{email} is deactivated.", highlight=False)


@app.command("activate")
def activate(email: str) -> None:
    """Let a deactivated person in again."""
    with opened() as database:
        database.write(lambda s: people.activate(people.get(s, email)))
    out.print(f"{email} can sign in again.", highlight=False)


def _make(
    session: Session,
    email: str,
    *,
    name: str,
    site: str,
    role: Role,
    section: list[str] | None,
    password: str | None,
) -> None:
    person = people.create(session, email, name=name, password=password, now=utc_now())
    people.grant(session, person, sites.get(session, site), role, sections=section or None)


def _told(roles: Roles) -> str:
    return ", ".join(
        role.value + (f" ({', '.join(sorted(sections))})" if sections else "")
        for role, sections in roles.items()
    )
