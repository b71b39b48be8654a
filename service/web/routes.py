"""The HTML door: every page on one page."""

from pathlib import Path

from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from service.process import CALLBACK
from service.storage.tables import Role
from service.web import account, block, login, oidc, people, picks, review
from service.web.page import STAFF, page

REVIEW = "/desk/{site}/review"
PICKS = "/desk/{site}/picks"
ARTICLE = "/desk/{site}/picks/{article_id}"
PEOPLE = "/desk/{site}/people"
PERSON = PEOPLE + "/{person_id}"

ROUTES: list[BaseRoute] = [
    Route("/", login.home),
    Route("/login", login.login),
    Route("/login", login.sign_in, methods=["POST"]),
    Route("/login/oidc", oidc.start),
    Route(CALLBACK, oidc.come_back),
    Route("/logout", login.sign_out, methods=["POST"]),
    Route("/account", page(account.show, permission=STAFF, writes=False)),
    Route(
        "/account/end",
        page(account.end_session, permission=STAFF, writes=True, back=account.HERE),
        methods=["POST"],
    ),
    Route(
        "/account/end-others",
        page(account.end_others, permission=STAFF, writes=True, back=account.HERE),
        methods=["POST"],
    ),
    Route("/account/password", account.change_password, methods=["POST"]),
    Route(PEOPLE, page(people.show, permission=Role.ADMIN, writes=False)),
    Route(
        PERSON + "/grant",
        page(people.grant, permission=Role.ADMIN, writes=True, back=PEOPLE),
        methods=["POST"],
    ),
    Route(
        PERSON + "/revoke",
        page(people.revoke, permission=Role.ADMIN, writes=True, back=PEOPLE),
        methods=["POST"],
    ),
    Route(
        PERSON + "/sign-out",
        page(people.sign_out, permission=Role.ADMIN, writes=True, back=PEOPLE),
        methods=["POST"],
    ),
    Route(
        PERSON + "/deactivate",
        page(people.deactivate, permission=Role.ADMIN, writes=True, back=PEOPLE),
        methods=["POST"],
    ),
    Route(
        PERSON + "/activate",
        page(people.activate, permission=Role.ADMIN, writes=True, back=PEOPLE),
        methods=["POST"],
    ),
    Route(REVIEW, page(review.show_queue, permission=Role.MODERATOR, writes=True)),
    Route(
        REVIEW + "/{comment_id}/decide",
        page(review.decide, permission=Role.MODERATOR, writes=True, back=REVIEW),
        methods=["POST"],
    ),
    Route(
        REVIEW + "/{comment_id}/undo",
        page(review.undo, permission=Role.MODERATOR, writes=True, back=REVIEW),
        methods=["POST"],
    ),
    Route(PICKS, page(picks.show_articles, permission=Role.EDITOR, writes=False)),
    Route(ARTICLE, page(picks.show_article, permission=Role.EDITOR, writes=False)),
    Route(
        ARTICLE + "/choose",
        page(picks.choose, permission=Role.EDITOR, writes=True, back=ARTICLE),
        methods=["POST"],
    ),
    Route(
        ARTICLE + "/publish",
        page(picks.publish, permission=Role.EDITOR, writes=True, back=ARTICLE),
        methods=["POST"],
    ),
    Route(
        ARTICLE + "/take-down",
        page(picks.take_down, permission=Role.EDITOR, writes=True, back=ARTICLE),
        methods=["POST"],
    ),
    Route(
        ARTICLE + "/{pick_id}/place",
        page(picks.place, permission=Role.EDITOR, writes=True, back=ARTICLE),
        methods=["POST"],
    ),
    Route(
        ARTICLE + "/{pick_id}/drop",
        page(picks.drop, permission=Role.EDITOR, writes=True, back=ARTICLE),
        methods=["POST"],
    ),
    Route("/p/{site}/{article_id}.json", block.as_json),
    Route("/p/{site}/{article_id}.html", block.as_html),
    Mount("/static", StaticFiles(directory=Path(__file__).with_name("static"))),
]
