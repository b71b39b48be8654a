"""The editors' desk: articles, ranked candidates, the draft of the block, and its publication."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from service.moderation import articles, block, picks
from service.moderation.picks import Candidate
from service.web import marks
from service.web.marks import Piece
from service.web.page import Gone, Shown, Visit

MOST_ARTICLES = 100
MOST_CANDIDATES = 50


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A candidate as the page shows it, with the words it suggests."""

    candidate: Candidate
    pieces: list[Piece]
    quote: str


def show_articles(session: Session, visit: Visit) -> Shown:
    """The newest articles, with what waits to be picked."""
    rows = articles.list_recent(session, visit.site_id, actor=visit.actor, limit=MOST_ARTICLES)
    return Shown(template="articles.html", content={"rows": rows})


def show_article(session: Session, visit: Visit) -> Shown:
    """Candidates beside the draft, and whether the page shows what the draft says."""
    article_id = visit.path["article_id"]
    article = articles.get(session, visit.site_id, article_id, actor=visit.actor)
    draft = picks.list_chosen(session, article)
    published = block.of_article(session, article)
    found = picks.list_candidates(
        session, visit.site_id, article_id, actor=visit.actor, limit=MOST_CANDIDATES
    )
    return Shown(
        template="picks.html",
        content={
            "article": article,
            "title": articles.get_revision(session, article).title,
            "choices": [_choice(each) for each in found],
            "draft": draft,
            "withdrawn": picks.list_withdrawn(session, article),
            "published": published,
            "same": [pick.public_id for pick in draft] == [quote.id for quote in published.quotes],
        },
    )


def choose(session: Session, visit: Visit) -> Gone:
    """Pick the words of a comment that the editor marked."""
    picks.choose(
        session,
        visit.site_id,
        visit.path["article_id"],
        comment_id=visit.form.get("comment", ""),
        revision=visit.number("revision"),
        spans=(),
        quote=visit.form.get("quote", "").strip() or None,
        note=None,
        acknowledge_echo=visit.form.get("acknowledge_echo") == "yes",
        actor=visit.actor,
        now=visit.now,
    )
    return _back(visit, "picked")


def place(session: Session, visit: Visit) -> Gone:
    """Move a pick in the draft."""
    picks.place(
        session,
        visit.site_id,
        visit.path["article_id"],
        visit.path["pick_id"],
        position=visit.number("position"),
        actor=visit.actor,
        now=visit.now,
    )
    return _back(visit, "moved")


def drop(session: Session, visit: Visit) -> Gone:
    """Take a pick out of the draft."""
    picks.drop(
        session,
        visit.site_id,
        visit.path["article_id"],
        visit.path["pick_id"],
        actor=visit.actor,
        now=visit.now,
    )
    return _back(visit, "dropped")


def publish(session: Session, visit: Visit) -> Gone:
    """Put the draft that was seen on the page."""
    block.publish(
        session,
        visit.site_id,
        visit.path["article_id"],
        version=visit.number("version"),
        actor=visit.actor,
        now=visit.now,
    )
    return _back(visit, "published")


def take_down(session: Session, visit: Visit) -> Gone:
    """Empty the page; the draft stays."""
    block.withdraw(
        session, visit.site_id, visit.path["article_id"], actor=visit.actor, now=visit.now
    )
    return _back(visit, "taken_down")


def _choice(candidate: Candidate) -> Choice:
    view, quote = candidate.view, candidate.quote
    repeats = [repeat.comment for repeat in view.answer.repeats] if view.answer else []
    return Choice(
        candidate=candidate,
        pieces=marks.cut(view.body, evidence=[], repeats=repeats),
        quote=" ".join(view.body[quote.start : quote.end].split()),
    )


def _back(visit: Visit, said: str) -> Gone:
    return Gone(to=f"/desk/{visit.member.site}/picks/{visit.path['article_id']}", said=said)
