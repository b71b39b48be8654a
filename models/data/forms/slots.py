"""Forms of comments: their alternatives, their slots, and who is named in them."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
SLOT = re.compile(r"\{([A-Za-z_]+\d?|\d+-\d+)\}")
VOWEL_SOUND = re.compile(r"(?i)(?!uni|use|eu|one|u[ks]\b)[aeiou]")
CURRENCIES = ("$", "$", "£", "€", "USD ", "R", "₦", "₹", "€", "$")


@dataclass
class Page:
    """The slots of one comment: a slot named twice says the same twice."""

    chance: random.Random
    said: dict[str, str] = field(default_factory=dict)

    def expand(self, form: str) -> str:
        """The form with every alternative chosen and every slot filled."""
        text = form
        while choice := CHOICE.search(text):
            picked = self.chance.choice(choice[1].split("|"))
            text = text[: choice.start()] + picked + text[choice.end() :]
        parts, end = [], 0
        for slot in SLOT.finditer(text):
            parts.append(text[end : slot.start()])
            value = self._value(slot[1])
            before = "".join(parts)[-3:].lower()
            if before in ("a", " a") or before.endswith(" a "):
                parts[-1] = parts[-1][:-1] + ("n " if VOWEL_SOUND.match(value) else " ")
            parts.append(value)
            end = slot.end()
        return " ".join("".join([*parts, text[end:]]).split(" ")).strip(" ")

    def _value(self, name: str) -> str:
        if name[0].isdigit():
            low, high = (int(bound) for bound in name.split("-"))
            return str(self.chance.randint(low, high))
        key = name.lower()
        if key not in self.said:
            bare = key.rstrip("0123456789")
            for _ in range(6):  # "{place} not {place2}" wants two places
                value = self._fresh(bare, key[len(bare) :])
                if value not in self.said.values():
                    break
            self.said[key] = value
        value = self.said[key]
        return value[0].upper() + value[1:] if name[0].isupper() else value

    def _fresh(self, name: str, number: str) -> str:
        if name in ("them", "self", "adj"):
            them, self_, adjective = self.chance.choice(read("identities.json"))
            self.said |= {f"them{number}": them, f"self{number}": self_, f"adj{number}": adjective}
            return self.said[name + number]
        if made := MADE.get(name):
            return made(self.chance)
        # An inner slot is filled apart, so that two sites of one comment differ.
        return Page(self.chance, self._shared()).expand(self.chance.choice(slots()[name]))

    def _shared(self) -> dict[str, str]:
        return {
            key: self.said[key] for key in ("first", "last", "handle", "topic") if key in self.said
        }


def person(chance: random.Random) -> str:
    """A name as people sign with."""
    names = read("names.json")
    first, last = chance.choice(names["first"]), chance.choice(names["last"])
    form = chance.choice(("{f} {l}",) * 5 + ("{f}", "{f} {i}.", "{l}", "{j}. {l}", "{l}, {f}"))
    return str(form.format(f=first, l=last, i=last[0], j=first[0]))


def _full_name(chance: random.Random) -> str:
    names = read("names.json")
    return f"{chance.choice(names['first'])} {chance.choice(names['last'])}"


def nickname(chance: random.Random) -> str:
    """A name that somebody took for the forum."""
    names = read("names.json")
    word = str(chance.choice((*names["nick"], *names["first"][:80])))
    tail = chance.choice(
        ("", str(chance.randint(2, 99)), str(chance.randint(1950, 2009)), "_", "x")
    )
    return (word.lower() if chance.random() < 0.6 else word.title()) + tail


def _handle(chance: random.Random) -> str:
    names = read("names.json")
    first = chance.choice(names["first"]).lower()
    trade = chance.choice(
        ("fx", "trades", "wallet", "herbal", "recovery", "coach", "pro", "loans", "official", "vip")
    )
    gap = chance.choice(("_", ".", "", "_"))
    pair = chance.choice(((first, trade), (trade, first), (first, first[0]), ("dr", first)))
    return gap.join(pair) + chance.choice(("", "", str(chance.randint(1, 999))))


def _phone(chance: random.Random) -> str:
    """A number from the ranges that are kept free for fiction."""
    two, three = f"{chance.randint(0, 99):02}", f"{chance.randint(0, 999):03}"
    area = chance.choice(("212", "305", "415", "702", "800", "888", "646"))
    return chance.choice(
        (
            f"+1 ({area}) 555-01{two}",
            f"+1-{area}-555-01{two}",
            f"1 {area} 555 01{two}",
            f"+44 1632 960{three}",
            f"01632 960 {three}",
            f"+44 7700 900{three}",
            f"07700 900{three}",
            f"({area}) 555 01{two}",
            f"0800 555 0{three}",
        )
    )


def _price(chance: random.Random) -> str:
    return f"{chance.choice('$£€$€')}{chance.randint(2, 40)}{chance.choice(('', '.50', '.99', ''))}"


def _fortune(chance: random.Random) -> str:
    unit = chance.choice((" million", "m", " million", "bn"))
    return f"{chance.choice('$£€')}{chance.randint(2, 90)}{unit}"


def _code(chance: random.Random) -> str:
    letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(chance.choices(letters, k=chance.choice((6, 7, 11))))


def _money(chance: random.Random) -> str:
    size = chance.choice((400, 900, 900, 3_000, 9_000, 20_000, 90_000))
    amount = chance.randint(size // 5, size)
    if amount > 999 and chance.random() < 0.7:
        amount = round(amount, -2)
    digits = f"{amount:,}" if chance.random() < 0.7 else str(amount)
    if chance.random() < 0.12 and amount > 999:
        digits = f"{amount // 1000}k"
    if chance.random() < 0.2:
        return f"{digits} {chance.choice(('euros', 'dollars', 'pounds', 'EUR', 'USD', 'quid'))}"
    return chance.choice(CURRENCIES) + digits


def _named(kind: str) -> Callable[[random.Random], str]:
    return lambda chance: str(chance.choice(read("names.json")[kind]))


MADE: dict[str, Callable[[random.Random], str]] = {
    "first": _named("first"),
    "last": _named("last"),
    "name": _full_name,
    "handle": _handle,
    "phone": _phone,
    "phone_bare": lambda chance: re.sub(r"\D", "", _phone(chance)),
    "money": _money,
    "price": _price,
    "fortune": _fortune,
    "ytid": _code,
    "year": lambda chance: str(chance.randint(1968, 2026)),
    "recent": lambda chance: str(chance.randint(2009, 2025)),
    "soon": lambda chance: str(chance.randint(2027, 2045)),
}


@cache
def read(name: str) -> Any:
    """A file of the phrase material."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def slots() -> dict[str, list[str]]:
    """Slot → what may fill it."""
    found: dict[str, list[str]] = read("slots.json")
    return found
