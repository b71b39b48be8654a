"""Everything a page can say has words."""

import re
from pathlib import Path

from service.moderation.policy import Reason
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
    shown = [words.percent(share).replace("\N{NO-BREAK SPACE}", " ") for share in (0.0001, 0.9999)]
    assert shown == ["under 1 %", "over 99 %"]


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
