"""Routes: every call of the API on one page, with the scope a key needs for it."""

from starlette.routing import Route

from service.api import (
    articles,
    authors,
    batch,
    block,
    comments,
    explanation,
    feed,
    flags,
    keys,
    picks,
    policy,
    retention,
    review,
    rules,
    schemas,
    score,
    webhooks,
)
from service.api.comments import receiving_endpoint
from service.api.endpoint import Nothing, json_endpoint
from service.moderation.policy import Terms
from service.moderation.retention import Keep
from service.moderation.rules.book import Book
from service.storage.tables import Scope

INGEST, MODERATE, PUBLISH, ADMIN = Scope.INGEST, Scope.MODERATE, Scope.PUBLISH, Scope.ADMIN
ARTICLE, COMMENT = "/articles/{article_id}", "/comments/{comment_id}"
WEBHOOKS, WEBHOOK = "/site/webhooks", "/site/webhooks/{webhook_id}"
RULES, RETENTION, POLICY, KEYS = "/site/rules", "/site/retention", "/site/policy", "/site/keys"

# fmt: off
ROUTES = [
    Route(ARTICLE, json_endpoint(articles.put, permission=INGEST, body=schemas.ArticleBody, query=Nothing, writes=True), methods=["PUT"]),
    Route(ARTICLE, json_endpoint(articles.get, permission=INGEST, body=Nothing, query=Nothing, writes=False), methods=["GET"]),

    Route("/comments", receiving_endpoint(comments.submit, permission=INGEST, body=schemas.CommentBody), methods=["POST"]),
    Route("/comments:batch", batch.submit, methods=["POST"]),
    Route(COMMENT, json_endpoint(comments.get, permission=INGEST, body=Nothing, query=Nothing, writes=False), methods=["GET"]),
    Route(COMMENT, receiving_endpoint(comments.put, permission=INGEST, body=schemas.CommentEdit), methods=["PUT"]),
    Route(COMMENT, json_endpoint(comments.withdraw, permission=INGEST, body=Nothing, query=Nothing, writes=True), methods=["DELETE"]),

    Route(COMMENT + "/decisions", json_endpoint(review.decide, permission=MODERATE, body=review.DecisionBody, query=Nothing, writes=True), methods=["POST"]),
    Route(COMMENT + "/flags", json_endpoint(flags.report, permission=INGEST, body=flags.FlagBody, query=Nothing, writes=True), methods=["POST"]),
    Route(COMMENT + "/explanation", explanation.explain, methods=["GET"]),
    Route("/queue", json_endpoint(review.next_page, permission=MODERATE, body=Nothing, query=schemas.PageQuery, writes=False), methods=["GET"]),
    Route("/queue/claim", json_endpoint(review.claim, permission=MODERATE, body=schemas.ClaimBody, query=Nothing, writes=True), methods=["POST"]),

    Route("/candidates", json_endpoint(picks.list_candidates, permission=PUBLISH, body=Nothing, query=schemas.CandidatesQuery, writes=False), methods=["GET"]),
    Route(ARTICLE + "/picks", json_endpoint(picks.list_chosen, permission=PUBLISH, body=Nothing, query=Nothing, writes=False), methods=["GET"]),
    Route(ARTICLE + "/picks", json_endpoint(picks.choose, permission=PUBLISH, body=schemas.PickBody, query=Nothing, writes=True), methods=["POST"]),
    Route(ARTICLE + "/picks/{pick_id}", json_endpoint(picks.place, permission=PUBLISH, body=schemas.PlaceBody, query=Nothing, writes=True), methods=["PATCH"]),
    Route(ARTICLE + "/picks/{pick_id}", json_endpoint(picks.drop, permission=PUBLISH, body=Nothing, query=Nothing, writes=True), methods=["DELETE"]),
    Route(ARTICLE + "/block", json_endpoint(block.get, permission=PUBLISH, body=Nothing, query=Nothing, writes=False), methods=["GET"]),
    Route(ARTICLE + "/block/publish", json_endpoint(block.publish, permission=PUBLISH, body=schemas.PublishBody, query=Nothing, writes=True), methods=["POST"]),
    Route(ARTICLE + "/block/withdraw", json_endpoint(block.withdraw, permission=PUBLISH, body=Nothing, query=Nothing, writes=True), methods=["POST"]),

    Route("/feed", json_endpoint(feed.next_page, permission=INGEST, body=Nothing, query=schemas.FeedQuery, writes=False), methods=["GET"]),
    Route("/score", score.score, methods=["POST"]),

    Route("/authors", json_endpoint(authors.export, permission=ADMIN, body=Nothing, query=authors.ExportQuery, writes=False), methods=["GET"]),
    Route("/authors", json_endpoint(authors.erase, permission=ADMIN, body=Nothing, query=authors.AuthorQuery, writes=True), methods=["DELETE"]),
    Route(RETENTION, json_endpoint(retention.get, permission=ADMIN, body=Nothing, query=Nothing, writes=False), methods=["GET"]),
    Route(RETENTION, json_endpoint(retention.put, permission=ADMIN, body=Keep, query=Nothing, writes=True), methods=["PUT"]),
    Route(RETENTION + "/preview", json_endpoint(retention.preview, permission=ADMIN, body=Keep, query=Nothing, writes=False), methods=["POST"]),

    Route(WEBHOOKS, json_endpoint(webhooks.list_all, permission=ADMIN, body=Nothing, query=Nothing, writes=False), methods=["GET"]),
    Route(WEBHOOKS, json_endpoint(webhooks.replace, permission=ADMIN, body=webhooks.WebhooksBody, query=Nothing, writes=True), methods=["PUT"]),
    Route(WEBHOOK, json_endpoint(webhooks.remove, permission=ADMIN, body=Nothing, query=Nothing, writes=True), methods=["DELETE"]),
    Route(WEBHOOK + "/secret", json_endpoint(webhooks.rotate, permission=ADMIN, body=Nothing, query=Nothing, writes=True), methods=["POST"]),
    Route(WEBHOOK + "/resume", json_endpoint(webhooks.resume, permission=ADMIN, body=Nothing, query=Nothing, writes=True), methods=["POST"]),
    Route(WEBHOOK + "/test", json_endpoint(webhooks.send_test, permission=ADMIN, body=Nothing, query=Nothing, writes=True), methods=["POST"]),
    Route(WEBHOOK + "/deliveries", json_endpoint(webhooks.list_deliveries, permission=ADMIN, body=Nothing, query=schemas.PageQuery, writes=False), methods=["GET"]),
    Route(WEBHOOK + "/deliveries/{message_id}/replay", json_endpoint(webhooks.replay, permission=ADMIN, body=Nothing, query=Nothing, writes=True), methods=["POST"]),
    Route(RULES, json_endpoint(rules.get, permission=ADMIN, body=Nothing, query=Nothing, writes=False), methods=["GET"]),
    Route(RULES, json_endpoint(rules.put, permission=ADMIN, body=rules.RulesBody, query=Nothing, writes=True), methods=["PUT"]),
    Route(RULES + "/preview", json_endpoint(rules.try_out, permission=ADMIN, body=Book, query=Nothing, writes=False), methods=["POST"]),
    Route(RULES + "/rollback", json_endpoint(rules.roll_back, permission=ADMIN, body=rules.SeenBody, query=Nothing, writes=True), methods=["POST"]),
    Route(RULES + "/packs", json_endpoint(rules.list_packs, permission=ADMIN, body=Nothing, query=Nothing, writes=False), methods=["GET"]),
    Route(RULES + "/packs/{pack_id}", json_endpoint(rules.load_pack, permission=ADMIN, body=rules.SeenBody, query=Nothing, writes=True), methods=["POST"]),
    Route(POLICY, json_endpoint(policy.get, permission=ADMIN, body=Nothing, query=Nothing, writes=False), methods=["GET"]),
    Route(POLICY, json_endpoint(policy.put, permission=ADMIN, body=policy.PolicyBody, query=Nothing, writes=True), methods=["PUT"]),
    Route(POLICY + "/versions", json_endpoint(policy.list_versions, permission=ADMIN, body=Nothing, query=schemas.PageQuery, writes=False), methods=["GET"]),
    Route(POLICY + "/preview", json_endpoint(policy.try_out, permission=ADMIN, body=Terms, query=Nothing, writes=False), methods=["POST"]),
    Route(POLICY + "/suggest", json_endpoint(policy.suggest, permission=ADMIN, body=Nothing, query=policy.SuggestQuery, writes=False), methods=["GET"]),
    Route(POLICY + "/rollback", json_endpoint(policy.roll_back, permission=ADMIN, body=policy.RollbackBody, query=Nothing, writes=True), methods=["POST"]),
    Route(KEYS, json_endpoint(keys.list_all, permission=ADMIN, body=Nothing, query=Nothing, writes=False), methods=["GET"]),
    Route(KEYS, json_endpoint(keys.create, permission=ADMIN, body=keys.KeyBody, query=Nothing, writes=True), methods=["POST"]),
    Route(KEYS + "/{key_id}", json_endpoint(keys.revoke, permission=ADMIN, body=Nothing, query=Nothing, writes=True), methods=["DELETE"]),
    Route(KEYS + "/{key_id}/rotate", json_endpoint(keys.rotate, permission=ADMIN, body=keys.RotateBody, query=Nothing, writes=True), methods=["POST"]),
]
# fmt: on
