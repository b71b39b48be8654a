"""Language: held only when another language is sure."""

import pytest

from models.language import detect


@pytest.mark.parametrize(
    "text",
    [
        "I think the council has got this completely wrong again.",
        "As a nurse I can tell you that paracetamol and ibuprofen are not the same thing.",
        "Well said, Dilys, and thank you for the scones on Saturday morning.",
    ],
)
def test_english_is_judged(text: str) -> None:
    assert detect(text, None) == ("en", True)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Je trouve incroyable que la mairie ferme cette rue sans demander.", "fr"),
        ("Ich finde es unglaublich, dass die Straße einfach gesperrt wurde.", "de"),
        ("Это полная ерунда, они закрыли улицу и никого не спросили", "ru"),
        ("我認為市議會這次完全錯了", "zh"),
    ],
)
def test_another_language_is_not(text: str, language: str) -> None:
    assert detect(text, None) == (language, False)


def test_a_few_english_words_make_no_english_of_a_foreign_text() -> None:
    german = "Das ist doch the and of the people wieder typisch, niemand hat die Anwohner vorher gefragt, und nun "
    assert detect(
        german + "steht die ganze Straße jeden Morgen im Stau, weil keiner nachgedacht hat.", None
    ) == (
        "de",
        False,
    )


@pytest.mark.parametrize("text", ["+1", "Merci!", "", "😀😀😀", "Ibuprofen", "lol", "Danke schön"])
def test_too_little_to_tell_is_unknown_and_inherits_the_articles(text: str) -> None:
    assert detect(text, None) == ("unknown", True)
    assert detect(text, "en-GB") == ("en", True)
    assert detect(text, "fr") == ("fr", False)
