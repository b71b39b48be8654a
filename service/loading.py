"""Loading: a published article with its block, from a text file into a site."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from service.errors import Invalid
from service.moderation import articles, comments
from service.moderation.articles import LONGEST_ARTICLE, LONGEST_TITLE, NewArticle
from service.moderation.comments import LONGEST_COMMENT, LONGEST_NAME, NewAuthor, NewComment
from service.storage.tables import Site
from service.text import UNFIT

HEADING = "Perspectives & Insights"
# Outer marks are typography: the block draws them again.
OPENING, CLOSING = "“„«\"'‘", "”“»\"'’"


@dataclass(frozen=True, kw_only=True)
class Published:
    """An article as a page showed it: title, paragraphs, and names with their words."""

    title: str
    paragraphs: tuple[str, ...]
    quotes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a file brought."""

    article_id: str
    new_comments: int
    known_comments: int


def parse_published(text: str) -> Published:
    """Read title, paragraphs, the heading, then a name and its words in turn; raises Invalid naming the line."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    lines = [(number, line) for number, line in lines if line]
    at = next((i for i, (_, line) in enumerate(lines) if line == HEADING), len(lines))
    article, block = [line for _, line in lines[:at]], lines[at + 1 :]
    if len(article) < 2:
        raise Invalid("line 1: a title and at least one paragraph are needed")
    _must_fit(lines[:1], LONGEST_TITLE)
    _must_fit(lines[1:at], LONGEST_ARTICLE)
    _must_fit(block[::2], LONGEST_NAME)
    _must_fit(block[1::2], LONGEST_COMMENT)
    if len(block) % 2:
        raise Invalid(f"line {block[-1][0]}: this name has no words under it")
    pairs = zip(block[::2], block[1::2], strict=True)
    quotes = tuple((name, _without_marks(words)) for (_, name), (_, words) in pairs)
    return Published(title=article[0], paragraphs=tuple(article[1:]), quotes=quotes)


def load(
    session: Session,
    site: Site,
    published: Published,
    *,
    url: str | None,
    owner: str,
    now: datetime,
) -> Loaded:
    """Register the article and receive the comments; ids come from the words, so twice changes nothing."""
    article_id = f"a-{_digest(published.title)}"
    text = "\n\n".join(published.paragraphs)
    new = NewArticle(
        id=article_id,
        url=url or f"https://{site.slug}.invalid/{article_id}",
        title=published.title,
        body=text,
        text=text,
    )
    articles.put(session, site.id, new, now=now)
    created = [
        comments.submit(
            session,
            site.id,
            NewComment(
                id=f"c-{_digest(published.title, name, words)}",
                article_id=article_id,
                author=NewAuthor(name=name),
                body=words,
            ),
            owner=owner,
            now=now,
        ).created
        for name, words in published.quotes
    ]
    return Loaded(
        article_id=article_id,
        new_comments=sum(created),
        known_comments=len(created) - sum(created),
    )


def _must_fit(lines: list[tuple[int, str]], limit: int) -> None:
    for number, line in lines:
        if UNFIT.search(line):
            raise Invalid(f"line {number}: a NUL stands in it")
        if len(line) > limit:
            raise Invalid(f"line {number}: it may have {limit} characters")


def _without_marks(words: str) -> str:
    if len(words) > 2 and words[0] in OPENING and words[-1] in CLOSING:
        return words[1:-1].strip()
    return words


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
