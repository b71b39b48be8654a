"""An actor: whoever moves a comment, and how much of a site they see. A person, a key, or the machine (neither)."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select, true

from service.storage.tables import Article, Comment, Decision


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A person's id, or a key's, or neither: then the machine acts.

    `sections` are those of a site's articles that the actor may know of; None is all.
    """

    person_id: int | None = None
    key_id: int | None = None
    sections: frozenset[str] | None = None


MACHINE = Actor()


def sees_article(actor: Actor) -> ColumnElement[bool]:
    """Of an article's row: the actor may know of it. An article without a section is seen by none who is limited."""
    if actor.sections is None:
        return true()
    return Article.section.in_(actor.sections)


def sees_comment(actor: Actor) -> ColumnElement[bool]:
    """Of a comment's row: it stands under an article that the actor may know of."""
    if actor.sections is None:
        return true()
    return Comment.article_id.in_(select(Article.id).where(sees_article(actor)))


def is_somebodys() -> ColumnElement[bool]:
    """Of a decision's row: a person or a key made it, not the machine."""
    return or_(Decision.person_id.is_not(None), Decision.key_id.is_not(None))
