"""Everything a page can say has words."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.moderation.policy import Because, Reason
from service.moderation.scores import Span
from service.web import words
from service.web.marks import cut

MODERATION = Path(__file__).parents[2] / "service/moderation"


def test_every_reason_has_words() -> None:
    assert set(words.REASONS) == set(Reason)


def test_every_refusal_a_form_can_meet_has_words() -> None:
    rooms = [MODERATION / f"{room}.py" for room in ("review", "decisions", "picks", "block")]
    codes = {c for room in rooms for c in re.findall(r'code="([a-z_]+)"', room.read_text())}
    assert len(codes) > 8
    assert codes - {"invalid_cursor"} <= set(words.SAID)


def test_probabilities_are_never_certainties() -> None:
    assert [words.percent(share) for share in (0.0001, 0.9999)] == ["under 1%", "over 99%"]
    rounded = Because(code=Reason.SPAM, score=1.0, threshold=0.5)
    assert words.measure(rounded) == "over 99% sure; held from 50%."


def test_an_echo_is_measured_by_its_share_and_not_by_anybodys_certainty() -> None:
    echo = Because(code=Reason.ECHO, score=1.0, threshold=0.8)
    assert words.measure(echo) == "100% of its words; held from 80%."
    assert words.measure(Because(code=Reason.ARTICLE_MODE)) == ""


@pytest.mark.parametrize(
    ("quote", "drawn"),
    [
        ("Fine by me.", "“Fine by me.”"),
        ("“Fine by me.”", "“Fine by me.”"),
        ('"Fine by me."', '"Fine by me."'),
        ('"Fine" is not "good"', '“"Fine" is not "good"”'),
        ("“Fine” said he", "““Fine” said he”"),
        ('"', '“"”'),
    ],
)
def test_a_quote_has_one_pair_of_marks_around_it(quote: str, drawn: str) -> None:
    assert words.in_marks(quote) == drawn


def test_a_day_of_the_month_is_written_as_people_write_it() -> None:
    when = datetime(2026, 11, 9, 23, 5, tzinfo=UTC)
    assert words.moment(when, "Europe/Paris") == "10 Nov 2026, 00:05"
    assert words.moment(when, "UTC") == "9 Nov 2026, 23:05"


def test_marks_cut_a_text_without_losing_a_letter() -> None:
    text = "One two three four"
    pieces = cut(text, evidence=[Span(start=4, end=13)], repeats=[Span(start=8, end=18)])
    assert "".join(piece.text for piece in pieces) == text
    assert [(p.text, p.marks) for p in pieces if p.marks] == [
        ("two ", ("evidence",)),
        ("three", ("evidence", "repeat")),
        (" four", ("repeat",)),
    ]


def test_a_mark_around_everything_is_no_mark() -> None:
    [piece] = cut("Win now", evidence=[Span(start=0, end=7)], repeats=[])
    assert piece.marks == ()
