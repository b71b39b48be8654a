"""Score: what the models say of a text; nothing is stored."""

from concurrent.futures import Future

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from service.api import asking, endpoint
from service.api.endpoint import Call, Nothing, answers
from service.api.schemas import PassageReply, ScoreBody, SpanReply, rounded
from service.moderation import articles
from service.moderation.scores import Answer, ArticleText, Question
from service.process import Process, State
from service.storage.tables import Scope


class ScoreReply(BaseModel):
    """The same keys as a comment's scores."""

    model: str
    scores: dict[str, float]
    relevance_label: str | None
    language: str
    passage: PassageReply | None
    quote: SpanReply | None


@answers({200: ScoreReply}, refuses=(404, 503))
async def score(request: Request[State]) -> Response:
    """Score a text, against a registered article or one sent along."""
    process = request.state["process"]
    raw = await request.body()

    def ask() -> tuple[Question, Future[Answer]]:
        call = endpoint.check(
            process, request, raw, permission=Scope.INGEST, body=ScoreBody, query=Nothing
        )
        process.make_room(call.caller.key_id)
        question = _question(process, call)
        answering = process.scorer.ask(question)
        process.shares.hold(call.caller.key_id, 1, until=answering)
        return question, answering

    return await asking.answer(request, ask, _reply)


endpoint.marked(score, score, permission=Scope.INGEST, body=ScoreBody, query=Nothing)


def _question(process: Process, call: Call[ScoreBody, Nothing]) -> Question:
    asked = call.body
    article = None
    if asked.article_id is not None:
        article_id = asked.article_id
        article = process.database.read(
            lambda s: articles.as_models_read(
                articles.get_revision(s, articles.get(s, call.site_id, article_id))
            )
        )
    elif asked.article is not None:
        sent = asked.article
        article = ArticleText(
            revision_id=None, title=sent.title, description=sent.description, text=sent.text
        )
    return Question(
        text=asked.text,
        article=article,
        parent=asked.parent,
        author_name=asked.author_name,
        author_url=asked.author_url,
        author_email_domain=asked.author_email_domain,
        language=asked.language,
    )


def _reply(asked: Question, answer: Answer) -> ScoreReply:
    text = asked.article.text if asked.article else ""
    span, quote = answer.passage, answer.quote
    return ScoreReply(
        model=answer.model,
        scores=rounded(answer.scores),
        relevance_label=answer.relevance_label,
        language=answer.language,
        passage=PassageReply(start=span.start, end=span.end, text=text[span.start : span.end])
        if span
        else None,
        quote=SpanReply(start=quote.start, end=quote.end) if quote else None,
    )
