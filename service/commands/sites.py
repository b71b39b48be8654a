"""Sites: `site add`, `site list`, `site policy`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from service.commands.console import get_site, opened, out, read_json
from service.moderation import sites
from service.process import utc_now

app = typer.Typer(help="Sites: publications, each for itself.", no_args_is_help=True)


@app.command("add")
def add_site(
    slug: str,
    *,
    name: Annotated[str, typer.Option(help="As readers know it.")],
    timezone: str = "UTC",
) -> None:
    """A new site."""
    with opened() as database:
        database.write(lambda s: sites.create(s, slug, name=name, timezone=timezone, now=utc_now()))
    out.print(f"Site {slug} is there.")


@app.command("list")
def list_sites() -> None:
    """Every site."""
    with opened() as database:
        for site in database.read(sites.list_all):
            out.print(f"{site.slug}  {site.name}", highlight=False)


@app.command("policy")
def site_policy(
    slug: str,
    *,
    file: Annotated[
        Path | None, typer.Option("--set", exists=True, help="JSON that becomes the next version.")
    ] = None,
) -> None:
    """Show a site's policy, or set its next version."""
    with opened() as database:
        site = get_site(database, slug)
        if file is not None:
            body = read_json(file)
            database.write(lambda s: sites.set_policy(s, site.id, body, now=utc_now()))
        policy = database.read(lambda s: sites.get_policy(s, site.id))
    out.print(f"version {policy.version}", highlight=False)
    out.print_json(json.dumps(policy.to_body()))
