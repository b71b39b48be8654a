"""Two transactions at once: the second acts on what the first has left, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import Conflict
from service.moderation import articles, block, comments, judging, picks, reading, review
from service.moderation.actor import MACHINE, Actor
from service.moderation.articles import NewArticle
from service.moderation.comments import NewAuthor, NewComment
from service.moderation.judging import Task
from service.moderation.policy import Action, Reason
from service.moderation.rules import clusters, versions
from service.moderation.rules.book import Book
from service.process import Process, utc_now
from service.storage.db import Database
from service.storage.rule_tables import Likeness
from service.storage.tables import Pick, PickState, State
from tests.conftest import ARTICLE_TEXT, NOW, House
from tests.keyword_scorer import answer

GOOD = "I shop there every week because the bus stops at the door."
T = TypeVar("T")
# So long the second may run before the first commits: it has come to its end by then, or to a lock.
HEAD_START_S = 0.5


@pytest.fixture(autouse=True)
def _article(database: Database, house: House) -> None:
    new = NewArticle(
        id="a-1", url="https://p.example/a-1", title="Street", body=ARTICLE_TEXT, text=ARTICLE_TEXT
    )
    database.write(lambda s: articles.put(s, house.site_id, new, now=NOW))


def beside(
    database: Database, first: Callable[[Session], Any], second: Callable[[Session], T]
) -> T:
    """Begin `second` when `first` has done its work and has not committed; what `second` returned."""
    with ThreadPoolExecutor(1) as pool:
        with database.writing() as session:
            first(session)
            running = pool.submit(database.write, second)
            wait([running], timeout=HEAD_START_S)
        return running.result()


def comment(comment_id: str, body: str = GOOD, **fields: Any) -> NewComment:
    return NewComment(
        id=comment_id, article_id="a-1", author=NewAuthor(name="Ada"), body=body, **fields
    )


def submitting(house: House, new: NewComment) -> Callable[[Session], Any]:
    return lambda s: comments.submit(s, house.site_id, new, owner="me", now=utc_now())


def received(process: Process, house: House, body: str = GOOD) -> Task:
    receipt = process.database.write(submitting(house, comment("c-1", body)))
    task = process.database.read(lambda s: judging.find_task(s, receipt.comment_id))
    assert task is not None
    return task


def judging_it(task: Task) -> Callable[[Session], Any]:
    return lambda s: judging.judge(s, task, answer(task.question), now=utc_now())


def deciding(house: House, action: Action, person_id: int = 1) -> Callable[[Session], Any]:
    return lambda s: review.decide(
        s,
        house.site_id,
        "c-1",
        action=action,
        revision=1,
        actor=Actor(person_id=person_id),
        reason=Reason.OTHER,
        note=None,
        now=utc_now(),
    )


def choosing(house: House) -> Callable[[Session], Pick]:
    return lambda s: picks.choose(
        s,
        house.site_id,
        "a-1",
        comment_id="c-1",
        revision=1,
        spans=[],
        quote=None,
        note=None,
        acknowledge_echo=False,
        actor=Actor(person_id=3),
        now=utc_now(),
    )


@pytest.mark.parametrize("judged_first", [0, 1])
def test_two_alike_that_are_judged_at_once_are_of_one_cluster(
    process: Process, house: House, judged_first: int
) -> None:
    """Also where one of their kind was there before."""
    words = "The drops from this company restored my sleep and my mood within two short weeks"
    tasks = []
    for number in range(judged_first + 2):
        new = comment(f"c-{number}", words)
        receipt = process.database.write(submitting(house, new))
        task = process.database.read(lambda s, r=receipt: judging.find_task(s, r.comment_id))  # type: ignore[misc]
        assert task is not None
        tasks.append(task)
    for task in tasks[:judged_first]:
        process.database.write(judging_it(task))
    beside(process.database, *(judging_it(task) for task in tasks[judged_first:]))
    rows = process.database.read(lambda s: s.scalars(select(Likeness)).all())
    assert len(rows) == len(tasks), "no member is lost"
    assert len({row.cluster for row in rows}) == 1
    assert rows[0].cluster is not None
    found = process.database.read(lambda s: clusters.find(s, rows[-1].comment_id))
    assert found is not None
    assert found.count == len(tasks)


def test_eight_alike_that_come_at_once_are_of_one_cluster(process: Process, house: House) -> None:
    words = "After years of struggling with my knees these drops restored them in two short weeks"
    tasks = []
    for number in range(8):
        receipt = process.database.write(submitting(house, comment(f"c-{number}", words)))
        task = process.database.read(lambda s, r=receipt: judging.find_task(s, r.comment_id))  # type: ignore[misc]
        assert task is not None
        tasks.append(task)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda task: process.database.write(judging_it(task)), tasks))
    named = process.database.read(lambda s: s.scalars(select(Likeness.cluster)).all())
    assert len(named) == 8
    assert len(set(named)) == 1
    assert named[0] is not None


def test_two_put_rules_at_once_and_one_is_told_that_they_have_changed(
    database: Database, house: House
) -> None:
    def putting(name: str) -> Callable[[Session], int]:
        rule = {"id": name, "name": name, "action": "hold", "when": {"words": [name]}}
        book = Book.model_validate({"rules": [rule]})
        return lambda s: versions.put(s, house.site_id, book, seen=0, now=utc_now()).version

    with pytest.raises(Conflict) as refused:
        beside(database, putting("first"), putting("second"))
    assert refused.value.code == "stale"
    kept = database.read(lambda s: versions.get(s, house.site_id))
    assert (kept.version, [rule.id for rule in kept.book.rules]) == (1, ["first"])


def state_of(process: Process, house: House) -> State:
    return process.database.read(lambda s: reading.get(s, house.site_id, "c-1")).state


def test_a_comment_is_edited_while_its_verdict_is_written(process: Process, house: House) -> None:
    task = received(process, house)
    edited = beside(
        process.database,
        judging_it(task),
        lambda s: comments.put(
            s,
            house.site_id,
            comment("c-1", "Other words"),
            actor=Actor(key_id=1),
            owner="me",
            now=utc_now(),
        ),
    )
    assert (edited.revision, state_of(process, house)) == (2, State.RECEIVED)


def test_a_comment_is_withdrawn_while_its_verdict_is_written(
    process: Process, house: House
) -> None:
    task = received(process, house)
    beside(
        process.database,
        judging_it(task),
        lambda s: comments.withdraw(s, house.site_id, "c-1", actor=Actor(key_id=1), now=utc_now()),
    )
    assert state_of(process, house) is State.WITHDRAWN


@pytest.mark.parametrize("action", [Action.HOLD, Action.APPROVE, Action.REJECT])
def test_two_people_rule_the_same_and_the_second_is_told(
    process: Process, house: House, action: Action
) -> None:
    process.database.write(judging_it(received(process, house, "Win at the casino")))
    with pytest.raises(Conflict):
        beside(process.database, deciding(house, action), deciding(house, action, person_id=2))


@pytest.mark.parametrize("order", [1, -1])
def test_a_reply_and_its_parent_come_at_once_and_are_linked(
    process: Process, house: House, order: int
) -> None:
    arriving = [comment("reply", parent_id="c-1"), comment("c-1")][::order]
    beside(process.database, *(submitting(house, each) for each in arriving))
    tree = process.database.read(lambda s: comments.get(s, house.site_id, "reply"))
    assert tree.parent_id is not None
    assert tree.awaited_parent is None


def test_two_editors_pick_the_same_comment_and_it_is_picked_once(
    process: Process, house: House
) -> None:
    process.database.write(judging_it(received(process, house)))
    with pytest.raises(Conflict):
        beside(process.database, choosing(house), choosing(house))


def test_a_comment_is_picked_while_it_is_rejected(process: Process, house: House) -> None:
    process.database.write(judging_it(received(process, house)))
    with pytest.raises(Conflict):
        beside(process.database, deciding(house, Action.REJECT), choosing(house))


def test_a_comment_is_rejected_while_it_is_picked(process: Process, house: House) -> None:
    process.database.write(judging_it(received(process, house)))
    beside(process.database, choosing(house), deciding(house, Action.REJECT))
    pick = process.database.read(lambda s: s.scalars(select(Pick)).one())
    assert pick.state is PickState.WITHDRAWN


def test_a_comment_is_rejected_while_its_quote_is_published(process: Process, house: House) -> None:
    process.database.write(judging_it(received(process, house)))
    process.database.write(choosing(house))
    beside(
        process.database,
        lambda s: block.publish(s, house.site_id, "a-1", version=1, actor=MACHINE, now=utc_now()),
        deciding(house, Action.REJECT),
    )
    shown = process.database.read(lambda s: block.get_published(s, house.slug, "a-1"))
    assert (shown.quotes, shown.version) == ((), 2)


def test_a_quote_is_published_while_its_comment_is_rejected(process: Process, house: House) -> None:
    process.database.write(judging_it(received(process, house)))
    process.database.write(choosing(house))
    with pytest.raises(Conflict):
        beside(
            process.database,
            deciding(house, Action.REJECT),
            lambda s: block.publish(
                s, house.site_id, "a-1", version=1, actor=MACHINE, now=utc_now()
            ),
        )
    shown = process.database.read(lambda s: block.get_published(s, house.slug, "a-1"))
    assert shown.quotes == ()
