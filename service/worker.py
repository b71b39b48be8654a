"""The worker: judges what was left unjudged, reads new articles, tells webhooks and prunes, until told to stop."""

import threading
import time
from collections.abc import Collection
from concurrent.futures import Future
from functools import partial

import structlog
from sqlalchemy.orm import Session

from service import delivery
from service.moderation import articles, judging, pruning, rates
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


def run(process: Process, stop: threading.Event) -> None:
    """Work until `stop` is set; an error is logged and the round begins anew."""
    log.info("worker.started")
    # Beside the rounds: a receiver that takes its time keeps no comment waiting.
    telling = threading.Thread(target=delivery.run, args=(process, stop), name="delivery")
    telling.start()
    prune_at = time.monotonic()
    while not stop.is_set():
        try:
            busy = work_once(process)
            if time.monotonic() >= prune_at:
                # One small batch, then whoever waits to be judged: the rest has time.
                pruned = prune_once(process)
                prune_at = time.monotonic() + (0 if pruned else PRUNE_EVERY_S)
                busy = busy or pruned
        except Exception:  # one bad round must not end the worker
            log.exception("worker.round_failed")
            stop.wait(AFTER_AN_ERROR_S)
            continue
        if not busy:
            stop.wait(IDLE_S)
    telling.join()
    log.info("worker.stopped")


def work_once(process: Process) -> bool:
    """One round; True if there was anything to do."""
    if process.scorer.trouble is not None:
        return _give_up_on_due(process)
    read = _read_articles(process)
    judged = _judge_due(process)
    return read or judged


def prune_once(process: Process) -> bool:
    """Erase one batch of what sites keep no longer; True if there was any."""
    now = utc_now()
    batch = process.database.read(lambda s: pruning.find(s, now=now))
    if batch is None:
        process.database.write(lambda s: rates.sweep(s, now=now))
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
        answer = answering.result(max(0.0, until - time.monotonic()))
        process.database.write(lambda session: judging.judge(session, task, answer, now=utc_now()))
    except (ScorerUnavailable, TimeoutError) as error:
        log.warning("worker.no_answer", error=type(error).__name__)
        _write_give_up(process, task)
    except Exception:  # those behind it are not to wait for a comment that breaks something
        log.exception("worker.comment_failed")
        _write_give_up(process, task)


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
