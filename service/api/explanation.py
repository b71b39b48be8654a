"""Explanation: the sentence and the words that carried each reason; reckoned when asked for."""

from collections.abc import Sequence
from concurrent.futures import Future

from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from service.api import asking, endpoint
from service.api.endpoint import Nothing, answers
from service.errors import Conflict
from service.moderation import judging, reading
from service.moderation.judging import Task
from service.moderation.policy import JUDGED_BY, Reason
from service.moderation.scores import Explanation, Span
from service.process import State
from service.storage.tables import Scope

# Off topic rests on the whole comment: no sentence carries it.
CARRIED = set(JUDGED_BY) - {Reason.OFF_TOPIC}
# The comment's id, its revision as a task, and the reasons to explain.
Asked = tuple[str, Task, list[Reason]]


class PlaceReply(BaseModel):
    """A stretch of the comment, in code points and in UTF-16 code units; ends are exclusive."""

    start: int
    end: int
    utf16_start: int
    utf16_end: int


class WordReply(PlaceReply):
    """A word, and how far it moves the score's logit."""

    weight: float


class ReasonReply(BaseModel):
    """A reason with what carried it."""

    code: Reason
    score: str
    sentence: PlaceReply
    words: list[WordReply]


class ExplanationReply(BaseModel):
    """Why a comment is held: reasons that rest on a sentence. Off topic rests on the whole."""

    id: str
    revision: int
    model: str | None
    reasons: list[ReasonReply]


@answers({200: ExplanationReply}, refuses=(404, 409, 503))
async def explain(request: Request[State]) -> Response:
    """The sentence and the words behind each reason of the present verdict."""
    process = request.state["process"]
    raw = await request.body()

    def ask() -> tuple[Asked, Future[tuple[Explanation, ...]]]:
        call = endpoint.check(
            process, request, raw, permission=Scope.MODERATE, body=Nothing, query=Nothing
        )
        comment_id = call.path["comment_id"]
        task, codes = process.database.read(lambda s: _asked(s, call.site_id, comment_id))
        if not codes:
            nothing: Future[tuple[Explanation, ...]] = Future()
            nothing.set_result(())
            return (comment_id, task, codes), nothing
        labels = [JUDGED_BY[code] for code in codes]
        return (comment_id, task, codes), process.scorer.explain(task.question, labels)

    def reply(asked: Asked, found: tuple[Explanation, ...]) -> ExplanationReply:
        comment_id, task, codes = asked
        return ExplanationReply(
            id=comment_id,
            revision=task.revision,
            model=process.scorer.model,
            reasons=_reasons(task.question.text, codes, found),
        )

    return await asking.answer(request, ask, reply)


endpoint.marked(explain, explain, permission=Scope.MODERATE, body=Nothing, query=Nothing)


def _asked(session: Session, site_id: int, comment_id: str) -> tuple[Task, list[Reason]]:
    view = reading.get(session, site_id, comment_id)
    task = judging.find_task(session, view.row_id)
    if task is None:
        raise Conflict("a withdrawn comment is not explained", code="wrong_state")
    codes = [because.code for because in view.reasons if because.code in CARRIED]
    return task, codes


def _reasons(text: str, codes: Sequence[Reason], found: Sequence[Explanation]) -> list[ReasonReply]:
    by_label = {each.label: each for each in found}
    return [
        ReasonReply(
            code=code,
            score=explained.label,
            sentence=PlaceReply(**_place(text, explained.sentence)),
            words=[
                WordReply(**_place(text, word.span), weight=word.weight) for word in explained.words
            ],
        )
        for code in codes
        if (explained := by_label.get(JUDGED_BY[code]))
    ]


def _place(text: str, span: Span) -> dict[str, int]:
    before = _utf16(text[: span.start])
    return {
        "start": span.start,
        "end": span.end,
        "utf16_start": before,
        "utf16_end": before + _utf16(text[span.start : span.end]),
    }


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
