"""Echo: words that the article said before, verbatim or nearly, and nothing else."""

import pytest

from models.echo import Source, find_repeats, share
from tests.models.conftest import ARTICLE

SOURCE = Source(ARTICLE.text, "article")
SENTENCE = "Buses now stop at the old fish market, which is four minutes from the shops on foot."


def test_a_sentence_of_the_article_is_an_echo_and_points_to_it() -> None:
    [repeat] = find_repeats(SENTENCE, SOURCE)
    assert share(SENTENCE, [repeat]) == 1.0
    there = ARTICLE.text[repeat.source.start : repeat.source.end]
    here = SENTENCE[repeat.comment.start : repeat.comment.end]
    assert there == here == SENTENCE.removesuffix(".")


@pytest.mark.parametrize(
    "text",
    [
        SENTENCE.upper(),
        f"“{SENTENCE}”",
        SENTENCE.replace("old ", ""),
        SENTENCE.replace("which", "that"),
        SENTENCE.replace("fish", "f\u200bish"),
        SENTENCE.replace(" ", "  "),
    ],
)
def test_small_changes_do_not_hide_an_echo(text: str) -> None:
    assert share(text, find_repeats(text, SOURCE)) > 0.95


def test_a_readers_own_words_about_the_same_thing_are_none() -> None:
    text = "I live by the fish market and the buses now stop outside my door all night long."
    assert find_repeats(text, SOURCE) == []


def test_a_quote_and_a_remark_are_told_apart() -> None:
    text = f'"{SENTENCE}" Four minutes? My mother needs twenty.'
    repeats = find_repeats(text, SOURCE)
    assert 0.5 < share(text, repeats) < 0.9
    assert all("mother" not in text[r.comment.start : r.comment.end] for r in repeats)


def test_seven_words_are_a_coincidence_and_eight_are_not() -> None:
    words = SENTENCE.split()
    assert find_repeats(" ".join(words[:7]), SOURCE) == []
    assert len(find_repeats(" ".join(words[:8]), SOURCE)) == 1


def test_nothing_repeats_nothing() -> None:
    assert find_repeats("", SOURCE) == []
    assert find_repeats(SENTENCE, Source("", "article")) == []
    assert share("", []) == 0.0
