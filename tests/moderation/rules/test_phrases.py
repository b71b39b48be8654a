"""Words and phrases: found whole, in every disguise that is undone, and never across words."""

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.moderation.rules.folding import Folded, visible
from service.moderation.rules.phrases import PhraseIndex


def find(text: str, *phrases: str) -> list[str]:
    """The stretches of the text where any of the phrases is found."""
    found = PhraseIndex((0, phrase) for phrase in phrases).find(Folded(text))
    return [text[span.start : span.end] for span in found.get(0, ())]


@pytest.mark.parametrize(
    "text",
    [
        "cialis",
        "CIALIS",
        "Ciális",
        "cia\u0301lis",
        "c1al1s",
        "c1a1is",
        "c!al!s",
        "ci@li$",
        "c|alis",
        "c i a l i s",
        "C.I.A.L.I.S",
        "c-i-a-l-i-s",
        "c_i_a_l_i_s",
        "c * i * a * l * i * s",
        "c\ni\na\nl\ni\ns",
        "cia-lis",
        "ci\u200bal\u00adis",
        "ci\u2060a\ufe0flis",
        "сiаlis",  # two letters of it are Cyrillic
        "ｃｉａｌｉｓ",
        "𝐜𝐢𝐚𝐥𝐢𝐬",
        "ᴄɪᴀʟɪs",
        "🅒🅘🅐🅛🅘🅢",
    ],
)
def test_a_word_is_found_in_its_disguises_and_the_evidence_is_the_whole_of_it(text: str) -> None:
    assert find(text, "cialis") == [text]
    assert find(f"Buy {text}, cheap. Pay later", "cialis") == [text]


@pytest.mark.parametrize(
    "text",
    [
        "specialist",
        "The specialist is here",
        "s p e c i a l i s t",
        "social is better",
        "special is as special does",
        "c i a l i s t",
        "cialist",
        "dialis",
        "ci alis",
        "c1al15t",
        "",
        "!!!",
    ],
)
def test_a_word_is_not_found_in_another_nor_across_two(text: str) -> None:
    assert find(text, "cialis") == []


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("Go kill yourself now", "kill yourself", ["kill yourself"]),
        ("K1ll   y0urself!", "kill yourself", ["K1ll   y0urself"]),
        ("k i l l  y o u r s e l f", "kill yourself", ["k i l l  y o u r s e l f"]),
        ("kill,\nyourself", "kill yourself", ["kill,\nyourself"]),
        ("kill\n\n\n\n\n\nyourself", "kill yourself", []),
        ("skill yourself", "kill yourself", []),
        ("Don’t you dare", "don't you", ["Don’t you"]),
        ("In der STRASSE und Straße", "straße", ["STRASSE", "Straße"]),
        ("买违禁药吗", "违禁药", ["违禁药"]),
        ("हिन्दी भाषा", "हिन्दी", ["हिन्दी"]),
        ("हिन्दा", "हिन्दी", []),
        ("The 5G mast and 3D film", "sg", []),
        ("a$$ and @ss and class", "ass", ["a$$", "@ss"]),
        ("In 1337 and 2005", "leet", []),
        ("½cup and ½ cup", "cup", ["cup"]),
    ],
)
def test_phrases_are_found_word_by_word(text: str, phrase: str, found: list[str]) -> None:
    assert find(text, phrase) == found


def test_each_owner_hears_of_its_own_phrases() -> None:
    index = PhraseIndex([(1, "pills"), (2, "cheap pills"), (2, "pills")])
    found = index.find(Folded("cheap pills"))
    assert {owner: len(spans) for owner, spans in found.items()} == {1: 1, 2: 2}


TRICKS = st.text(
    st.one_of(
        st.sampled_from("cialspet CIALS.-_*@$!|10 \n\u200b\u00ad\u0301\ufe0fсіаß½ⓒ违 "),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)


@given(TRICKS)
def test_places_are_always_inside_the_text_and_never_empty(text: str) -> None:
    folded = Folded(text)
    for word in [*folded.units, *(w for some in folded.readings.values() for w in some)]:
        span = folded.span(word.start, word.end)
        assert 0 <= span.start < span.end <= len(text)
        assert 0 <= word.first < word.after <= len(folded.units)
    seen, at = visible(text)
    assert len(at) == len(seen) + 1
    assert list(at) == sorted(at)
    assert all(text[at[i]] == character for i, character in enumerate(seen))


@given(TRICKS, st.sampled_from(["cialis", "special", "a", "kill yourself"]))
def test_what_is_found_is_inside_the_text(text: str, phrase: str) -> None:
    for span in PhraseIndex([(0, phrase)]).find(Folded(f"{text} {phrase} {text}")).get(0, ()):
        assert 0 <= span.start < span.end <= 2 * len(text) + len(phrase) + 2


WORDS = st.text(string.ascii_lowercase, min_size=2, max_size=8)


@given(st.lists(WORDS, min_size=1, max_size=6), WORDS)
def test_among_plain_words_exactly_the_word_itself_is_found(text: list[str], word: str) -> None:
    """Words of two letters and more with spaces between are never joined, cut or read otherwise."""
    assert find(" ".join(text), word) == [each for each in text if each == word]


@given(WORDS.filter(lambda word: len(word) > 2), WORDS, WORDS)
def test_a_word_with_letters_before_or_behind_is_another(word: str, left: str, right: str) -> None:
    joined = left + word + right
    spelt = " ".join(joined)
    for disguised in (joined, spelt, "\u200b".join(joined), joined.upper()):
        assert find(disguised, word) == []
        assert find(disguised, joined) == [disguised]


@pytest.mark.parametrize(
    "piece",
    [
        "the quick brown f0x, ",
        "x",
        "1",
        "a ",
        "a-",
        "1a1 ",
        "é@",
        "a.b ",
        "word0 ",
        "违",
        "\u200b",
        "!a|",
    ],
)
def test_a_long_text_takes_no_longer_than_its_length(piece: str) -> None:
    text = (piece * 50_000)[:50_000]
    index = PhraseIndex((n // 10, f"word{n % 10} of rule {n}") for n in range(5000))
    started = time.perf_counter()
    index.find(Folded(text))
    # Measured 0.3 s at the worst; quadratic time would take minutes.
    assert time.perf_counter() - started < 5
