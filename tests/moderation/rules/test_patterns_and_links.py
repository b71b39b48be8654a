"""Patterns run in linear time, and links are seen through what breaks them up."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.moderation.rules import links, patterns
from service.moderation.rules.folding import visible


@pytest.mark.parametrize(
    ("pattern", "trouble"),
    [
        (r"\b(take|use)\s+\d+ ?mg\b", None),
        ("(x+x+)+y", None),
        ("(", "RE2 does not take this pattern"),
        (r"(a)\1", "RE2 does not take this pattern"),
        ("(?=a)a", "RE2 does not take this pattern"),
        ("a*", "matches where nothing stands"),
        ("(a{100}){100}", "RE2 does not take this pattern"),
        (r"(\pL{1,9}\s?){9}q", "too large"),
    ],
)
def test_a_pattern_that_cannot_be_run_in_linear_time_is_refused(
    pattern: str, trouble: str | None
) -> None:
    said = patterns.trouble_of(pattern)
    assert (said is None) if trouble is None else (said is not None and trouble in said)


def test_what_kills_a_backtracking_engine_is_over_at_once() -> None:
    text = "x" * 50_000
    started = time.perf_counter()
    assert patterns.find("(x+x+)+y", *visible(text)) == ()
    assert patterns.find("(x|x)*(.|x)*(x|x)*y", *visible(text)) == ()
    assert time.perf_counter() - started < 2


def test_a_pattern_sees_no_invisible_letters_and_its_places_are_those_of_the_text() -> None:
    text = "é ta\u200bke 50\u00admg"
    [span] = patterns.find(r"TAKE \d+mg", *visible(text))
    assert text[span.start : span.end] == "ta\u200bke 50\u00admg"


@given(st.text(max_size=40))
def test_places_of_a_pattern_are_inside_the_text(text: str) -> None:
    for span in patterns.find(r"\w+|[^a-z]", *visible(text)):
        assert 0 <= span.start < span.end <= len(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://Example.com/x?y, ok", [("example.com", "https://Example.com/x?y")]),
        ("at www.foo.de.", [("foo.de", "www.foo.de")]),
        ("pills.shop now", [("pills.shop", "pills.shop")]),
        ("hxxps://evil[.]com/a", [("evil.com", "hxxps://evil[.]com/a")]),
        ("example (dot) com", [("example.com", "example (dot) com")]),
        ("bit.ly/abc", [("bit.ly", "bit.ly/abc")]),
        ("joe@spam.biz", [("spam.biz", "spam.biz")]),
        ("https://good.com@evil.com/x", [("evil.com", "https://good.com@evil.com/x")]),
        ('<a href="http://a.co.uk/x">x</a>', [("a.co.uk", "http://a.co.uk/x")]),
        ("http://bücher.example", [("xn--bcher-kva.example", "http://bücher.example")]),
        ("ci\u200ball.com", [("ciall.com", "ci\u200ball.com")]),
        ("I left it.Is that wrong? See no.More", []),
        ("node.js v2.0 and e.g. this", []),
        ("the dot com bubble", []),
    ],
)
def test_links_are_found_with_their_domain_and_their_place(
    text: str, found: list[tuple[str, str]]
) -> None:
    seen = [(link.domain, text[link.span.start : link.span.end]) for link in links.find(text)]
    assert [(domain.removeprefix("www."), place) for domain, place in seen] == found


def test_a_domain_takes_what_is_beneath_it_and_no_other() -> None:
    for domain, belongs in (
        ("example.com", True),
        ("shop.example.com", True),
        ("badexample.com", False),
        ("example.com.evil.net", False),
    ):
        assert links.belongs_to(domain, {"example.com"}) is belongs


@pytest.mark.parametrize("piece", ["a.", "www.", "a-", "a.com ", "http://", "x@"])
def test_links_of_a_long_text_are_found_in_linear_time(piece: str) -> None:
    started = time.perf_counter()
    links.find((piece * 50_000)[:50_000])
    assert time.perf_counter() - started < 3
