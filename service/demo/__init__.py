"""The demonstration: a site with articles, comments and people, ready to be tried."""

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from service import worker
from service.moderation import articles, comments, judging, keys, people, sites
from service.moderation.articles import NewArticle
from service.moderation.comments import NewAuthor, NewComment
from service.process import Process, utc_now
from service.storage.tables import Role, Scope

CONTENT = Path(__file__).with_name("site.json")
MODERATOR, EDITOR = "moderator@harbourpost.example", "editor@harbourpost.example"
# What a newcomer posts first; the README shows it with its answer. No apostrophe: it is quoted in a shell.
FIRST_COMMENT = {
    "id": "c-17",
    "article_id": "quay-street-closure",
    "author": {"name": "Ada"},
    "body": "The bollards on Quay Street are fine by me. But you, Derek, are a stupid, lying idiot.",
}


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The demonstration's secrets, made at random once and kept beside its database."""

    moderator_password: str
    editor_password: str
    key: str


def prepare(process: Process, *, progress: Callable[[int, int], None]) -> Credentials:
    """Make the site where it is missing and judge its comments; `progress` hears done and total."""
    content = json.loads(CONTENT.read_text(encoding="utf-8"))
    kept = process.settings.data_dir / "credentials.json"
    if not kept.exists():
        credentials = process.database.write(lambda s: _make(s, content, now=utc_now()))
        fresh = kept.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(asdict(credentials)))
        fresh.replace(kept)  # all of them or none, whenever a start is ended
    process.database.write(lambda s: _fill(s, content, owner=process.owner, now=utc_now()))
    _judge(process, progress)
    return Credentials(**json.loads(kept.read_text()))


def _make(session: Session, content: dict[str, Any], *, now: datetime) -> Credentials:
    # A start that ended before the credentials were kept left people whose passwords nobody knows.
    slug, name = content["site"]["slug"], content["site"]["name"]
    site = sites.find(session, slug) or sites.create(session, slug, name=name, now=now)
    # Letters and figures alone: a double click takes the whole of it.
    passwords = [secrets.token_hex(6) for _ in range(2)]
    staff = ((MODERATOR, "Mo Demo", Role.MODERATOR), (EDITOR, "Edi Demo", Role.EDITOR))
    for (email, full_name, role), password in zip(staff, passwords, strict=True):
        person = people.find(session, email)
        if person is None:
            person = people.create(session, email, name=full_name, password=password, now=now)
        else:
            people.set_password(session, person, password)
        people.grant(session, person, site, role)
    scopes = frozenset({Scope.INGEST, Scope.MODERATE, Scope.PUBLISH})
    key = keys.create(session, site, name="demo", scopes=scopes, now=now)
    return Credentials(moderator_password=passwords[0], editor_password=passwords[1], key=key)


def _fill(session: Session, content: dict[str, Any], *, owner: str, now: datetime) -> None:
    site = sites.get(session, content["site"]["slug"])
    for each in content["articles"]:
        if articles.find(session, site.id, each["id"]) is None:
            articles.put(session, site.id, _article(each), now=now)
    for each in content["comments"]:
        if comments.find(session, site.id, each["id"]) is None:
            comments.submit(session, site.id, _comment(each), owner=owner, now=now)
    judging.free(session, owner=owner)


def _judge(process: Process, progress: Callable[[int, int], None]) -> None:
    total = left = process.database.read(judging.count_waiting)
    progress(0, total)
    while left and worker.work_once(process):
        left = process.database.read(judging.count_waiting)
        progress(total - left, total)


def _article(each: dict[str, Any]) -> NewArticle:
    return NewArticle(
        id=each["id"],
        url=each["url"],
        title=each["title"],
        body=each["body"],
        text=each["body"],
        language="en",
        section=each["section"],
        tags=tuple(each["tags"]),
        bylines=tuple(each["bylines"]),
        published_at=datetime.fromisoformat(each["published_at"]),
    )


def _comment(each: dict[str, Any]) -> NewComment:
    author = each["author"]
    return NewComment(
        id=each["id"],
        article_id=each["article_id"],
        parent_id=each.get("parent_id"),
        author=NewAuthor(id=author["id"], name=author["name"], url=author.get("url")),
        body=each["body"],
        posted_at=datetime.fromisoformat(each["posted_at"]),
    )
