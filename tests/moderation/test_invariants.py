"""The promises of the moderation room, each on both databases."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from service import worker
from service.errors import Conflict, Invalid
from service.moderation import (
    articles,
    block,
    comments,
    decisions,
    feed,
    judging,
    picks,
    reading,
    review,
    sites,
)
from service.moderation.actor import MACHINE, Actor
from service.moderation.articles import NewArticle
from service.moderation.comments import LEASE, NewAuthor, NewComment
from service.moderation.judging import Task
from service.moderation.policy import Action, Reason
from service.process import Process, utc_now
from service.storage.db import Database
from service.storage.tables import Comment, Decision, Event, EventKind, Pick, State
from tests.conftest import ARTICLE_TEXT, NOW, House
from tests.keyword_scorer import KeywordScorer, answer

GOOD = "I shop there every week because the bus stops at the door."
SPAM = "Win at the casino today"


@pytest.fixture(autouse=True)
def _article(database: Database, house: House) -> None:
    database.write(lambda s: articles.put(s, house.site_id, new_article(), now=NOW))


def new_article(text: str = ARTICLE_TEXT) -> NewArticle:
    return NewArticle(
        id="a-1", url="https://post.example/a-1", title="High street", body=text, text=text
    )


def new_comment(comment_id: str, body: str) -> NewComment:
    return NewComment(id=comment_id, article_id="a-1", author=NewAuthor(name="Ada"), body=body)


def receive(process: Process, house: House, body: str, comment_id: str = "c-1") -> Task:
    """Store a comment and hand back what the scorer would be asked."""

    def act(session: Session) -> Task | None:
        receipt = comments.submit(
            session, house.site_id, new_comment(comment_id, body), owner="me", now=utc_now()
        )
        return judging.find_task(session, receipt.comment_id)

    task = process.database.write(act)
    assert task is not None
    return task


def judge(process: Process, task: Task) -> None:
    given = answer(task.question)
    process.database.write(lambda s: judging.judge(s, task, given, now=utc_now()))


def state_of(process: Process, house: House, comment_id: str = "c-1") -> State:
    return process.database.read(lambda s: reading.get(s, house.site_id, comment_id)).state


def decide(process: Process, house: House, action: Action, **fields: Any) -> int:
    return process.database.write(
        lambda s: review.decide(
            s,
            house.site_id,
            "c-1",
            action=action,
            revision=fields.get("revision", 1),
            actor=fields.get("actor", Actor(person_id=1)),
            reason=Reason.OTHER,
            note=None,
            seen=fields.get("seen"),
            now=utc_now(),
        )
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


def let_leases_run_out(database: Database) -> None:
    past = utc_now() - timedelta(seconds=1)
    database.write(
        lambda s: s.execute(
            update(Comment).where(Comment.lease_until.is_not(None)).values(lease_until=past)
        )
    )


def test_a_lease_is_respected_while_it_runs_and_taken_over_when_it_is_stale(
    process: Process, house: House
) -> None:
    receive(process, house, GOOD)
    assert not worker._take(process)
    later = utc_now() + LEASE + timedelta(seconds=1)
    taken = process.database.write(
        lambda s: judging.take_due(s, owner="another", now=later, limit=10)
    )
    assert len(taken) == 1
    again = process.database.write(
        lambda s: judging.take_due(s, owner="a third", now=later, limit=10)
    )
    assert again == []


def test_what_another_process_left_is_judged_by_the_worker(process: Process, house: House) -> None:
    receive(process, house, SPAM)
    let_leases_run_out(process.database)
    assert worker.work_once(process)
    assert state_of(process, house) is State.HELD
    assert process.database.read(judging.count_waiting) == 0


def test_the_same_comment_posted_eight_times_at_once_is_stored_once(
    process: Process, house: House
) -> None:
    def submit(_: int) -> bool:
        return process.database.write(
            lambda s: comments.submit(
                s, house.site_id, new_comment("c-1", GOOD), owner="me", now=utc_now()
            )
        ).created

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(submit, range(8)))
    assert sorted(created) == [False] * 7 + [True]
    assert process.database.read(lambda s: s.scalar(select(func.count(Comment.id)))) == 1


def test_a_thread_may_be_deep_and_is_never_a_circle(process: Process, house: House) -> None:
    deep = 600
    with process.database.writing() as session:
        for number in range(deep):
            new = replace(new_comment(f"c-{number}", GOOD), parent_id=f"c-{number - 1}")
            new = new if number else replace(new, parent_id=None)
            comments.submit(session, house.site_id, new, owner="me", now=utc_now())
    turned = replace(new_comment("c-0", "Turned round"), parent_id=f"c-{deep - 1}")
    with pytest.raises(Invalid):
        process.database.write(
            lambda s: comments.put(
                s, house.site_id, turned, actor=Actor(key_id=1), owner="me", now=utc_now()
            )
        )


def test_sixteen_decide_at_once_and_one_wins(process: Process, house: House) -> None:
    judge(process, receive(process, house, SPAM))

    def attempt(number: int) -> bool:
        action = Action.APPROVE if number % 2 else Action.REJECT
        try:
            decide(process, house, action)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(attempt, range(16)))
    assert outcomes.count(True) == 1
    by_people = select(func.count()).where(Decision.person_id.is_not(None))
    assert process.database.read(lambda s: s.scalar(by_people)) == 1


def test_many_claim_at_once_and_no_comment_is_given_twice(process: Process, house: House) -> None:
    for number in range(12):
        judge(process, receive(process, house, SPAM, f"c-{number}"))
    people = [Actor(person_id=number) for number in (1, 2)] * 3

    def attempt(actor: Actor) -> list[tuple[int | None, str]]:
        taken = process.database.write(
            lambda s: review.claim(s, house.site_id, actor=actor, number=4, now=utc_now())
        )
        return [(actor.person_id, view.id) for view in taken]

    with ThreadPoolExecutor(6) as pool:
        given = {pair for batch in pool.map(attempt, people) for pair in batch}
    assert len({comment for _, comment in given}) == len(given)


def test_a_feed_reader_beside_four_writers_misses_nothing(process: Process, house: House) -> None:
    each, writers = 15, 4

    def write(number: int) -> None:
        for step in range(each):

            def act(session: Session, step: int = step) -> None:
                body = {"writer": number, "step": step}
                feed.append(session, house.site_id, EventKind.FLAG, body=body, now=utc_now())
                time.sleep(random.random() * 0.004)

            process.database.write(act)

    seen: list[tuple[int, int]] = []
    after: str | None = None
    with ThreadPoolExecutor(writers) as pool:
        running = [pool.submit(write, number) for number in range(writers)]
        while not all(r.done() for r in running) or _more(process, house, after):
            for line in _more(process, house, after):
                seen.append((line.body["writer"], line.body["step"]))
                after = line.cursor
        for r in running:
            r.result()
    assert sorted(seen) == [(w, s) for w in range(writers) for s in range(each)]


def _more(process: Process, house: House, after: str | None) -> list[feed.Line]:
    lines = process.database.read(
        lambda s: feed.next_page(s, house.site_id, after=after, limit=500)
    )
    return [line for line in lines if line.kind is EventKind.FLAG]


def test_a_late_score_does_not_overturn_a_person(process: Process, house: House) -> None:
    task = receive(process, house, SPAM)
    decide(process, house, Action.APPROVE)
    judge(process, task)
    view = process.database.read(lambda s: reading.get(s, house.site_id, "c-1"))
    assert view.state is State.APPROVED
    assert [because.code for because in view.reasons] == [Reason.SPAM]
    flags = select(func.count()).where(Event.kind == EventKind.FLAG)
    assert process.database.read(lambda s: s.scalar(flags)) == 1


def test_scores_of_a_superseded_revision_move_nothing(process: Process, house: House) -> None:
    task = receive(process, house, SPAM)
    process.database.write(
        lambda s: comments.put(
            s,
            house.site_id,
            new_comment("c-1", GOOD),
            actor=Actor(key_id=1),
            owner="me",
            now=utc_now(),
        )
    )
    judge(process, task)
    view = process.database.read(lambda s: reading.get(s, house.site_id, "c-1"))
    assert (view.state, view.answer, view.revision) == (State.RECEIVED, None, 2)


def test_every_move_has_its_decision_and_its_event(process: Process, house: House) -> None:
    judge(process, receive(process, house, SPAM))
    decide(process, house, Action.APPROVE)
    decide(process, house, Action.REJECT, seen=State.APPROVED)
    record = process.database.read(lambda s: s.scalars(select(Decision)).all())
    told = process.database.read(
        lambda s: s.scalars(select(Event).where(Event.kind == EventKind.COMMENT)).all()
    )
    assert [(d.was, d.now) for d in record] == [
        (State.RECEIVED, State.HELD),
        (State.HELD, State.APPROVED),
        (State.APPROVED, State.REJECTED),
    ]
    assert [e.body["to"] for e in told] == ["held", "approved", "rejected"]


def test_a_move_that_breaks_leaves_no_trace(process: Process, house: House) -> None:
    judge(process, receive(process, house, SPAM))

    def act(session: Session) -> None:
        comment = comments.get(session, house.site_id, "c-1")
        decisions.move(
            session,
            comment,
            revision=1,
            to=State.APPROVED,
            actor=Actor(person_id=1),
            reason=None,
            now=utc_now(),
        )
        raise RuntimeError("the lights went out")

    with pytest.raises(RuntimeError):
        process.database.write(act)
    assert state_of(process, house) is State.HELD
    assert process.database.read(lambda s: s.scalar(select(func.count(Decision.id)))) == 1


def test_undoing_a_rejection_does_not_restore_the_pick(process: Process, house: House) -> None:
    judge(process, receive(process, house, GOOD))
    process.database.write(choosing(house))
    article = process.database.read(lambda s: articles.get(s, house.site_id, "a-1"))
    version = article.draft_version
    process.database.write(
        lambda s: block.publish(
            s, house.site_id, "a-1", version=version, actor=MACHINE, now=utc_now()
        )
    )
    rejected = decide(process, house, Action.REJECT)
    process.database.write(
        lambda s: review.undo(
            s,
            house.site_id,
            "c-1",
            decision_id=rejected,
            actor=Actor(person_id=1),
            now=utc_now(),
        )
    )
    assert state_of(process, house) is State.APPROVED
    published = process.database.read(lambda s: block.get_published(s, house.slug, "a-1"))
    assert published.quotes == ()
    pick = process.database.read(lambda s: s.scalars(select(Pick)).one())
    assert pick.withdrawn_because == "other"


def test_an_articles_edit_scores_again_and_unpublishes_nothing(
    process: Process, house: House, scorer: KeywordScorer
) -> None:
    judge(process, receive(process, house, "Lovely weather, is it not"))
    decide(process, house, Action.APPROVE)
    database = process.database
    database.write(
        lambda s: articles.put(s, house.site_id, new_article("New words."), now=utc_now())
    )
    assert worker.work_once(process)
    assert scorer.asked[-1].article is not None
    assert scorer.asked[-1].article.text == "New words."
    assert state_of(process, house) is State.APPROVED


def test_a_later_verdict_on_what_a_machine_approved_is_told_and_unpublishes_nothing(
    process: Process, house: House
) -> None:
    task = receive(process, house, GOOD)
    judge(process, task)
    worse = answer(replace(task.question, text=SPAM))
    process.database.write(lambda s: judging.judge(s, task, worse, now=utc_now()))
    assert state_of(process, house) is State.APPROVED
    told = process.database.read(
        lambda s: s.scalars(select(Event).where(Event.kind == EventKind.FLAG)).all()
    )
    assert [event.body["verdict"] for event in told] == ["hold"]


def test_a_quote_that_is_not_its_authors_is_not_published(process: Process, house: House) -> None:
    """However it came about: here somebody wrote into the database."""
    judge(process, receive(process, house, GOOD))
    process.database.write(choosing(house))
    process.database.write(lambda s: s.execute(update(Pick).values(quote="I hate the bus.")))
    with pytest.raises(Conflict) as refused:
        process.database.write(
            lambda s: block.publish(
                s, house.site_id, "a-1", version=1, actor=MACHINE, now=utc_now()
            )
        )
    assert refused.value.code == "pick_not_true"


def test_an_article_edited_while_its_comment_is_judged_is_judged_again(
    process: Process, house: House
) -> None:
    task = receive(process, house, GOOD)
    process.database.write(
        lambda s: articles.put(s, house.site_id, new_article("New words."), now=utc_now())
    )
    judge(process, task)
    assert process.database.read(judging.count_waiting) == 1


def test_a_site_may_wait_for_the_model(
    process: Process, house: House, scorer: KeywordScorer
) -> None:
    set_policy(process, house, {"fail": "wait_for_model", "wait_for_model_s": 600})
    task = receive(process, house, SPAM)
    process.database.write(lambda s: judging.give_up(s, task, model_down=True, now=utc_now()))
    assert state_of(process, house) is State.RECEIVED
    at_the_deadline = utc_now() + timedelta(seconds=601)
    process.database.write(lambda s: judging.give_up(s, task, model_down=True, now=at_the_deadline))
    assert state_of(process, house) is State.HELD
    assert scorer.asked == []


def test_a_site_may_publish_and_check_later(process: Process, house: House) -> None:
    set_policy(process, house, {"fail": "publish_then_recheck"})
    task = receive(process, house, SPAM)
    process.database.write(lambda s: judging.give_up(s, task, model_down=True, now=utc_now()))
    assert state_of(process, house) is State.APPROVED
    judge(process, task)
    assert state_of(process, house) is State.HELD


def test_one_poisoned_text_is_held_and_not_tried_for_ever(
    process: Process, house: House, scorer: KeywordScorer
) -> None:
    receive(process, house, "poison")
    for _ in range(5):
        make_due(process.database)
        worker.work_once(process)
    assert state_of(process, house) is State.HELD
    assert len(scorer.asked) == judging.ATTEMPTS
    assert process.database.read(judging.count_waiting) == 0


def test_what_was_published_unjudged_is_judged_however_long_the_models_were_down(
    process: Process, house: House, scorer: KeywordScorer
) -> None:
    set_policy(process, house, {"fail": "publish_then_recheck"})
    receive(process, house, SPAM)
    scorer.trouble = "the weights are missing"
    for _ in range(judging.ATTEMPTS + 2):
        make_due(process.database)
        worker.work_once(process)
    assert state_of(process, house) is State.APPROVED
    assert not worker.work_once(process), "nothing is to be done over and over"
    scorer.trouble = None
    make_due(process.database)
    assert worker.work_once(process)
    assert state_of(process, house) is State.HELD


def test_what_was_published_unjudged_and_breaks_the_models_is_held_for_a_person(
    process: Process, house: House, scorer: KeywordScorer
) -> None:
    set_policy(process, house, {"fail": "publish_then_recheck"})
    receive(process, house, "poison")
    states = []
    for _ in range(judging.ATTEMPTS + 1):
        make_due(process.database)
        worker.work_once(process)
        states.append(state_of(process, house))
    assert states == [State.APPROVED] * (judging.ATTEMPTS - 1) + [State.HELD] * 2
    assert len(scorer.asked) == judging.ATTEMPTS
    last = process.database.read(lambda s: s.scalars(select(Decision)).all())[-1]
    assert (last.now, last.reason) == (State.HELD, Reason.MODEL_UNAVAILABLE)


def test_what_a_person_approved_stays_though_it_breaks_the_models(
    process: Process, house: House
) -> None:
    set_policy(process, house, {"fail": "publish_then_recheck"})
    task = receive(process, house, "poison")
    for attempt in range(judging.ATTEMPTS):
        process.database.write(lambda s: judging.give_up(s, task, model_down=False, now=utc_now()))
        if attempt == 0:
            decide(process, house, Action.REJECT, seen=State.APPROVED)
            decide(process, house, Action.APPROVE, seen=State.REJECTED)
    assert state_of(process, house) is State.APPROVED


def test_a_comment_that_cannot_be_ruled_on_does_not_keep_others_waiting(
    process: Process, house: House
) -> None:
    receive(process, house, "garbled", "c-0")
    receive(process, house, GOOD)
    for _ in range(judging.ATTEMPTS):
        make_due(process.database)
        assert worker.work_once(process)
    assert state_of(process, house) is State.APPROVED
    assert state_of(process, house, "c-0") is State.HELD
    assert process.database.read(judging.count_waiting) == 0


def test_comments_wait_for_a_silent_scorer_together_and_not_one_after_the_other(
    process: Process, house: House, scorer: KeywordScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "ANSWER_WITHIN_S", 0.4)
    for number in range(8):
        receive(process, house, GOOD, f"c-{number}")
    make_due(process.database)
    scorer.held_back = []
    began = time.monotonic()
    assert worker.work_once(process)
    assert time.monotonic() - began < 8 * 0.4 / 2
    assert state_of(process, house) is State.HELD


def test_due_comments_are_fetched_together(process: Process, house: House) -> None:
    for number in range(6):
        receive(process, house, GOOD, f"c-{number}")
    make_due(process.database)
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            asked.append(statement)

    event.listen(process.database.engine, "before_cursor_execute", note)
    taken = worker._take(process)
    event.remove(process.database.engine, "before_cursor_execute", note)
    assert len(taken) == 6
    assert len(asked) == 2


def make_due(database: Database) -> None:
    """Whatever is still to be judged is due now, and nobody leases it."""
    past = utc_now() - timedelta(seconds=1)
    database.write(
        lambda s: s.execute(
            update(Comment)
            .where(Comment.score_after.is_not(None))
            .values(lease_until=None, score_after=past)
        )
    )


def set_policy(process: Process, house: House, body: dict[str, Any]) -> None:
    process.database.write(lambda s: sites.set_policy(s, house.site_id, body, now=utc_now()))
