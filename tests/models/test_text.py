"""Text: offsets stay those of the stored text, and tricks are seen."""

from itertools import pairwise

import numpy as np
import pytest

from models.text import FACTS, Author, Span, facts, normalise, sentences


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "",
        "b\u200bu\u00ady",
        "ｆｕｌｌ 𝐛𝐨𝐥𝐝 ﬁ",
        "e\u0301 é",
        "👩‍👩‍👧 family",
        "İstanbul ß ẞ",
        "a\U0001f600b",
    ],
)
def test_normalising_keeps_every_code_point_in_its_place(text: str) -> None:
    assert len(normalise(text)) == len(text)


def test_bold_and_wide_letters_are_read_as_plain_ones() -> None:
    assert normalise("𝐁𝐮𝐲 ｎｏｗ") == "Buy now"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("buy сrурtо now", "buy crypto now"),  # Cyrillic letters in a Latin word
        ("Αmazοn", "Amazon"),  # Greek ones
        ("Москва, мир", "Москва, мир"),  # words of their own alphabet
        ("call 5️⃣5️⃣", "call 5  5  "),  # digits in boxes
    ],
)
def test_letters_and_digits_in_disguise_are_read_as_what_they_stand_for(
    text: str, read: str
) -> None:
    assert normalise(text) == read


def test_sentences_are_stretches_of_the_text_and_lose_no_word() -> None:
    text = "  I agree.  Dr. Smith said 3.5 % is enough!\n\nIs it? “Yes.” 😀 Well…  "
    spans = sentences(text)
    assert "".join(text[s.start : s.end] for s in spans).replace(" ", "") == "".join(text.split())
    assert text[spans[0].start : spans[0].end] == "I agree."
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert sentences(" \n ") == []


def test_a_span_counts_code_points_and_not_bytes_or_utf16() -> None:
    text = "😀😀 Yes. No."
    assert sentences(text)[-1] == Span(8, 11)


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ("urls", "see www.deal.example"),
        ("emails", "write to fix@desk.example"),
        ("urls", "wallets.example/a and best-loans.vip"),
        ("urls", "loans [dot] com"),
        ("urls", "earn.fun/now"),
        ("phones", "call +44 1632 960 411"),
        ("phones", "5️⃣5️⃣5️⃣0️⃣1️⃣0️⃣7️⃣7️⃣8️⃣8️⃣"),
        ("messengers", "on telegram @agent"),
        ("messengers", "WhatsApp me"),
        ("money", "earned $4,200"),
        ("invisible", "ca\u200bsino"),
        ("lookalikes", "cаsino"),
        ("spaced_letters", "c a s i n o now"),
        ("digits_in_words", "v1agra"),
    ],
)
def test_a_trick_is_a_fact(fact: str, text: str) -> None:
    plain = "I walked along the quay this morning and met nobody at all."
    index = FACTS.index(fact)
    assert facts(text)[index] > 0
    assert facts(plain)[index] == 0


@pytest.mark.parametrize(
    "author",
    [
        Author(name="Cheap Loans"),
        Author(name="Ada", url="https://cheaploans4u.example"),
        Author(name="Ada", email_domain="fastcasino.example"),
    ],
)
def test_a_business_shows_in_a_name_and_in_either_address(author: Author) -> None:
    bait = FACTS.index("name_bait")
    assert facts("Thank you.", author)[bait] > 0
    assert facts("Thank you.", Author("Ada", "https://ada.example", "mail.example"))[bait] == 0


def test_facts_are_bounded() -> None:
    many = facts(
        "!" * 5000 + " www.a.example" * 500, Author("Casino www.x.example", "https://x.example")
    )
    assert many.shape == (len(FACTS),)
    assert float(np.max(many)) <= 2.0


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ("urls", "Ask your instructor. Test it yourself."),
        ("urls", "It was great.In fact I went twice."),
        ("phones", "She was mayor from 1939 -1945, and again 2001-2009."),
        ("phones", "signed 4-19-2009 by 192.168.100.12"),
        ("phones", "p = 0.918102328802701"),
        ("phones", "ISBN 978-3-16-148410-0"),
        ("messengers", "I read it in the Telegraph, and in the telegrams."),
    ],
)
def test_what_only_looks_like_bait_is_none(fact: str, text: str) -> None:
    assert facts(text)[FACTS.index(fact)] == 0
