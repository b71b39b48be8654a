"""Articles: registered by PUT, read with the counts of their comments."""

from pydantic import AwareDatetime, BaseModel
from sqlalchemy.orm import Session

from service.api.endpoint import Call, Nothing, Reply, answers
from service.api.schemas import ArticleBody
from service.moderation import articles
from service.storage.tables import Article, Mode


class ArticleReply(BaseModel):
    """An article as it stands."""

    id: str
    url: str
    title: str
    language: str | None
    section: str | None
    tags: list[str]
    bylines: list[str]
    reach: int | None
    published_at: AwareDatetime | None
    mode: Mode
    revision: int
    comments: dict[str, int]


@answers({200: ArticleReply, 201: ArticleReply})
def put(session: Session, call: Call[ArticleBody, Nothing]) -> Reply:
    """Register or update an article: 201 when it is new."""
    new = call.body.as_new(call.path["article_id"])
    article, created = articles.put(session, call.site_id, new, now=call.now)
    return Reply(status=201 if created else 200, body=_reply(session, article))


@answers({200: ArticleReply}, refuses=(404,))
def get(session: Session, call: Call[Nothing, Nothing]) -> Reply:
    """An article with its comments counted by state."""
    return Reply(body=_reply(session, articles.get(session, call.site_id, call.path["article_id"])))


def _reply(session: Session, article: Article) -> ArticleReply:
    words = articles.get_revision(session, article)
    return ArticleReply(
        id=article.public_id,
        url=article.url,
        title=words.title,
        language=words.language,
        section=article.section,
        tags=article.tags,
        bylines=article.bylines,
        reach=article.reach,
        published_at=article.published_at,
        mode=article.mode,
        revision=article.revision,
        comments=articles.count_by_state(session, article),
    )
