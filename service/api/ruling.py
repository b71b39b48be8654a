"""Ruling: comments that were received are asked about, and the policy rules on them."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.moderation import judging
from service.moderation.judging import Task
from service.moderation.scores import Answer
from service.process import Process, utc_now

log = structlog.get_logger()

# Verdicts that share a transaction: each holds up whoever else writes for some milliseconds.
VERDICTS_A_TRANSACTION = 16


async def judge(process: Process, comment_ids: Sequence[int]) -> None:
    """Ask the models about comments that were received, together, and let the policy rule."""

    def ask() -> tuple[list[Task], list[Future[Answer]]]:
        tasks = process.database.read(lambda s: judging.list_tasks(s, comment_ids))
        return tasks, [process.scorer.ask(task.question) for task in tasks]

    tasks, asked = await process.in_thread(ask)
    answering = [asyncio.wrap_future(each) for each in asked]
    for start in range(0, len(tasks), VERDICTS_A_TRANSACTION):
        some = slice(start, start + VERDICTS_A_TRANSACTION)
        found = await asyncio.gather(*answering[some], return_exceptions=True)
        await process.in_thread(partial(_rule, process, list(zip(tasks[some], found, strict=True))))


def _rule(process: Process, judged: Sequence[tuple[Task, Answer | BaseException]]) -> None:
    """Write the verdicts together; if that fails, each alone, so that one cannot take others with it."""
    model_down = process.scorer.trouble is not None

    def write(session: Session, some: Sequence[tuple[Task, Answer | BaseException]]) -> None:
        for task, answer in some:
            if isinstance(answer, Answer):
                judging.judge(session, task, answer, now=utc_now())
            else:
                judging.give_up(session, task, model_down=model_down, now=utc_now())

    try:
        process.database.write(lambda s: write(s, judged))
    except SQLAlchemyError as error:
        if len(judged) == 1:
            raise
        log.warning("ruling.verdicts_apart", error=type(error).__name__)
        for one in judged:
            process.database.write(partial(write, some=[one]))
