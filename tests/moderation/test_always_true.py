"""What holds after every step of a random walk through everything that people, sites and models do."""

import random
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from service import worker
from service.moderation import comments
from service.process import Process
from service.storage.db import Database
from service.storage.tables import Comment, Decision, Event, EventKind, Pick, State
from tests.conftest import ARTICLE_TEXT, post_comment, put_article

pytestmark = pytest.mark.usefixtures("article")

STEPS = 120
BODIES = (
    "I shop there every week because the bus stops at the door.",
    "“Fine by me.”",
    "Win at the casino today",
    "Lovely weather, is it not",
    "Cafe\u0301 life, because of the bus.",
)
PICKS, BLOCK = "/api/v1/articles/a-1/picks", "/api/v1/articles/a-1/block"


class Walk:
    """A site that does this and that, seeded so that a failure comes again."""

    def __init__(self, client: TestClient, process: Process, seed: int) -> None:
        self.client, self.process = client, process
        self.chance = random.Random(seed)
        self.posted: list[str] = []
        self.done: list[str] = []

    def step(self) -> None:
        # How often each comes: most of what is posted lives to be picked.
        often = (self.post, self.pick, self.publish, self.decide)
        seldom = (self.edit, self.withdraw, self.drop, self.take_down, self.change_article)
        act = self.chance.choice((*often * 4, *seldom))
        reply = act()
        self.done.append(f"{act.__name__}: {reply.status_code}")
        assert reply.status_code < 500, self.done

    def any_comment(self) -> dict[str, Any]:
        comment_id = self.chance.choice(self.posted or [self.post().json()["id"]])
        got: dict[str, Any] = self.client.get(f"/api/v1/comments/{comment_id}").json()
        return got

    def post(self) -> Any:
        self.posted.append(f"c-{len(self.posted)}")
        return post_comment(self.client, self.posted[-1], self.chance.choice(BODIES))

    def edit(self) -> Any:
        words = {"article_id": "a-1", "author": {"name": "Ada"}, "body": self.chance.choice(BODIES)}
        comment_id = self.any_comment()["id"]
        return self.client.put(f"/api/v1/comments/{comment_id}?wait=5", json=words)

    def decide(self) -> Any:
        found = self.any_comment()
        action = self.chance.choice(["approve", "hold", "reject"])
        reason = {} if action == "approve" else {"reason": "other"}
        ruling = {"action": action, "revision": found["revision"], "seen": found["state"], **reason}
        return self.client.post(f"/api/v1/comments/{found['id']}/decisions", json=ruling)

    def withdraw(self) -> Any:
        return self.client.delete(f"/api/v1/comments/{self.any_comment()['id']}")

    def pick(self) -> Any:
        found = self.any_comment()
        chosen = {"comment_id": found["id"], "revision": found["revision"]}
        return self.client.post(PICKS, json=chosen)

    def drop(self) -> Any:
        listed = self.client.get(PICKS)
        draft = listed.json()["items"]
        if not draft:
            return listed
        return self.client.delete(f"{PICKS}/{self.chance.choice(draft)['id']}")

    def publish(self) -> Any:
        version = self.client.get(BLOCK).json()["draft"]["version"]
        return self.client.post(f"{BLOCK}/publish", json={"version": version})

    def take_down(self) -> Any:
        return self.client.post(f"{BLOCK}/withdraw")

    def change_article(self) -> Any:
        put_article(self.client, "a-1", body=f"{ARTICLE_TEXT} {self.chance.random()}")
        while worker.work_once(self.process):
            pass
        return self.client.get("/api/v1/articles/a-1")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_quotes_stay_true_and_the_record_whole(
    client: TestClient, process: Process, database: Database, seed: int
) -> None:
    walk = Walk(client, process, seed)
    most_on_the_page = 0
    for _ in range(STEPS):
        walk.step()
        most_on_the_page = max(most_on_the_page, quotes_are_true(database, walk.done))
        the_record_is_whole(database, walk.done)
    assert most_on_the_page > 1, "the walk came by what it is to look at"


def quotes_are_true(database: Database, done: list[str]) -> int:
    """Each published quote is words of the revision it names, which is the present one and approved."""
    with database.reading() as session:
        standing = session.scalars(select(Pick).where(Pick.published_position.is_not(None))).all()
        for pick in standing:
            comment = session.get_one(Comment, pick.comment_id)
            body = comments.get_revision(session, comment, number=pick.revision).body
            assert (comment.state, comment.revision) == (State.APPROVED, pick.revision), done
            assert pick.quote in " ".join(body.split()), done
        return len(standing)


def the_record_is_whole(database: Database, done: list[str]) -> None:
    """Each comment came by its decisions to where it stands, and the feed tells the same."""
    with database.reading() as session:
        for comment in session.scalars(select(Comment)):
            record = session.scalars(
                select(Decision).where(Decision.comment_id == comment.id).order_by(Decision.id)
            ).all()
            states = [State.RECEIVED, *(line.now for line in record)]
            assert [line.was for line in record] == states[:-1], done
            assert comment.state is states[-1], done
            told = session.scalars(
                select(Event)
                .where(Event.comment_id == comment.id, Event.kind == EventKind.COMMENT)
                .order_by(Event.id)
            ).all()
            assert [event.body["to"] for event in told] == [line.now for line in record], done
