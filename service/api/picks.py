"""Picks: candidates of an article, and the quotes chosen from them."""

from pydantic import BaseModel
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.schemas import (
    CandidatesQuery,
    CommentReply,
    PickBody,
    PlaceBody,
    SpanReply,
    comment_reply,
)
from service.moderation import articles, comments, picks
from service.moderation.scores import Span
from service.storage.tables import Pick


class CandidateReply(BaseModel):
    """An approved comment in the order in which an editor should look."""

    comment: CommentReply
    chips: list[str]
    is_echo: bool
    quote: SpanReply
    quote_text: str
    pick_id: str | None


class CandidatesReply(BaseModel):
    """Candidates, best first."""

    items: list[CandidateReply]


class PickReply(BaseModel):
    """A quote in the draft."""

    id: str
    comment_id: str
    revision: int
    quote: str
    spans: list[SpanReply]
    author_name: str
    position: int
    published: bool
    note: str | None


class WithdrawnReply(BaseModel):
    """A pick that left the draft with its comment: `because` it was edited, withdrawn, erased, or for a reason."""

    id: str
    comment_id: str
    because: str


class PicksReply(BaseModel):
    """The draft, in order; `version` is what publishing asks for. `withdrawn` is what left it by itself."""

    version: int
    items: list[PickReply]
    withdrawn: list[WithdrawnReply]


@answers({200: CandidatesReply}, refuses=(404,))
def list_candidates(session: Session, call: Call[Nothing, CandidatesQuery]) -> Reply:
    """Approved comments of an article, ranked; echoes come last and are marked."""
    found = picks.list_candidates(
        session,
        call.site_id,
        call.query.article_id,
        actor=call.actor,
        limit=call.query.limit,
    )
    items = [
        CandidateReply(
            comment=comment_reply(each.view),
            chips=list(each.chips),
            is_echo=each.is_echo,
            quote=SpanReply(start=each.quote.start, end=each.quote.end),
            quote_text=each.view.body[each.quote.start : each.quote.end],
            pick_id=each.pick_id,
        )
        for each in found
    ]
    return Reply(body=CandidatesReply(items=items))


@answers({200: PicksReply}, refuses=(404,))
def list_chosen(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """The draft of an article's block."""
    return Reply(body=draft_reply(session, call.site_id, call.path["article_id"]))


@answers({201: PickReply}, refuses=(404, 409))
def choose(session: Session, call: Call[PickBody, Nothing]) -> Reply:
    """Pick words of an approved comment."""
    asked = call.body
    pick = picks.choose(
        session,
        call.site_id,
        call.path["article_id"],
        comment_id=asked.comment_id,
        revision=asked.revision,
        spans=[Span(start=span.start, end=span.end) for span in asked.spans],
        quote=asked.quote,
        note=asked.note,
        acknowledge_echo=asked.acknowledge_echo,
        actor=call.actor,
        now=call.now,
    )
    return Reply(status=201, body=_pick_reply(pick, comment_id=asked.comment_id))


@answers({200: PicksReply}, refuses=(404, 409))
def place(session: Session, call: Call[PlaceBody, Nothing]) -> Reply:
    """Move a pick in the draft."""
    article_id = call.path["article_id"]
    picks.place(
        session,
        call.site_id,
        article_id,
        call.path["pick_id"],
        position=call.body.position,
        actor=call.actor,
        now=call.now,
    )
    return Reply(body=draft_reply(session, call.site_id, article_id))


@answers({200: PicksReply}, refuses=(404, 409))
def drop(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """Take a pick out of the draft."""
    article_id = call.path["article_id"]
    picks.drop(
        session,
        call.site_id,
        article_id,
        call.path["pick_id"],
        actor=call.actor,
        now=call.now,
    )
    return Reply(body=draft_reply(session, call.site_id, article_id))


def draft_reply(session: Session, site_id: int, article_id: str) -> PicksReply:
    """The draft as the API shows it."""
    article = articles.get(session, site_id, article_id)
    session.refresh(article)
    chosen = picks.list_chosen(session, article)
    withdrawn = picks.list_withdrawn(session, article)
    names = comments.public_ids(session, [pick.comment_id for pick in (*chosen, *withdrawn)])
    return PicksReply(
        version=article.draft_version,
        items=[_pick_reply(pick, comment_id=names[pick.comment_id]) for pick in chosen],
        withdrawn=[
            WithdrawnReply(
                id=pick.public_id,
                comment_id=names[pick.comment_id],
                because=pick.withdrawn_because or "",
            )
            for pick in withdrawn
        ],
    )


def _pick_reply(pick: Pick, *, comment_id: str) -> PickReply:
    return PickReply(
        id=pick.public_id,
        comment_id=comment_id,
        revision=pick.revision,
        quote=pick.quote,
        spans=[SpanReply(start=start, end=end) for start, end in pick.spans],
        author_name=pick.author_name,
        position=pick.position,
        published=pick.published_position is not None,
        note=pick.note,
    )
