"""Comments written from forms, for training only: spam, honest look-alikes, abuse, site talk."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from models.data.forms.evasion import evade
from models.data.forms.slots import Page, nickname, person, read, slots
from models.data.sets import Example
from models.text import Author

EVADED = 0.3
SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[A-Z])")
# Families whose forms are short and carry few slots: several of them make one comment.
STACKED = {"empty_praise"}
# Forms that stand alone: an address, a nod, a formula. They get no greeting and may repeat.
BARE = {"link_only", "short", "short_thanks", "bland_business", "empty_praise", "odd_letters"}
# What anybody writes under an article; also the lead of spam that hides behind a topic.
TOPICAL = ("opinions", "politics", "prices", "questions", "jokes", "money_experience")
ORDINARY = (*TOPICAL, "nonnative", "replies", "long_stories", "owners")


@dataclass(frozen=True)
class Draft:
    """A comment on its way: its text, the number of its form, the topic that it stands under."""

    text: str
    form: int
    topic: str


@dataclass(frozen=True)
class Forms:
    """A seeded source of comments; the same seed gives the same ones."""

    seed: int

    def spam(self, number: int) -> Iterator[Example]:
        """`number` spam comments, about 30 % of them disguised."""
        chance = self._chance("spam")
        for name, draft in _drafts(chance, "spam.json", number):
            text = draft.text
            if name not in BARE and chance.random() < 0.2:
                text = _joined(chance, _ordinary(chance, draft.topic, TOPICAL), text)
            if name not in STACKED and chance.random() < EVADED:
                text = evade(text, chance)
            yield _example("spam", name, draft, text, _spammer(chance, name))

    def honest(self, number: int) -> Iterator[Example]:
        """`number` honest comments that share words, links, prices and names with spam."""
        chance = self._chance("honest")
        for name, draft in _drafts(chance, "honest.json", number):
            text = draft.text
            if name not in BARE and chance.random() < 0.3:
                text = _joined(chance, text, _ordinary(chance, draft.topic, (name, *TOPICAL)))
            if chance.random() < 0.02:  # some play with letters, and sell nothing
                text = evade(text, chance)
            yield _example("honest", name, draft, text, _reader(chance, name))

    def abuse(self, number: int) -> Iterator[Example]:
        """`number` comments on the toxic and the harmless side of the same sentences."""
        chance = self._chance("abuse")
        for name, draft in _drafts(chance, "abuse.json", number):
            toxic = bool(read("abuse.json")[name]["labels"]["toxicity"])
            # Toxic forms are shorter, so they more often get company: one part decides.
            text = _mixed(chance, draft, 0.4 if toxic else 0.15)
            if chance.random() < (0.02, 0.1, 0.35)[toxic + (name == "evasive_insults")]:
                text = evade(text, chance)
            yield _example("abuse", name, draft, text, _reader(chance, name))

    def site_talk(self, number: int) -> Iterator[Example]:
        """`number` comments about this site, or about media, censorship and all other things."""
        chance = self._chance("site_talk")
        for name, draft in _drafts(chance, "site_talk.json", number):
            text = _mixed(chance, draft, 0.25)
            yield _example("site_talk", name, draft, text, _reader(chance, name))

    def _chance(self, name: str) -> random.Random:
        return random.Random(f"{self.seed}/{name}")  # noqa: S311 - repeatable on purpose


def _drafts(chance: random.Random, file: str, number: int) -> Iterator[tuple[str, Draft]]:
    """`number` comments, families by their weights, texts not seen before where possible."""
    families = read(file)
    weights = [family["weight"] for family in families.values()]
    seen: set[str] = set()
    for name in chance.choices(list(families), weights, k=number):
        for _ in range(8):
            draft = _draft(chance, name, families[name]["forms"])
            if draft.text not in seen:
                break
        seen.add(draft.text)
        yield name, draft


def _draft(chance: random.Random, name: str, forms: list[str]) -> Draft:
    source = name if forms else chance.choice(ORDINARY)
    forms = forms or read("honest.json")[source]["forms"]
    form, topic = chance.randrange(len(forms)), chance.choice(slots()["topic"])
    text = Page(chance, {"topic": topic}).expand(forms[form])
    if name in STACKED:
        rest = chance.sample(forms, chance.choice((0, 1, 1, 2, 3)))
        text = " ".join(
            [text, *(Page(chance).expand(more) for more in rest if more != forms[form])]
        )
    if source not in BARE:
        text = _framed(chance, text, topic)
    return Draft(_voiced(chance, text), form, topic)


def _ordinary(chance: random.Random, topic: str, families: tuple[str, ...]) -> str:
    forms = read("honest.json")[chance.choice(families)]["forms"]
    return Page(chance, {"topic": topic}).expand(chance.choice(forms))


def _mixed(chance: random.Random, draft: Draft, share: float) -> str:
    """The text, at times with an ordinary sentence before or after it."""
    if chance.random() >= share:
        return draft.text
    more = _ordinary(chance, draft.topic, TOPICAL)
    pair = (draft.text, more) if chance.random() < 0.5 else (more, draft.text)
    return _joined(chance, *pair)


def _joined(chance: random.Random, before: str, after: str) -> str:
    if chance.random() < 0.25:
        return f"{before}\n{after}"
    word = before.rsplit(" ", 1)[-1]
    stop = "." if word.isalpha() and chance.random() < 0.8 else ""
    return f"{before}{stop} {after}"


def _framed(chance: random.Random, text: str, topic: str) -> str:
    said = {"topic": topic}
    if chance.random() < 0.18:
        text = f"{Page(chance, said).expand(chance.choice(slots()['opener']))} {text}"
    if chance.random() < 0.15:
        text = f"{text} {Page(chance, said).expand(chance.choice(slots()['closer']))}"
    return text


def _voiced(chance: random.Random, text: str) -> str:
    """The text as hurried, careless or neat people type it; alike for all classes."""
    kind = chance.random()
    if kind < 0.08:
        return text.lower() if "/" not in text else text
    if kind < 0.14:
        return text.rstrip(".")
    if kind < 0.19:
        return text.replace("'", "")
    if kind < 0.24:
        return text.replace("'", "’").replace(" - ", " – ")
    if kind < 0.34:
        return _typed(chance, text)
    if kind < 0.37:
        return SENTENCE_END.sub(chance.choice(("\n", "\n\n")), text)
    if kind < 0.40:
        return re.sub(r"\.$", chance.choice(("!", "!!", "...", "…", " !")), text)
    if kind < 0.42 and len(text) < 200 and "/" not in text:
        return text.upper()
    return text.replace(", ", " , ").replace("I ", "i ") if kind > 0.98 else text


def _typed(chance: random.Random, text: str) -> str:
    """The text with one or a few slips of the finger in plain words."""
    words = text.split(" ")
    plain = [i for i, word in enumerate(words) if word.isalpha() and len(word) > 3]
    for i in chance.sample(plain, min(len(plain), chance.choice((1, 1, 2, 4)))):
        word, at = words[i], chance.randrange(1, len(words[i]) - 1)
        words[i] = chance.choice(
            (
                word[:at] + word[at + 1] + word[at] + word[at + 2 :],
                word[:at] + word[at + 1 :],
                word[:at] + word[at] + word[at:],
            )
        )
    return " ".join(words)


def _spammer(chance: random.Random, family: str) -> tuple[str | None, str | None]:
    kind = chance.random()
    # A bland "nice post" is spam by the shop that signs it, and by nothing else.
    if family == "bland_business":
        kind = chance.uniform(0.62, 0.9)
    if kind < 0.5:
        name: str | None = person(chance)
    elif kind < 0.62:
        name = nickname(chance)
    elif kind < 0.82:
        name = Page(chance).expand("{firm}")
    elif kind < 0.9:
        name = Page(chance).expand(chance.choice(("{Keyword}", "{keyword}", "{host}")))
    else:
        name = None
    shop = 0.62 <= kind < 0.9
    url = _linked(chance, "{host}", 0.5 if shop else 0.15)
    return name, url


def _reader(chance: random.Random, family: str) -> tuple[str | None, str | None]:
    kind = chance.random()
    if family == "owners":
        kind = 1 - kind / 2
    elif family == "short_thanks":
        kind *= 0.8
    if kind < 0.6:
        name: str | None = person(chance)
    elif kind < 0.8:
        name = nickname(chance)
    elif kind < 0.88:
        name = None
    else:
        name = Page(chance).expand(chance.choice(("{club}", "{club}", "{firm_plain}")))
    shop = kind >= 0.88
    url = None if family == "short_thanks" else _linked(chance, "{blog}", 0.45 if shop else 0.08)
    return name, url


def _linked(chance: random.Random, form: str, share: float) -> str | None:
    if chance.random() >= share:
        return None
    address = Page(chance).expand(form)
    return address if "://" in address else f"https://{address}"


def _example(
    kind: str, family: str, draft: Draft, text: str, author: tuple[str | None, str | None]
) -> Example:
    labels = read(f"{kind}.json")[family]["labels"]
    return Example(
        text=text,
        labels={name: float(value) for name, value in labels.items()},
        source=f"forms_{kind}",
        group=f"{kind}/{family}",
        split="train",
        author=Author(*author),
        row={"form": f"{family}/{draft.form}"},
    )
