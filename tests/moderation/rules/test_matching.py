"""Conditions and what they are true of; the rules of a book applied to a comment."""

import time
from datetime import timedelta
from typing import Any

import pytest

from service.moderation.policy import Hit
from service.moderation.rules.book import MOST_RULES, Book
from service.moderation.rules.matching import Alike, History, Matcher, Subject
from tests.conftest import NOW

TEXT = "Take 50 mg of v1agra from pills.shop today"


def rule(when: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": "r", "name": "R", "action": "hold", "when": when, **fields}


def apply(
    *rules: dict[str, Any],
    text: str = TEXT,
    name: str = "Ada",
    url: str | None = None,
    **history: Any,
) -> tuple[Hit, ...]:
    book = Book.model_validate({"rules": list(rules)}).must_fit()
    known = History(at=NOW, **history)
    return Matcher(book.rules).apply(
        Subject(text=text, author_name=name, author_url=url, history=known)
    )


def ago(hours: float) -> Any:
    return NOW - timedelta(hours=hours)


ALIKE = tuple(Alike(at=ago(hours), author=hours % 3) for hours in (0, 1, 2, 50, 100))
WORD, NO_WORD = {"words": ["viagra"]}, {"words": ["cialis"]}


@pytest.mark.parametrize(
    ("when", "given", "applies"),
    [
        (WORD, {}, True),
        (NO_WORD, {}, False),
        ({"pattern": r"\b\d+ mg\b"}, {}, True),
        ({"pattern": r"\b\d+ ml\b"}, {}, False),
        ({"links": {}}, {}, True),
        ({"links": {"at_least": 2}}, {}, False),
        ({"links": {"except": ["pills.shop"]}}, {}, False),
        ({"domains": ["Pills.Shop"]}, {}, True),
        ({"domains": ["other.shop"]}, {}, False),
        ({"domains": ["own.example"]}, {"url": "https://www.own.example/me"}, True),
        ({"names": ["viagra shop"]}, {"name": "V1agra Shop"}, True),
        ({"names": ["viagra"]}, {}, False),
        ({"new_author": {}}, {}, True),
        ({"new_author": {}}, {"approved": 1}, False),
        ({"new_author": {"approved_fewer_than": 3}}, {"approved": 2}, True),
        ({"rejection_history": {}}, {"rejections": (True, True, True, False)}, True),
        ({"rejection_history": {}}, {"rejections": (True, True, False)}, False),
        ({"rejection_history": {"share": 0.9}}, {"rejections": (True,) * 3 + (False,)}, False),
        (
            {"rejection_history": {"of_last": 3}},
            {"rejections": (False, True, True, True)},
            False,
        ),
        ({"repeats": {}}, {"repeats": (ago(23),)}, True),
        ({"repeats": {}}, {"repeats": (ago(25),)}, False),
        ({"repeats": {"at_least": 2}}, {"repeats": (ago(1),)}, False),
        ({"near_duplicates": {}}, {"cluster": 7, "alike": ALIKE}, True),
        ({"near_duplicates": {"at_least": 5}}, {"cluster": 7, "alike": ALIKE}, False),
        ({"near_duplicates": {"authors": 4}}, {"cluster": 7, "alike": ALIKE}, False),
        ({"near_duplicates": {"within_hours": 1}}, {"cluster": 7, "alike": ALIKE}, False),
        ({"near_duplicates": {}}, {}, False),
        ({"all_of": [WORD, {"new_author": {}}]}, {}, True),
        ({"all_of": [WORD, NO_WORD]}, {}, False),
        ({"any_of": [NO_WORD, WORD]}, {}, True),
        ({"any_of": [NO_WORD, {"names": ["bob"]}]}, {}, False),
        ({"all_of": [WORD, {"any_of": [NO_WORD, {"links": {}}]}]}, {}, True),
    ],
)
def test_a_condition_is_true_of_what_it_says(
    when: dict[str, Any], given: dict[str, Any], applies: bool
) -> None:
    assert bool(apply(rule(when), **given)) is applies


def test_evidence_is_every_place_that_had_a_part_in_it() -> None:
    when = {"all_of": [{"links": {}}, WORD, {"new_author": {}}]}
    [hit] = apply(rule(when))
    assert [TEXT[s.start : s.end] for s in hit.evidence] == ["v1agra", "pills.shop"]


def test_a_campaign_is_told_by_count_authors_and_time() -> None:
    [hit] = apply(rule({"near_duplicates": {}}), cluster=7, alike=ALIKE)
    assert hit.about == {
        "cluster": 7,
        "count": 4,
        "authors": 3,
        "first": ago(50).isoformat(),
        "last": NOW.isoformat(),
    }


def test_rules_apply_in_the_order_of_the_book() -> None:
    rules = [rule(WORD, id=name) for name in ("b", "a")] + [rule(NO_WORD, id="c")]
    assert [hit.rule for hit in apply(*rules)] == ["b", "a"]


@pytest.mark.parametrize("kind", ["words", "pattern", "mixed"])
def test_the_longest_comment_against_the_largest_book_is_well_under_a_second(kind: str) -> None:
    def when(number: int) -> dict[str, Any]:
        if kind == "words" or (kind == "mixed" and number % 2):
            return {"words": [f"word{number} of {n}" for n in range(200)]}
        return {"pattern": rf"\b(take|use) \d+ ?(mg|ml){number}\b"}

    book = Book.model_validate({"rules": [rule(when(n), id=f"r-{n}") for n in range(MOST_RULES)]})
    matcher = Matcher(book.must_fit().rules)
    text = ("Take 50 mg of v1agra, word7 of 3, from pills.shop tod@y. " * 1000)[:50_000]
    subject = Subject(text=text, author_name="A", author_url=None, history=History(at=NOW))
    times = []
    for _ in range(3):
        started = time.perf_counter()
        matcher.apply(subject)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.9, times
