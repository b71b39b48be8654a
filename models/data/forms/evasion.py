"""Evasions: how text is disguised so that filters do not read it, but people do."""

import random
import re
from collections.abc import Callable

# What some evasions alter and nothing else.
ADDRESS = re.compile(r"https?://\S+|\b[\w-]+(?:\.[\w-]+)+(?:/\S*)?|@\w+")

LOOKALIKES = {
    **dict(zip("aceopxyisjBHKMTAEOPC", "асеорхуіѕјВНКМТАЕОРС", strict=True)),
    **dict(zip("vuntwk", "νυητωκ", strict=True)),
}
LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "l": "1", "b": "8"}
HIDDEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
STYLED = (0x1D400, 0x1D5D4, 0x1D63C)  # bold, sans bold, sans bold italic capitals


def evade(text: str, chance: random.Random) -> str:
    """The text as somebody disguises it who wants filters not to read it, but people to."""
    kinds = chance.sample(EVASIONS, 2 if chance.random() < 0.2 else 1)
    for kind in kinds:
        text = kind(text, chance)
    return text


def _some_words(
    text: str, chance: random.Random, alter: Callable[[str], str], *, least: int = 4
) -> str:
    """`alter` applied to all long enough words, or only to a few: both are common."""
    share = chance.choice((0.15, 0.3, 0.6, 1.0))
    words = [m for m in re.finditer(r"[^\W_]+", text) if len(m[0]) >= least]
    chosen = [m for m in words if chance.random() < share] or words[-1:]
    for match in reversed(chosen):
        text = text[: match.start()] + alter(match[0]) + text[match.end() :]
    return text


def _lookalikes(text: str, chance: random.Random) -> str:
    share = chance.choice((0.3, 0.6, 1.0))
    return _some_words(
        text,
        chance,
        lambda w: "".join(LOOKALIKES.get(c, c) if chance.random() < share else c for c in w),
        least=3,
    )


def _hidden(text: str, chance: random.Random) -> str:
    mark = chance.choice(HIDDEN)
    return _some_words(
        text,
        chance,
        lambda w: w[0] + "".join((mark if chance.random() < 0.4 else "") + c for c in w[1:]),
    )


def _spaced(text: str, chance: random.Random) -> str:
    gap = chance.choice((" ", " ", ".", "-", "_", "*"))
    return _some_words(text, chance, gap.join, least=5)


def _leet(text: str, chance: random.Random) -> str:
    def alter(word: str) -> str:
        return "".join(
            chance.choice(LEET[c.lower()]) if c.lower() in LEET and chance.random() < 0.5 else c
            for c in word
        )

    return _some_words(text, chance, alter)


def _keycaps(text: str, chance: random.Random) -> str:
    if any(c.isascii() and c.isdigit() for c in text):
        return re.sub(r"[0-9]", lambda m: m[0] + "\ufe0f\u20e3", text)
    return _styled(text, chance)


def _styled(text: str, chance: random.Random) -> str:
    start = chance.choice(STYLED)

    def letter(c: str) -> str:
        if not (c.isascii() and c.isalpha()):
            return c
        return chr(start + ord(c) - 65 if c.isupper() else start + 26 + ord(c) - 97)

    return _some_words(text, chance, lambda w: "".join(map(letter, w)))


def _broken_address(text: str, chance: random.Random) -> str:
    dot = chance.choice((" dot ", "[.]", "(dot)", " . ", ",", " [dot] ", "(.)", "。", " d0t "))
    head = chance.choice(("hxxps://", "", "h t t p s : / / ", "https:// "))

    def alter(match: re.Match[str]) -> str:
        return re.sub(r"^https?://", head, match[0]).replace(".", dot).replace("@", " at ")

    broken = ADDRESS.sub(alter, text)
    return broken if broken != text else _leet(text, chance)


def _doubled(text: str, chance: random.Random) -> str:
    return _some_words(
        text, chance, lambda w: "".join(c * (2 if chance.random() < 0.3 else 1) for c in w)
    )


def _capitals(text: str, chance: random.Random) -> str:
    if chance.random() < 0.3:
        return text.upper() + "!" * chance.randint(0, 4)
    return "".join(c.upper() if chance.random() < 0.4 else c.lower() for c in text)


EVASIONS: tuple[Callable[[str, random.Random], str], ...] = (
    _lookalikes,
    _lookalikes,
    _hidden,
    _spaced,
    _leet,
    _keycaps,
    _styled,
    _broken_address,
    _broken_address,
    _doubled,
    _capitals,
)
