"""Picks: ranked candidates of an article, and the quotes an editor chooses from them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from service.errors import Conflict, FieldError, Invalid, NotFound
from service.moderation import articles, comments, feed, reading, withdrawal
from service.moderation.actor import Actor
from service.moderation.reading import View
from service.moderation.scores import Span
from service.storage.tables import (
    Article,
    Comment,
    EventKind,
    Pick,
    PickState,
    Score,
    State,
)
from service.text import cuts

# From this share of repeated words on, a comment is the article's voice, not a reader's.
ECHO = 0.5
# Under this relevance a comment ranks behind every comment that is about the article.
RELEVANT = 0.5
ELLIPSIS = " … "
LONGEST_LIST = 100
MOST_SPANS = 10
# A block is a selection; whoever picks more than this picks by machine.
MOST_PICKS = 100
# The marks that open a quotation, and those that close it; readers mix them. Single ones are apostrophes, too.
CLOSING = {"“": '”"', '"': '"”', "„": "“”", "«": "»", "»": "«"}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An approved comment that an editor may pick, with what speaks for and against it."""

    view: View
    is_echo: bool
    chips: tuple[str, ...]
    quote: Span
    pick_id: str | None


def list_candidates(
    session: Session, site_id: int, article_id: str, *, actor: Actor, limit: int
) -> list[Candidate]:
    """Approved comments, best first: readers' own thoughts about the article, then the rest, then echoes."""
    article = articles.get(session, site_id, article_id, actor=actor)
    echo_last = func.coalesce(Score.echo, 0.0) >= ECHO
    off_last = func.coalesce(Score.relevance, 1.0) < RELEVANT
    views = reading.views(
        session,
        reading.statement(site_id)
        .where(Comment.article_id == article.id, Comment.state == State.APPROVED)
        .order_by(echo_last, off_last, func.coalesce(Score.insight, 0.0).desc(), Comment.id)
        .limit(max(1, min(limit, LONGEST_LIST))),
    )
    chosen = {
        comment_id: public_id
        for comment_id, public_id in session.execute(
            select(Pick.comment_id, Pick.public_id).where(
                Pick.article_id == article.id, Pick.state == PickState.CHOSEN
            )
        )
    }
    return [_candidate(view, chosen.get(view.row_id)) for view in views]


def choose(
    session: Session,
    site_id: int,
    article_id: str,
    *,
    comment_id: str,
    revision: int,
    spans: Sequence[Span],
    quote: str | None,
    note: str | None,
    acknowledge_echo: bool,
    actor: Actor,
    now: datetime,
) -> Pick:
    """Pick words of an approved comment; raises Invalid where they are not the author's at this revision."""
    article = articles.get_locked(session, site_id, article_id, actor=actor)
    comment = comments.get_locked(session, site_id, comment_id)
    if comment.article_id != article.id:
        raise NotFound("there is no such comment under this article")
    _must_stand(comment, revision)
    words = comments.get_revision(session, comment)
    if not spans:
        whole = Span(start=0, end=len(words.body))
        found = whole if quote is None else _find_quote(words.body, quote)
        spans = [_without_quotation_marks(words.body, found)]
    _must_fit(spans, words.body)
    _must_not_surprise(session, comment, acknowledged=acknowledge_echo)
    _must_have_room(list_chosen(session, article), comment)
    last = session.scalar(select(func.max(Pick.position)).where(Pick.article_id == article.id)) or 0
    pick = Pick(
        site_id=site_id,
        public_id="p_" + secrets.token_urlsafe(9),
        article_id=article.id,
        comment_id=comment.id,
        revision=revision,
        spans=[[span.start, span.end] for span in spans],
        quote=quoted(words.body, spans),
        author_name=words.author_name,
        note=note,
        echo_acknowledged=acknowledge_echo,
        state=PickState.CHOSEN,
        position=last + 1,
        published_position=None,
        withdrawn_because=None,
        person_id=actor.person_id,
        key_id=actor.key_id,
        created_at=now,
    )
    session.add(pick)
    session.flush()  # the event needs the pick's id
    _changed(session, pick, now=now)
    return pick


def list_chosen(session: Session, article: Article) -> list[Pick]:
    """The draft, in order."""
    return list(
        session.scalars(
            select(Pick)
            .where(Pick.article_id == article.id, Pick.state == PickState.CHOSEN)
            .order_by(Pick.position, Pick.id)
        )
    )


def list_withdrawn(session: Session, article: Article) -> list[Pick]:
    """What left the draft because its comment did, the newest first, until it is picked again or dropped."""
    again = aliased(Pick)
    newer = select(again.id).where(again.comment_id == Pick.comment_id, again.id > Pick.id)
    return list(
        session.scalars(
            select(Pick)
            .where(
                Pick.article_id == article.id, Pick.state == PickState.WITHDRAWN, ~newer.exists()
            )
            .order_by(Pick.id.desc())
            .limit(MOST_PICKS)
        )
    )


def drop(
    session: Session, site_id: int, article_id: str, pick_id: str, *, actor: Actor, now: datetime
) -> None:
    """Take a pick out of the draft; the page keeps it until the block is published again.

    One that was withdrawn is listed no longer.
    """
    article = articles.get_locked(session, site_id, article_id, actor=actor)
    draft = [*list_chosen(session, article), *list_withdrawn(session, article)]
    pick = _of_draft(draft, pick_id)
    pick.state = PickState.DROPPED
    _changed(session, pick, now=now)


def place(
    session: Session,
    site_id: int,
    article_id: str,
    pick_id: str,
    *,
    position: int,
    actor: Actor,
    now: datetime,
) -> None:
    """Move a pick to a place in the draft, counted from 1; the others make room."""
    draft = list_chosen(session, articles.get_locked(session, site_id, article_id, actor=actor))
    pick = _of_draft(draft, pick_id)
    draft.remove(pick)
    draft.insert(max(0, min(position - 1, len(draft))), pick)
    for number, each in enumerate(draft, start=1):
        each.position = number
    _changed(session, pick, now=now)


def quoted(body: str, spans: Sequence[Span]) -> str:
    """The words of the spans, white space folded, an ellipsis between them; nothing else."""
    return ELLIPSIS.join(" ".join(body[span.start : span.end].split()) for span in spans)


def _of_draft(draft: Sequence[Pick], pick_id: str) -> Pick:
    for pick in draft:
        if pick.public_id == pick_id:
            return pick
    raise NotFound("there is no such pick in this article's draft")


def _changed(session: Session, pick: Pick, *, now: datetime) -> None:
    feed.append(
        session,
        pick.site_id,
        EventKind.PICK,
        article_id=pick.article_id,
        comment_id=pick.comment_id,
        pick_id=pick.id,
        body={"state": pick.state.value},
        now=now,
    )
    withdrawal.move_versions(session, pick.site_id, pick.article_id, public=False, now=now)


def _candidate(view: View, pick_id: str | None) -> Candidate:
    answer = view.answer
    values = answer.scores if answer else {}
    is_echo = values.get("echo", 0.0) >= ECHO
    chips = [
        chip
        for chip, label in (
            ("first-hand experience", "experience"),
            ("gives reasons", "reasons"),
            ("new point", "novelty"),
        )
        if values.get(label, 0.0) >= 0.5 and not is_echo
    ]
    if is_echo:
        chips.append("the article's own words")
    suggested = answer.quote if answer else None
    return Candidate(
        view=view,
        is_echo=is_echo,
        chips=tuple(chips),
        quote=_without_quotation_marks(view.body, suggested or Span(start=0, end=len(view.body))),
        pick_id=pick_id,
    )


def _without_quotation_marks(body: str, span: Span) -> Span:
    """The stretch, less white space and a pair of marks around it: the block draws its own."""
    words = body[span.start : span.end]
    start = span.start + len(words) - len(words.lstrip())
    end = span.start + len(words.rstrip())
    inside = body[start + 1 : end - 1].strip()
    paired = body[start:end][-1:] in CLOSING.get(body[start : start + 1], ())
    # A mark between the two would mean that they are not a pair: “Yes,” she said, “and no.”
    if paired and inside and not set(inside) & {body[start], body[end - 1]}:
        return _without_quotation_marks(body, Span(start=start + 1, end=end - 1))
    return Span(start=start, end=end)


def _find_quote(body: str, quote: str) -> Span:
    """Where the quote stands in the comment; white space may fold, no word may change."""
    words = quote.split()
    positions: list[int] = []
    folded: list[str] = []
    blank = True
    for index, letter in enumerate(body):
        if letter.isspace():
            if not blank:
                folded.append(" ")
                positions.append(index)
            blank = True
        else:
            folded.append(letter)
            positions.append(index)
            blank = False
    at = "".join(folded).find(" ".join(words)) if words else -1
    if at < 0:
        wrong = FieldError(
            pointer="/quote",
            code="not_in_revision",
            detail="These words do not stand in the comment at this revision.",
        )
        raise Invalid(errors=(wrong,))
    return Span(start=positions[at], end=positions[at + len(" ".join(words)) - 1] + 1)


def _must_stand(comment: Comment, revision: int) -> None:
    """What was seen is what is there, and it is approved."""
    if comment.revision != revision:
        raise Conflict("this comment has changed since you opened it", code="stale")
    if comment.state is not State.APPROVED:
        raise Conflict(
            f"only an approved comment can be picked; this one is {comment.state}",
            code="not_approved",
        )


def _must_have_room(draft: Sequence[Pick], comment: Comment) -> None:
    if any(pick.comment_id == comment.id for pick in draft):
        raise Conflict("this comment is among the picks already", code="already_picked")
    if len(draft) >= MOST_PICKS:
        raise Conflict(f"a draft holds {MOST_PICKS} picks; take one out first")


def _must_fit(spans: Sequence[Span], body: str) -> None:
    """Spans stand inside the text, in order, apart from each other, split no character, and hold words."""
    behind = 0
    may_be_cut = cuts(body)
    for index, span in enumerate(spans):
        fits = behind <= span.start < span.end <= len(body) and body[span.start : span.end].strip()
        if not fits or len(spans) > MOST_SPANS:
            wrong = FieldError(
                pointer=f"/spans/{index}",
                code="not_in_revision",
                detail="This span is not a stretch of the comment's words, in order.",
            )
            raise Invalid(errors=(wrong,))
        if not {span.start, span.end} <= may_be_cut:
            wrong = FieldError(
                pointer=f"/spans/{index}",
                code="splits_a_character",
                detail="This span begins or ends inside what readers see as one character.",
            )
            raise Invalid(errors=(wrong,))
        behind = span.end


def _must_not_surprise(session: Session, comment: Comment, *, acknowledged: bool) -> None:
    echo = session.scalar(select(Score.echo).where(Score.id == comment.score_id)) or 0.0
    if echo >= ECHO and not acknowledged:
        raise Conflict(
            "These are the article's own words; say `acknowledge_echo` to pick them knowingly.",
            code="echo",
        )
