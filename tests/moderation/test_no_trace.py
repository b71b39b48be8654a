"""Nothing of an erased author is left: a word of theirs is planted everywhere, and the databases' bytes are searched."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from starlette.testclient import TestClient

from service.app import create_app
from service.moderation import deliveries, keys, sites, webhooks
from service.moderation.webhooks import Wanted
from service.process import Process
from service.storage.db import Database
from service.storage.tables import EventKind, Scope, Table
from tests.conftest import NOW, House, post_comment, put_article

WORD = "quaxlibert"
AUTHOR = {
    "id": f"u-{WORD}",
    "name": f"Ada {WORD}",
    "email": f"{WORD}@{WORD}.example",
    "url": f"https://{WORD}.example",
}
IP = "203.0.113.77"
HASH = re.compile("[0-9a-f]{64}")
REPORTER = sa.text("SELECT reporter FROM erasures WHERE reporter IS NOT NULL")
# What an author's words reach, and must leave.
WORDS = {
    "authors.subject",
    "comments.url",
    "comment_revisions.body",
    "comment_revisions.author_name",
    "comment_revisions.author_url",
    "comment_revisions.author_email_domain",
    "flags.note",
    "notes.body",
    "picks.quote",
    "picks.author_name",
    "picks.note",
}
# What is made of an author or of their words, where no word can be read: its values must leave as well.
MADE_OF_THEM = {
    "arrivals.address",
    "author_emails.email_hash",
    "comment_revisions.fingerprint",
    "comment_revisions.language",
    "scores.answer",
    "verdicts.hits",
    "verdicts.reasons",
    "picks.spans",
    "flags.reporter",
}
# The site's own, its staff's, or ids and codes: nothing of a reader stands there.
NOT_A_READERS = {
    "articles.bylines",
    "articles.public_id",
    "articles.section",
    "articles.tags",
    "articles.url",
    "article_revisions.body",
    "article_revisions.fingerprint",
    "article_revisions.language",
    "article_revisions.passages",
    "article_revisions.passages_model",
    "article_revisions.text",
    "article_revisions.title",
    "comments.awaited_parent",
    "comments.lease_owner",
    "comments.public_id",
    "decisions.reason",
    "erasures.public_id",
    "erasures.reporter",
    "events.body",
    "flags.reason",
    "identities.issuer",
    "identities.subject",
    "keys.name",
    "keys.prefix",
    "keys.public_id",
    "keys.scopes",
    "keys.sha256",
    "legal_orders.reference",
    "memberships.sections",
    "people.email",
    "people.name",
    "people.password",
    "picks.public_id",
    "picks.withdrawn_because",
    "policies.body",
    "retentions.body",
    "rule_books.body",
    "rule_books.sha256",
    "scores.model",
    "sign_in_failures.subject",
    "sign_ins.browser",
    "sign_ins.sha256",
    "sites.name",
    "sites.slug",
    "sites.timezone",
    "verdicts.action",
    "verdicts.model",
    "verdicts.not_judged",
    "webhook_deliveries.last_error",
    "webhook_deliveries.lease_owner",
    "webhook_deliveries.public_id",
    "webhook_deliveries.subject",
    "webhook_secrets.hint",
    "webhook_secrets.salt",
    "webhooks.description",
    "webhooks.kinds",
    "webhooks.parked_because",
    "webhooks.public_id",
    "webhooks.url",
    "worker_beats.owner",
    "worker_beats.version",
}


@pytest.fixture
def admin(process: Process, house: House) -> Iterator[TestClient]:
    site = process.database.read(lambda s: sites.get(s, house.slug))
    key = process.database.write(
        lambda s: keys.create(s, site, name="admin", scopes=frozenset({Scope.ADMIN}), now=NOW)
    )
    with TestClient(create_app(process), headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


def test_every_column_that_holds_text_is_accounted_for() -> None:
    """A new one belongs in one of the three sets, and in `plant` if it can hold a reader's words."""
    columns = {
        f"{table.name}.{column.name}"
        for table in Table.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, sa.String | sa.JSON | sa.LargeBinary)
        and not isinstance(column.type, sa.Enum)
    }
    assert columns == WORDS | MADE_OF_THEM | NOT_A_READERS
    assert len(columns) == len(WORDS) + len(MADE_OF_THEM) + len(NOT_A_READERS)


def test_nothing_is_left_of_an_erased_author(
    admin: TestClient, process: Process, house: House
) -> None:
    database = process.database
    set_up(admin, process, house)
    others = made_of(database)
    plant(admin, process)
    made = {column: values - others[column] for column, values in made_of(database).items()}
    assert all(made.values()), made
    assert columns_with(database, WORD) == WORDS
    # A server elsewhere keeps its files to itself: then the columns alone are searched.
    assert holds(database, WORD) or not files(database)
    while (reply := admin.delete(f"/api/v1/authors?id=u-{WORD}")).status_code == 202:
        pass
    assert reply.status_code == 200
    tidy(database)
    assert columns_with(database, WORD) == set()
    assert not holds(database, WORD)
    left = {column: values - others[column] for column, values in made_of(database).items()}
    reporter = left.pop("flags.reporter")
    assert {column: values for column, values in left.items() if values} == {
        "verdicts.reasons": {'[{"code": "spam", "evidence": []}]'}
    }
    assert not reporter & made["flags.reporter"]
    [recorded] = database.read(lambda s: s.scalars(REPORTER).all())
    hashes = {value for values in made.values() for value in values if HASH.fullmatch(value)}
    assert len(hashes) > 5
    for value in hashes - {recorded}:
        assert not holds(database, value)
    rows = [f"SELECT count(*) FROM {t}" for t in ("authors", "likenesses", "likeness_bands")]
    assert [database.read(lambda s, q=q: s.scalar(sa.text(q))) for q in rows] == [1, 1, 0]  # type: ignore[misc]
    assert admin.get("/api/v1/comments/other-1").json()["state"] == "approved"
    assert admin.get("/p/post/a-1.json").json()["items"] == []


def set_up(admin: TestClient, process: Process, house: House) -> None:
    """A site that keeps and tells all there is, and another reader."""
    wanted = Wanted(
        id=None,
        url="https://receiver.example/",
        description="",
        kinds=frozenset(EventKind),
        active=True,
    )
    secret = process.settings.secret
    process.database.write(
        lambda s: webhooks.replace(s, house.site_id, [wanted], secret=secret, now=NOW)
    )
    rule = {"id": "f", "name": "Fish", "action": "flag", "when": {"words": ["fish market"]}}
    assert admin.put("/api/v1/site/rules", json={"version": 0, "rules": [rule]}).is_success
    put_article(admin, "a-1")
    bob = {"name": "Bob", "id": "u-2"}
    assert post_comment(admin, "other-1", "Fine by me.", author=bob).is_success


def plant(admin: TestClient, process: Process) -> None:
    """Let an author do whatever leaves a mark, and others to them."""
    # Long and not to be compressed: PostgreSQL keeps it in a table of its own.
    noise = random.Random(1).choices("abcdefghijklmnopqrstuvwxyz ", k=20_000)
    body = f"I live here because {WORD}, said {WORD}. " + "".join(noise) + f" {WORD}"
    mine: dict[str, Any] = {"author": AUTHOR, "ip": IP, "user_agent": WORD, "language": "en"}
    url = f"https://post.example/a-1#{WORD}"
    assert post_comment(admin, "c-1", body, url=url, **mine).is_success
    edited = {"article_id": "a-1", "body": body + " And so on.", "url": url, **mine}
    assert admin.put("/api/v1/comments/c-1?wait=5", json=edited).is_success
    short = f"The stop at the fish market is where {WORD} gets on the bus each day of the week."
    batch: list[dict[str, Any]] = [
        {"id": f"c-{n}", "article_id": "a-1", "body": short + "!" * n, **mine} for n in (2, 3, 4, 5)
    ]
    batch[-1]["body"] += " Win at the casino."
    reply = admin.post("/api/v1/comments:batch", json={"comments": batch}).json()
    assert [item["status"] for item in reply["items"]] == [201] * 4
    for comment_id, reporter in (("other-1", f"u-{WORD}"), ("c-2", "u-2")):
        report = {"reporter": reporter, "reason": "other", "note": f"It is {WORD}"}
        assert admin.post(f"/api/v1/comments/{comment_id}/flags", json=report).is_success
    for comment_id, quote in (("c-1", f"said {WORD}"), ("c-2", None), ("c-3", None)):
        revision = 2 if comment_id == "c-1" else 1
        pick = {"comment_id": comment_id, "revision": revision, "quote": quote, "note": WORD}
        assert admin.post("/api/v1/articles/a-1/picks", json=pick).is_success
    draft = admin.get("/api/v1/articles/a-1/picks").json()
    version = {"version": draft["version"]}
    assert admin.post("/api/v1/articles/a-1/block/publish", json=version).is_success
    assert WORD in admin.get("/p/post/a-1.json").text
    dropped = draft["items"][2]["id"]
    assert admin.delete(f"/api/v1/articles/a-1/picks/{dropped}").is_success
    refused = {"action": "reject", "reason": "other", "revision": 1, "note": f"{WORD} again"}
    assert admin.post("/api/v1/comments/c-3/decisions", json=refused).is_success
    assert admin.delete("/api/v1/comments/c-4").is_success
    [webhook_id] = process.database.read(deliveries.list_behind)
    assert process.database.write(lambda s: deliveries.follow(s, webhook_id, now=NOW))


def columns_with(database: Database, word: str) -> set[str]:
    """Every column of every table, of whichever type, in which the word can be read."""
    found = set()
    with database.reading() as session:
        for table in Table.metadata.sorted_tables:
            for column in table.columns:
                as_text = sa.func.lower(sa.cast(column, sa.Text))
                hits = sa.select(sa.func.count()).where(as_text.contains(word))
                if session.scalar(hits):
                    found.add(f"{table.name}.{column.name}")
    return found


def made_of(database: Database) -> dict[str, set[str]]:
    """The values that stand in MADE_OF_THEM, but for empty ones."""
    found = {}
    with database.reading() as session:
        for name in MADE_OF_THEM:
            table, _, column = name.partition(".")
            rows = session.scalars(
                sa.select(sa.cast(Table.metadata.tables[table].c[column], sa.Text))
            )
            found[name] = {row for row in rows if row not in {None, "", "[]", "null"}}
    return found


def tidy(database: Database) -> None:
    """What an operator of PostgreSQL does, once or by schedule; SQLite has nothing to be done."""
    if database.engine.dialect.name == "sqlite":
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM (FULL, ANALYZE)"))


def holds(database: Database, word: str) -> bool:
    """Whether the word stands in the files of the database: SQLite's with its log, PostgreSQL's without."""
    return any(word.encode().lower() in path.read_bytes().lower() for path in files(database))


def files(database: Database) -> list[Path]:
    if database.engine.dialect.name == "sqlite":
        path = Path(make_url(str(database.engine.url)).database or "")
        return [each for each in path.parent.glob(f"{path.name}*") if each.is_file()]
    with database.reading() as session:
        session.execute(sa.text("CHECKPOINT"))  # to the files with what is in memory
        folder = session.scalar(sa.text("SELECT current_setting('data_directory')"))
        number = session.scalar(
            sa.text("SELECT oid FROM pg_database WHERE datname = current_database()")
        )
    return [each for each in (Path(folder) / "base" / str(number)).glob("*") if each.is_file()]
