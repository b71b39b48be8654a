"""The worker: judges what was left unjudged, reads new articles, tells webhooks and prunes, until told to stop."""

import math
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service import delivery, metrics
from service.erasure_list import Row
from service.errors import ServiceError
from service.moderation import articles, erasures, judging, pruning, rates, workers
from service.moderation.judging import Task
from service.moderation.scores import Answer, ScorerUnavailable
from service.process import Process, utc_now
from service.storage.tables import State

log = structlog.get_logger()

# An idle worker looks again this often; a round that found work is followed by the next at once.
IDLE_S = 1.0
COMMENTS_A_ROUND = 32
ARTICLES_A_ROUND = 4
# Well within a lease: whoever takes longer loses the comment to another process.
ANSWER_WITHIN_S = 25.0
ARTICLE_WITHIN_S = 300.0
AFTER_AN_ERROR_S = 5.0
PRUNE_EVERY_S = 3600.0
NOTE_ERASURES_EVERY_S = 5.0


def run(process: Process, stop: threading.Event) -> None:
    """Work until `stop` is set; an error is logged and the round begins anew."""
    log.info("worker.started")
    # Beside the rounds: a receiver that takes its time keeps no comment waiting.
    telling = threading.Thread(target=delivery.run, args=(process, stop), name="delivery")
    telling.start()
    _erase_again(process)
    chores = (
        Chore(NOTE_ERASURES_EVERY_S, partial(note_erasures, process)),
        Chore(workers.BEATS_EVERY.total_seconds(), partial(_beat, process)),
        Chore(PRUNE_EVERY_S, partial(prune_once, process)),
    )
    while not stop.is_set():
        try:
            metrics.worker_round.set_to_current_time()
            more = [chore.do_if_due() for chore in chores]
            busy = work_once(process) or any(more)
        except Exception:  # one bad round must not end the worker
            log.exception("worker.round_failed")
            stop.wait(AFTER_AN_ERROR_S)
            continue
        if not busy:
            stop.wait(IDLE_S)
    telling.join()
    note_erasures(process)
    _leave(process)
    log.info("worker.stopped")


@dataclass
class Chore:
    """Something to be done every so many seconds between two rounds; at the next round if it says that there is more."""

    every_s: float
    act: Callable[[], bool]
    due_at: float = -math.inf

    def do_if_due(self) -> bool:
        """Do it if its time has come; True if there is more of it."""
        if time.monotonic() < self.due_at:
            return False
        more = self.act()
        self.due_at = time.monotonic() + (0 if more else self.every_s)
        return more


def _beat(process: Process) -> bool:
    """Say that this worker lives."""
    process.database.write(
        lambda s: workers.beat(s, process.owner, version=version("postbag"), now=utc_now())
    )
    return False


def _leave(process: Process) -> None:
    try:
        process.database.write(lambda s: workers.leave(s, process.owner))
    except SQLAlchemyError as error:  # it is stopping, and will be missed for a minute
        log.error("worker.not_left", error=type(error).__name__)


def _erase_again(process: Process) -> None:
    """Erase what the list has and the database has not: it is older than the list, whoever put it back."""
    try:
        erased = process.database.write(lambda s: erasures.reapply(s, _unrecorded(process, s)))
    except (OSError, ServiceError, SQLAlchemyError) as error:
        log.error("worker.not_erased_again", error=type(error).__name__)
        return
    if erased:
        log.warning("worker.erased_again", comments=erased)


def _unrecorded(process: Process, session: Session) -> list[Row]:
    return process.erasures.list_beyond(erasures.listed(session, since=None))


def note_erasures(process: Process) -> bool:
    """Write the erasures that are new to the list that outlives the database."""
    listed = process.erasures
    try:
        rows = process.database.read(lambda s: erasures.listed(s, since=listed.since))
        listed.add(rows)
    except (OSError, SQLAlchemyError) as error:
        # Comments are judged all the same, and the next round tries again.
        log.error("worker.erasures_not_listed", error=type(error).__name__)
    return False


def work_once(process: Process) -> bool:
    """One round; True if there was anything to do."""
    if process.scorer.trouble is not None:
        return _give_up_on_due(process)
    read = _read_articles(process)
    judged = _judge_due(process)
    return read or judged


def prune_once(process: Process) -> bool:
    """Erase one batch of what is kept no longer, by sites or by anybody; True if there may be more."""
    now = utc_now()
    batch = process.database.read(lambda s: pruning.find(s, now=now))
    if batch is None:
        if process.database.write(lambda s: rates.sweep(s, now=now)):
            return True
        # What was erased while somebody read an older picture may still be in the log.
        process.database.empty_log()
        return False
    pruned = process.database.write(lambda s: pruning.apply(s, batch, now=now))
    log.info("worker.pruned", rule=batch.rule, rows=pruned)
    return True


def _judge_due(process: Process) -> bool:
    tasks = _take(process)
    until = time.monotonic() + ANSWER_WITHIN_S
    asked = [(task, process.scorer.ask(task.question)) for task in tasks]
    for task, answering in asked:
        _rule(process, task, answering, until=until)
    return bool(tasks)


def _give_up_on_due(process: Process) -> bool:
    """Without a model what nobody has ruled on goes by its site's fail policy; the rest stays due."""
    tasks = _take(process, states=(State.RECEIVED,))
    for task in tasks:
        _write_give_up(process, task)
    return bool(tasks)


def _take(process: Process, states: Collection[State] = judging.JUDGED) -> list[Task]:
    def take(session: Session) -> list[Task]:
        due = judging.take_due(
            session, owner=process.owner, now=utc_now(), limit=COMMENTS_A_ROUND, states=states
        )
        return judging.list_tasks(session, due)

    return process.database.write(take)


def _rule(process: Process, task: Task, answering: Future[Answer], *, until: float) -> None:
    """Write what the scorer answers before `until`; a comment that cannot be ruled on is parked."""
    try:
        _write_verdict(process, task, answering, until=until)
    except (ScorerUnavailable, TimeoutError) as error:
        log.warning("worker.no_answer", error=type(error).__name__)
        _write_give_up(process, task)
    except Exception:  # those behind it are not to wait for a comment that breaks something
        log.exception("worker.comment_failed")
        _write_give_up(process, task)


def judge_again(process: Process, tasks: Sequence[Task]) -> int:
    """Judge comments that have a verdict; what the models do not answer keeps it. Returns how many were judged."""
    until = time.monotonic() + ANSWER_WITHIN_S
    asked = [(task, process.scorer.ask(task.question)) for task in tasks]
    judged = 0
    for task, answering in asked:
        try:
            _write_verdict(process, task, answering, until=until)
            judged += 1
        except Exception as error:  # noqa: BLE001 - those behind it are not to wait for it
            log.error("worker.not_judged_again", error=type(error).__name__)
    return judged


def _write_verdict(
    process: Process, task: Task, answering: Future[Answer], *, until: float
) -> None:
    answer = answering.result(max(0.0, until - time.monotonic()))
    process.database.write(lambda session: judging.judge(session, task, answer, now=utc_now()))


def _write_give_up(process: Process, task: Task) -> None:
    model_down = process.scorer.trouble is not None
    process.database.write(
        lambda session: judging.give_up(session, task, model_down=model_down, now=utc_now())
    )


def _read_articles(process: Process) -> bool:
    """Embed the passages of articles that were registered or edited."""
    taken = process.database.write(
        lambda s: articles.take_unembedded(s, now=utc_now(), limit=ARTICLES_A_ROUND)
    )
    reading = [(article, process.scorer.embed(article)) for article in taken]
    for article, embedding in reading:
        try:
            model, passages = embedding.result(ARTICLE_WITHIN_S)
        except (ScorerUnavailable, TimeoutError) as error:
            log.warning("worker.article_unread", error=type(error).__name__)
            continue
        keep = partial(
            articles.keep_passages, revision_id=article.revision_id, model=model, passages=passages
        )
        process.database.write(keep)
    return bool(taken)
