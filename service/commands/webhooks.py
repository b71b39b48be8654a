"""Webhooks: where a site is told of its feed, from the command line."""

import dataclasses
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from service.api.webhooks import ADVICE
from service.commands.console import get_site, opened, out
from service.errors import Invalid, NotFound
from service.moderation import delivery_log, webhooks
from service.moderation.webhooks import View, Wanted
from service.outgoing import trouble_with
from service.process import utc_now
from service.settings import read_settings
from service.storage.tables import EventKind

app = typer.Typer(help="Webhooks: where a site is told of every change.", no_args_is_help=True)


@app.command("list")
def list_webhooks(site: str) -> None:
    """A site's webhooks, and how they fare."""
    with opened() as database:
        site_id = get_site(database, site).id
        for view in database.read(lambda s: webhooks.list_all(s, site_id, now=utc_now())):
            _print(view)


@app.command("add")
def add_webhook(
    site: str,
    url: str,
    *,
    description: str = "",
    kind: Annotated[list[EventKind] | None, typer.Option(help="May be repeated; else all.")] = None,
) -> None:
    """A new webhook; its secret is shown once."""
    settings = read_settings()
    if (trouble := trouble_with(url, networks=settings.webhook_networks)) is not None:
        raise Invalid(ADVICE[trouble])
    new = Wanted(
        id=None,
        url=url,
        description=description,
        kinds=frozenset(kind or EventKind),
        active=True,
    )
    with opened() as database:
        site_id = get_site(database, site).id
        made = database.write(
            lambda s: webhooks.replace(
                s, site_id, [*_present(s, site_id), new], secret=settings.secret, now=utc_now()
            )
        )
    [view] = [view for view in made if view.fresh is not None]
    print(view.webhook.public_id, view.fresh)


@app.command("on")
def switch_on(site: str, webhook: str) -> None:
    """Let a webhook be told again, of everything since it was switched off."""
    _switch(site, webhook, active=True)


@app.command("off")
def switch_off(site: str, webhook: str) -> None:
    """Tell a webhook nothing for now."""
    _switch(site, webhook, active=False)


@app.command("rotate")
def rotate(site: str, webhook: str) -> None:
    """A new secret, shown once; the old one signs along for a day."""
    settings = read_settings()
    with opened() as database:
        site_id = get_site(database, site).id
        view = database.write(
            lambda s: webhooks.rotate(s, site_id, webhook, secret=settings.secret, now=utc_now())
        )
    print(view.fresh)


@app.command("unpark")
def unpark(site: str, webhook: str) -> None:
    """Go on where a parked webhook stopped."""
    with opened() as database:
        site_id = get_site(database, site).id
        _print(database.write(lambda s: webhooks.resume(s, site_id, webhook, now=utc_now())))


@app.command("test")
def send_test(site: str, webhook: str) -> None:
    """Have the worker send a message that tells of nothing."""
    with opened() as database:
        site_id = get_site(database, site).id
        line = database.write(lambda s: delivery_log.send_test(s, site_id, webhook, now=utc_now()))
    out.print(f"{line.delivery.public_id} is due; `deliveries` says how it went.", highlight=False)


@app.command("deliveries")
def list_deliveries(
    site: str,
    webhook: str,
    *,
    limit: Annotated[int, typer.Option(min=1, max=delivery_log.LONGEST_PAGE)] = 20,
) -> None:
    """The last deliveries of a webhook, the newest first."""
    with opened() as database:
        site_id = get_site(database, site).id
        page = database.read(
            lambda s: delivery_log.next_page(s, site_id, webhook, cursor=None, limit=limit)
        )
    for line in page.items:
        row = line.delivery
        how = row.last_error or row.last_status or ""
        out.print(
            f"{row.public_id}  {line.message.type}  {row.state.value}  {row.attempts} tried  {how}",
            highlight=False,
        )


@app.command("replay")
def replay(site: str, webhook: str, message: str) -> None:
    """Send a message again, under its own id."""
    with opened() as database:
        site_id = get_site(database, site).id
        database.write(lambda s: delivery_log.replay(s, site_id, webhook, message, now=utc_now()))
    out.print(f"{message} is due.", highlight=False)


def _switch(site: str, webhook: str, *, active: bool) -> None:
    settings = read_settings()

    def switch(session: Session, site_id: int) -> None:
        present = _present(session, site_id)
        if webhook not in {each.id for each in present}:
            raise NotFound(f"{site} has no webhook {webhook!r}")
        wanted = [
            dataclasses.replace(each, active=active) if each.id == webhook else each
            for each in present
        ]
        webhooks.replace(session, site_id, wanted, secret=settings.secret, now=utc_now())

    with opened() as database:
        site_id = get_site(database, site).id
        database.write(lambda s: switch(s, site_id))
    out.print(f"{webhook} is {'on' if active else 'off'}.", highlight=False)


def _present(session: Session, site_id: int) -> list[Wanted]:
    return [
        Wanted(
            id=view.webhook.public_id,
            url=view.webhook.url,
            description=view.webhook.description,
            kinds=frozenset(map(EventKind, view.webhook.kinds)),
            active=view.webhook.active,
        )
        for view in webhooks.list_all(session, site_id, now=utc_now())
    ]


def _print(view: View) -> None:
    row = view.webhook
    state = "on" if row.active else "off"
    if row.parked_at is not None:
        state = f"parked ({row.parked_because})"
    kinds = ",".join(row.kinds)
    waits = f"{view.waiting} waiting, {row.failures} failures"
    out.print(
        f"{row.public_id}  {state}  {waits}  {kinds}  {row.url}", highlight=False, markup=False
    )
