"""Folding: a text as words that can be compared, each with its place in the text as stored. Pure."""

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from service.moderation.scores import Span

# Letters that decompose into nothing, and are read as these all the same.
READ_AS = {
    **dict(zip("øłđðıħŧɨ", "olddihti", strict=True)),
    **dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz", strict=True)),
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
}
# Cyrillic and Greek letters that pass for Latin ones, in a word that has Latin ones beside them.
LOOKALIKES = str.maketrans("авсԁеғһніјкӏморԛѕтухԝαεηικνορτυχω", "abcdefhhijklmopqstyxwaenikvoptuxw")
LATIN = re.compile("[a-z]")
# What stands for a letter; `1`, `!` and `|` are an i as often as an l.
LEET = str.maketrans("0345789@$€", "oeastbgase")
TWOFOLD = re.compile("[1!|]")
LEET_SIGNS = re.compile("[013457891@$€!|]")
SHORTEST_LEET = 3
MOST_TWOFOLD = 2
# Invisible, and yet letters to Unicode: fillers of Hangul and the blank of Braille.
FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Accents, points and harakat. Marks elsewhere are vowels: without them a Hindi word is another word.
ACCENTS = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u064b-\u0652\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]"
)
# Scripts that put no space between words: each of their letters is a word of its own.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
PLAIN_WORD = re.compile("[a-z0-9]+")
WORD = re.compile("w+|u")
# Words that hang together without a space: `vi@gra`, `v!agra`, `via-gra`, `f*ck`.
BY_SIGNS = re.compile(r"[@$€]?[^\W_]+(?:[@$€!|]{1,2}[^\W_]+)*[@$€]{0,3}")
# Possessive, and only from a word's beginning: or one endless word would be tried from each of its letters.
BY_GLUE = re.compile(r"(?<![^\W_])[^\W_]++(?:[@$€!|\-_*'’~·+]{1,2}[^\W_]++)+")
# Three and more single letters: `c i a l i s`, `c.i.a.l.i.s`.
SPELT = re.compile(
    r"(?<![^\W_])(?:(?:[^\W_]|[@$€])[\s.,\-_*·/~'’+|!]{1,3}){2,}(?:[^\W_]|[@$€])(?![^\W_])"
)
SPELT_LETTER = re.compile(r"[^\W_]|[@$€]")


class Word(NamedTuple):
    """A word of a text: its first and last unit (exclusive), its place in the folded text, and how it reads."""

    first: int
    after: int
    start: int
    end: int
    text: str


class Folded:
    """A text in units, the plain words one after the other, and the other ways to read some of them.

    `units` is what stands there; `readings[i]` are words that begin at unit i and undo a disguise.
    """

    def __init__(self, text: str) -> None:
        self.length = len(text)
        self.text, self._at = _fold(text)
        self.units = [
            Word(i, i + 1, start, end, self.text[start:end])
            for i, (start, end) in enumerate(_bounds(self.text))
        ]
        self.readings: dict[int, list[Word]] = defaultdict(list)
        self._starts = {unit.start: unit.first for unit in self.units}
        self._ends = {unit.end: unit.after for unit in self.units}
        self._read_disguises()

    def span(self, start: int, end: int) -> Span:
        """A stretch of the folded text as one of the text it was made from, never empty."""
        first = self._at[start]
        return Span(start=first, end=max(self._at[end], self._at[end - 1] + 1))

    def _read_disguises(self) -> None:
        plain = self.text.isascii()
        if not plain:
            for unit in self.units:
                self._add(unit.first, unit.after, unit.start, unit.end, _latin(unit.text))
        if LEET_SIGNS.search(self.text):
            for found in BY_SIGNS.finditer(self.text):
                if LEET_SIGNS.search(found[0]):
                    self._add_glued(found.start(), found.end(), found[0])
        for found in BY_GLUE.finditer(self.text):
            self._add_glued(found.start(), found.end(), re.sub(r"[-_*'’~·+]", "", found[0]))
        for start, end, spelt in _spelt(self.text):
            self._add_glued(start, end, spelt)

    def _add_glued(self, start: int, end: int, word: str) -> None:
        first = next((self._starts[at] for at in range(start, end) if at in self._starts), None)
        after = next((self._ends[at] for at in range(end, start, -1) if at in self._ends), None)
        if first is None or after is None:
            return
        for reading in _readings(_latin(word)):
            self._add(first, after, start, end, reading)

    def _add(self, first: int, after: int, start: int, end: int, reading: str) -> None:
        word = Word(first, after, start, end, reading)
        plain = after == first + 1 and reading == self.units[first].text
        if not plain and word not in self.readings[first]:
            self.readings[first].append(word)


def words(text: str) -> list[str]:
    """The plain words of a text, folded."""
    folded, _ = _fold(text)
    return [folded[start:end] for start, end in _bounds(folded)]


def visible(text: str) -> tuple[str, Sequence[int]]:
    """The text without what nobody sees, and where each of its code points stood (and the end)."""
    if text.isascii():
        return text, range(len(text) + 1)
    kept = [i for i, character in enumerate(text) if not _is_invisible(character)]
    return "".join(text[i] for i in kept), [*kept, len(text)]


def _fold(text: str) -> tuple[str, Sequence[int]]:
    """The folded text, and for each of its code points (and the end) its place in `text`."""
    if text.isascii():
        return text.lower(), range(len(text) + 1)
    pieces = [_folded(character) for character in text]
    at = [i for i, piece in enumerate(pieces) for _ in piece]
    return "".join(pieces), [*at, len(text)]


def _bounds(folded: str) -> Iterator[tuple[int, int]]:
    if folded.isascii():
        return (found.span() for found in PLAIN_WORD.finditer(folded))
    kinds = "".join(map(_kind, folded))
    return (found.span() for found in WORD.finditer(kinds))


@lru_cache(maxsize=8192)
def _folded(character: str) -> str:
    if _is_invisible(character):
        return ""
    letter = _enclosed(character) or character
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", letter).casefold())
    return "".join(READ_AS.get(part, part) for part in parts if not ACCENTS.match(part))


@lru_cache(maxsize=8192)
def _is_invisible(character: str) -> bool:
    # Marks that select a form of the character before them are accents of no letter.
    selects = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    joins = character == "\u034f"
    return selects or joins or character in FILLERS or unicodedata.category(character) == "Cf"


def _enclosed(character: str) -> str:
    """The letter in a white-on-black circle or square, or of a flag; these decompose into nothing."""
    for first in (0x1F150, 0x1F170, 0x1F1E6):
        if first <= ord(character) < first + 26:
            return chr(ord("a") + ord(character) - first)
    return ""


@lru_cache(maxsize=8192)
def _kind(character: str) -> str:
    if UNSPACED.match(character):
        return "u"
    return "w" if unicodedata.category(character)[0] in "LNM" else " "


def _latin(word: str) -> str:
    return word if word.isascii() or not LATIN.search(word) else word.translate(LOOKALIKES)


def _readings(word: str) -> list[str]:
    """The word as it stands and with its signs read as letters; a number stays a number."""
    if len(word) < SHORTEST_LEET or not LATIN.search(word) or not LEET_SIGNS.search(word):
        return [word]
    plain = word.translate(LEET)
    twofold = TWOFOLD.findall(plain)
    if len(twofold) > MOST_TWOFOLD:
        return [word, TWOFOLD.sub("i", plain), TWOFOLD.sub("l", plain)]
    parts = TWOFOLD.split(plain)
    return [
        word,
        *(
            parts[0] + "".join(map("".join, zip(chosen, parts[1:], strict=True)))
            for chosen in itertools.product("il", repeat=len(twofold))
        ),
    ]


def _spelt(folded: str) -> Iterator[tuple[int, int, str]]:
    """Words that are spelt letter by letter; a wider gap than the others ends one and begins the next."""
    for run in SPELT.finditer(folded):
        letters = list(SPELT_LETTER.finditer(run[0]))
        gaps = [b.start() - a.end() for a, b in itertools.pairwise(letters)]
        usual, word = min(gaps), [letters[0]]
        for gap, letter in [*zip(gaps, letters[1:], strict=True), (usual + 1, None)]:
            if gap == usual and letter is not None:
                word.append(letter)
                continue
            if len(word) >= SHORTEST_LEET:
                start, end = run.start() + word[0].start(), run.start() + word[-1].end()
                yield start, end, "".join(each[0] for each in word)
            word = [letter] if letter is not None else []
