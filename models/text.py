"""Text: what training and serving do alike before the network sees a comment."""

import html
import math
import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import sentencex
from numpy.typing import NDArray

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
)
INVISIBLE = re.compile(f"[{_INVISIBLE}]")
# What cannot be seen does not end a word.
WORD = re.compile(rf"[^\W_]+(?:['’{_INVISIBLE}]+[^\W_]+)*")
# An address by its ending; one that is a word as well counts only with a path behind it.
URL = re.compile(
    r"https?://|www\."
    r"|\b[a-z0-9-]{2,}(?:\s?\.|\s\.\s|\s?[\[(]dot[\])]\s?|\sdot\s)(?:com|net|org|info|biz|ru|cn|uk|eu|io|cc|ai|gg|ly|xyz|vip|bet|"
    r"icu|app|shop|store|site|website|online|club|click|claim|loan|test|example|invalid)\b"
    r"|\b[a-z0-9-]{2,}\.(?:in|to|me|us|co|tv|top|fun|live|work|life|world|space|pro|win|bid|link)/\S",
    re.IGNORECASE,
)
# A whole address, to be left out where it is no word.
LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
EMAIL = re.compile(r"\S+@\S+\.\w+|\b\w+\s?(?:\(at\)|\[at\])\s?\w+", re.IGNORECASE)
PHONE = re.compile(r"\+?\d[\d\s().-]{7,}\d")
# What looks like a telephone number and is none: an IP address, a decimal, a date, years, a book's number.
NO_PHONE = re.compile(
    r"(?:\d{1,3}\.){3}\d{1,3}|\d+\.\d+|\d{1,4}[-. ]+\d{1,2}[-. ]+\d{1,4}|[12]\d{3}\s*-\s*[12]\d{3}|97[89][\d -]{10,14}"
)
MESSENGER = re.compile(
    r"what'?s\s?app|telegr(?:a|@|4)?m\b|t\.me|\bdm me\b|inbox me|text me|reach (?:him|her|me|out)|contact (?:him|her|me)|\bsignal\b.{0,12}\+",
    re.IGNORECASE,
)
MONEY = re.compile(
    r"[$€£₿]\s?\d|\d\s?(?:usd|usdt|btc|eth|dollars|%\s+(?:profit|return|off))", re.IGNORECASE
)
LOOKALIKE = re.compile("[\u0370-\u03ff\u0400-\u04ff]")
# What stands for which Latin letter, in a word that has Latin letters too.
LATIN = str.maketrans(
    "авеѕіјкмнорстухһԁԛԝАВЕЅІЈКМНОРСТУХαβγεικνορτυχωΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "abesijkmhopctyxhdqwABESIJKMHOPCTYXabyeikvoptuxwABEZHIKMNOPTYX",
)
# What a site's template left in the text.
ENTITY = re.compile(r"&(?:#\d{1,6}|#x[0-9a-f]{1,5}|[a-z]{2,8}\d?);", re.IGNORECASE)
# A digit in a box is the digit and these.
KEYCAP = re.compile("[\ufe0e\ufe0f\u20e3]")
LEET = re.compile(r"[a-z][0-9@$]+[a-z]", re.IGNORECASE)
SPACED = re.compile(r"(?:\b\w[ .\-_*]){4,}\w\b")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf]")
NAME_BAIT = re.compile(
    r"\b(?:seo|loans?|casino|bet|escorts?|pills?|cbd|keto|essay|writ(?:ers|ing)|recovery|hacker|forex|crypto|"
    r"invest\w*|trad(?:er|ing)|movers|plumb\w+|roofing|repair|cleaning|agency|services?|solutions|cheap|best|buy|online|www|\.com)\b",
    re.IGNORECASE,
)
# The same in an address, where words run together.
ADDRESS_BAIT = re.compile(
    r"seo|loan|casino|escort|pills|cbd|keto|essay|hacker|forex|crypto|invest|trading|movers|roofing|cheap",
    re.IGNORECASE,
)
FIRST_PERSON = re.compile(r"\b(?:i|i'm|i've|i'd|my|mine|me|we|our|us)\b", re.IGNORECASE)
NUMBER = re.compile(r"\d[\d.,]*")
# A comment of this many words has a `words_log` of 1.
LONG_WORDS = 150

FACTS = (
    "urls",
    "emails",
    "phones",
    "messengers",
    "money",
    "capitals",
    "exclamations",
    "emoji",
    "invisible",
    "lookalikes",
    "spaced_letters",
    "digits_in_words",
    "name_bait",
    "name_has_url",
    "author_url",
    "words_few",
    "words_log",
    "numbers",
    "first_person",
    "questions",
)
# Those that tell how much is said and how, whoever says it: what heads other than spam may look at.
MANNER = ("words_few", "words_log", "numbers", "first_person", "questions")


@dataclass(frozen=True)
class Author:
    """What is known of who wrote a comment; of an e-mail address, what stands behind the @."""

    name: str | None = None
    url: str | None = None
    email_domain: str | None = None


NOBODY = Author()


@dataclass(frozen=True)
class Span:
    """A stretch of text in code points; `end` is exclusive."""

    start: int
    end: int


def normalise(text: str) -> str:
    """The text as the network reads it: as long as the original, code point for code point.

    Invisible characters become spaces, compatibility forms of a single character (bold letters, full width) their plain
    ones, look-alikes from other alphabets amid Latin letters the Latin ones, and an HTML entity its character with spaces
    behind it, so that offsets stay those of the stored text.
    """
    text = ENTITY.sub(_entity, INVISIBLE.sub(" ", text))
    if text.isascii():
        return text
    plain = "".join(_plain(letter) for letter in KEYCAP.sub(" ", text))
    return WORD.sub(_latin, plain) if LOOKALIKE.search(plain) else plain


def sentences(text: str, language: str = "en") -> list[Span]:
    """The sentences of a text, without the white space around them; offsets in code points."""
    spans: list[Span] = []
    for boundary in sentencex.get_sentence_boundaries(language, text):
        span = trim(text, Span(boundary["start_index"], boundary["end_index"]))
        if span.end > span.start:
            spans.append(span)
    return spans


def trim(text: str, span: Span) -> Span:
    """A span without white space at its ends; empty where nothing is left."""
    piece = text[span.start : span.end]
    start = span.start + len(piece) - len(piece.lstrip())
    return Span(start, max(start, span.start + len(piece.rstrip())))


def facts(text: str, author: Author = NOBODY) -> NDArray[np.float32]:
    """What can be counted at a glance; (len(FACTS),), each within 0 and 2."""
    name = author.name or ""
    address = f"{author.url or ''} {author.email_domain or ''}"
    letters = sum(map(str.isalpha, text)) or 1
    words = WORD.findall(text)
    mixed = [word for word in words if LOOKALIKE.search(word)] if LOOKALIKE.search(text) else []
    lookalikes = sum(any(c.isascii() and c.isalpha() for c in word) for word in mixed)
    leet = sum(bool(LEET.search(word)) for word in text.split()) if LEET.search(text) else 0
    counts = (
        len(URL.findall(text)),
        len(EMAIL.findall(text)),
        len(_phones(text)),
        len(MESSENGER.findall(text)),
        len(MONEY.findall(text)),
        3 * sum(map(str.isupper, text)) / letters,
        text.count("!") / 2,
        len(EMOJI.findall(text)) / 2,
        len(INVISIBLE.findall(text)),
        lookalikes,
        len(SPACED.findall(text)),
        leet,
        bool(NAME_BAIT.search(name) or ADDRESS_BAIT.search(address)),
        bool(URL.search(name)),
        bool(author.url),
        2.0 if len(words) < 4 else 0.0,
        math.log1p(len(words)) / math.log1p(LONG_WORDS),
        len(NUMBER.findall(text)) / 3,
        10 * len(FIRST_PERSON.findall(text)) / (len(words) + 10),
        text.count("?") / 2,
    )
    return np.minimum(2.0, np.array(counts, dtype=np.float32))


def _phones(text: str) -> list[str]:
    found = PHONE.findall(KEYCAP.sub("", text))
    return [number for number in found if not NO_PHONE.fullmatch(number.strip())]


def _entity(found: re.Match[str]) -> str:
    character = html.unescape(found[0])
    return character.ljust(len(found[0])) if len(character) == 1 else found[0]


def _latin(word: re.Match[str]) -> str:
    letters = word[0]
    mixed = LOOKALIKE.search(letters) and any(c.isascii() and c.isalpha() for c in letters)
    return letters.translate(LATIN) if mixed else letters


def _plain(letter: str) -> str:
    folded = unicodedata.normalize("NFKC", letter)
    return folded if len(folded) == 1 else letter
