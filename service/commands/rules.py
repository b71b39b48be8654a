"""Rules: a site's own, shown, set, tried on past comments, switched and taken back."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from service.api.payload import parse_value
from service.commands.console import get_site, opened, out, read_json
from service.errors import NotFound
from service.moderation.rules import packs, preview, versions
from service.moderation.rules.book import Book
from service.moderation.rules.versions import Edition
from service.process import utc_now

app = typer.Typer(help="Rules: a site's own, beside the models.", no_args_is_help=True)
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON, as `show` has it.")]


@app.command("show")
def show(site: str) -> None:
    """The rules in force, as JSON that `set` takes again."""
    with opened() as database:
        site_id = get_site(database, site).id
        edition = database.read(lambda s: versions.get(s, site_id))
    body = {"version": edition.version, **versions.to_body(edition.book)}
    print(json.dumps(body, indent=2, ensure_ascii=False))


@app.command("set")
def set_rules(site: str, file: File) -> None:
    """Make a file's rules the next version; one that names another `version` than is in force is refused."""
    body = read_json(file)
    seen = body.pop("version", None)
    book = parse_value(body, Book)
    _change(
        site,
        lambda s, site_id, edition: versions.put(
            s, site_id, book, seen=edition.version if seen is None else seen, now=utc_now()
        ),
    )


@app.command("try")
def try_out(
    site: str,
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="Else those in force.")
    ] = None,
) -> None:
    """What rules would have done to the site's last thousand comments; nothing is changed."""
    body = None if file is None else read_json(file)
    with opened() as database, database.reading() as session:
        site_id = get_site(database, site).id
        if body is None:
            book = versions.get(session, site_id).book
        else:
            body.pop("version", None)
            book = parse_value(body, Book)
        seen = preview.look(session, site_id, book)
    out.print(
        f"{seen.comments} comments; people decided: {_decided(seen.decided)}", highlight=False
    )
    for tally in seen.tallies:
        rule = tally.rule
        how = f"{rule.action.value}{', in shadow' if rule.shadow else ''}"
        share = tally.count / seen.comments if seen.comments else 0
        line = f"{rule.id}  {how}  {tally.count} ({share:.1%})  {_decided(tally.decided)}"
        out.print(line, highlight=False, markup=False)


@app.command("on")
def switch_on(site: str, rule: str) -> None:
    """Let a rule act."""
    _switch(site, rule, shadow=False)


@app.command("off")
def switch_off(site: str, rule: str) -> None:
    """Put a rule in shadow: verdicts note where it applies, and it does nothing."""
    _switch(site, rule, shadow=True)


@app.command("rollback")
def roll_back(site: str) -> None:
    """The rules before these, as a new version."""
    _change(
        site,
        lambda s, site_id, edition: versions.roll_back(
            s, site_id, seen=edition.version, now=utc_now()
        ),
    )


@app.command("packs")
def list_packs() -> None:
    """The packs of rules that ship."""
    for pack in packs.list_all():
        out.print(f"{pack.id}  {pack.title}: {len(pack.rules)} rules", highlight=False)


@app.command("load")
def load_pack(site: str, pack: str) -> None:
    """Add a pack's rules behind the site's own; those that are there stay as they are."""
    book = packs.get(pack).to_book()
    _change(
        site,
        lambda s, site_id, edition: versions.add_rules(
            s, site_id, book, seen=edition.version, now=utc_now()
        ),
    )


def _switch(site: str, rule_id: str, *, shadow: bool) -> None:
    def switch(session: Session, site_id: int, edition: Edition) -> Edition:
        known = edition.book.rules
        if rule_id not in {rule.id for rule in known}:
            raise NotFound(f"{site} has no rule {rule_id!r}")
        # Said, not left out, so that it stands in what `show` prints.
        switched = [
            r.model_copy(update={"shadow": shadow}) if r.id == rule_id else r for r in known
        ]
        book = Book.model_construct({"rules"}, rules=switched)
        return versions.put(session, site_id, book, seen=edition.version, now=utc_now())

    _change(site, switch)


def _change(site: str, change: Callable[[Session, int, Edition], Edition]) -> None:
    with opened() as database:
        site_id = get_site(database, site).id
        edition = database.write(lambda s: change(s, site_id, versions.get(s, site_id)))
    out.print(f"version {edition.version}: {len(edition.book.rules)} rules.", highlight=False)


def _decided(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {word}" for word, number in sorted(counts.items())) or "none"
