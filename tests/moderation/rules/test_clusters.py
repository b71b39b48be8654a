"""Near-duplicates: campaigns are found across authors and articles, honest company is not."""

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.moderation import articles, comments, judging
from service.moderation.articles import NewArticle
from service.moderation.comments import NewAuthor, NewComment
from service.moderation.rules import clusters, likeness
from service.moderation.rules.clusters import Cluster
from service.storage.db import Database
from service.storage.rule_tables import Likeness, LikenessBand
from tests.conftest import ARTICLE_TEXT, NOW, House
from tests.keyword_scorer import answer

REWORDINGS = (
    "After years of struggling with anxiety I tried the drops from this company and within two weeks my sleep and my mood were completely restored.",
    "After years of fighting with anxiety I tried the drops from this company, and within two weeks my sleep and mood were completely restored!",
    "After many years struggling with anxiety, I tried the drops of this company and within two weeks my sleep and my mood were fully restored.",
    "After years of struggling with anxiety my sister tried the drops from this company and within three weeks her sleep and her mood were completely restored.",
    "For years I was struggling with anxiety. I tried the drops from this company and in two weeks my sleep and my mood were completely restored.",
    "After years of struggling with stress I bought the drops from this company and within two weeks my sleep and my mood were completely back.",
    "After years of struggling with anxiety I finally tried these drops from this company and within two short weeks my sleep and my mood were restored.",
    "Years of struggling with anxiety, then I tried the drops from this company: within two weeks my sleep and my mood were completely restored. Amazing",
    "After ten years of struggling with anxiety I ordered the drops from this firm and within two weeks my sleep and my mood were completely restored.",
    "AFTER YEARS of struggling with anxiety I tried the drops from this company and within a fortnight my sleep and my mood were completely restored",
)
HONEST = (
    "I have lived with anxiety for years, and what helped my sleep in the end was a regular hour for going to bed and no screens after nine.",
    "My anxiety and my bad sleep turned out to be one thing; the therapist I saw for two years taught me to stop checking the clock at night.",
    "Drops, pills, teas: for anxiety I tried them all, and nothing restored my mood as much as walking to work every morning instead of driving.",
    "After two weeks without coffee my sleep was better, but my mood was not. Anxiety has more than one cause, as the article says.",
)


@pytest.fixture(autouse=True)
def _articles(database: Database, house: House) -> None:
    for number in (1, 2):
        new = NewArticle(
            id=f"a-{number}",
            url=f"https://post.example/a-{number}",
            title="High street",
            body=ARTICLE_TEXT,
            text=ARTICLE_TEXT,
        )
        database.write(lambda s, n=new: articles.put(s, house.site_id, n, now=NOW))  # type: ignore[misc]


def post(
    database: Database,
    house: House,
    text: str,
    comment_id: str,
    *,
    author: str | None = None,
    now: datetime = NOW,
    article: str = "a-1",
) -> int:
    """Take a comment in and judge it."""

    def act(session: Session) -> int:
        new = NewComment(
            id=comment_id,
            article_id=article,
            author=NewAuthor(name="Ada", id=author or comment_id),
            body=text,
        )
        receipt = comments.submit(session, house.site_id, new, owner="me", now=now)
        task = judging.find_task(session, receipt.comment_id)
        assert task is not None
        judging.judge(session, task, answer(task.question), now=now)
        return receipt.comment_id

    return database.write(act)


def cluster_of(database: Database, comment_id: int) -> Cluster | None:
    return database.read(lambda s: clusters.find(s, comment_id))


@pytest.mark.parametrize("seed", range(3))
def test_ten_light_rewordings_by_ten_authors_are_one_cluster(
    database: Database, house: House, seed: int
) -> None:
    order = list(range(10))
    random.Random(seed).shuffle(order)
    rows = [
        post(
            database,
            house,
            REWORDINGS[number],
            f"c-{number}",
            now=NOW + timedelta(minutes=at),
            article=f"a-{1 + number % 2}",
        )
        for at, number in enumerate(order)
    ]
    found = {cluster_of(database, row) for row in rows}
    assert len(found) == 1
    [cluster] = found
    assert cluster is not None
    assert (cluster.count, cluster.authors) == (10, 10)
    assert (cluster.first, cluster.last) == (NOW, NOW + timedelta(minutes=9))


def test_honest_comments_on_one_subject_are_no_cluster(database: Database, house: House) -> None:
    rows = [
        post(database, house, text, f"c-{number}")
        for number, text in enumerate((*HONEST, REWORDINGS[0]))
    ]
    assert [cluster_of(database, row) for row in rows] == [None] * 5


def test_short_courtesies_are_no_cluster(database: Database, house: House) -> None:
    thanks = "Thank you for this wonderful article!"
    rows = [post(database, house, thanks, f"c-{number}") for number in range(3)]
    assert [cluster_of(database, row) for row in rows] == [None] * 3


def test_those_who_quote_the_same_passage_are_no_cluster(database: Database, house: House) -> None:
    rows = [post(database, house, ARTICLE_TEXT, f"c-{number}") for number in range(2)]
    assert [cluster_of(database, row) for row in rows] == [None] * 2


def test_another_site_knows_nothing_of_it(database: Database, house: House) -> None:
    first = post(database, house, REWORDINGS[0], "c-1")
    database.write(
        lambda s: s.execute(
            Likeness.__table__.update().values(site_id=house.site_id + 1)  # type: ignore[attr-defined]
        )
    )
    database.write(
        lambda s: s.execute(
            LikenessBand.__table__.update().values(site_id=house.site_id + 1)  # type: ignore[attr-defined]
        )
    )
    post(database, house, REWORDINGS[1], "c-2")
    assert cluster_of(database, first) is None


def test_two_clusters_that_turn_out_to_be_one_are_one(database: Database, house: House) -> None:
    far = [REWORDINGS[0], REWORDINGS[0] + " " + HONEST[0]]
    rows = [post(database, house, text, f"c-{n}") for n, text in enumerate(far)]
    rows += [post(database, house, HONEST[0], "c-2")]
    rows += [post(database, house, REWORDINGS[1], "c-3")]
    found = {cluster_of(database, row) for row in rows}
    assert len(found) == 1
    assert found.pop() is not None


def test_an_edit_leaves_the_cluster_and_old_bands_are_swept(
    database: Database, house: House
) -> None:
    rows = [post(database, house, REWORDINGS[n], f"c-{n}") for n in range(2)]
    assert cluster_of(database, rows[0]) is not None
    database.write(lambda s: clusters.forget(s, rows[1]))
    assert cluster_of(database, rows[1]) is None
    later = NOW + clusters.REMEMBERED + timedelta(days=1)
    last = post(database, house, REWORDINGS[2], "c-2", now=later)
    assert cluster_of(database, last) is None
    left = database.read(lambda s: s.scalar(select(func.count(LikenessBand.comment_id.distinct()))))
    assert left == 1


@given(st.text(max_size=80), st.text(max_size=80))
def test_likeness_is_a_share_and_the_same_both_ways(one: str, other: str) -> None:
    a, b = (likeness.pairs(likeness.words_of_weight(text * 3)) for text in (one, other))
    share = likeness.similarity(a, b)
    assert 0 <= share <= 1
    assert share == likeness.similarity(b, a)
    assert likeness.bands(a) == likeness.bands(a)
    assert all(-(2**63) <= band < 2**63 for band in likeness.bands(a))
    assert len(likeness.bands(a)) == (likeness.BANDS if a else 0)


def test_the_same_words_have_one_fingerprint_however_they_are_written() -> None:
    assert likeness.fingerprint("Très  bien, VRAIMENT") == likeness.fingerprint(
        "tres bien vraiment!"
    )
    assert likeness.fingerprint("tres bien") != likeness.fingerprint("bien tres")
