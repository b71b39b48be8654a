"""Augmentation: the same comments as other people would have typed them, or as a trickster would."""

import random
import re
from dataclasses import dataclass, replace

from models.data.forms.evasion import evade
from models.data.sets import Example
from models.labels import SPAM_HEADS, TOXICITY_HEADS

NOT_A_LETTER = re.compile(r"[^a-z\s]+")
SPACES = re.compile(r"\s+")
HARM = (*SPAM_HEADS, *TOXICITY_HEADS)
# In sets whose rows come in several written forms, the form must not tell the label.
SEVERAL_FORMS = "x_text_form"


@dataclass(frozen=True)
class Shares:
    """How often each thing is done to a row, 0 to 1."""

    bare: float = 0.10  # no capitals, digits, punctuation
    bare_where_mixed: float = 0.50  # the same, in sets that hold both forms
    evaded_harm: float = 0.10  # letters replaced, spaced, hidden, in what is harmful
    evaded_harmless: float = 0.02  # and in what is not, so that the trick alone proves nothing
    joined: float = 0.10  # two comments in one: abuse hides among harmless words
    salad: float = 0.02  # words in no order


def vary(example: Example, other: Example | None, chance: random.Random, shares: Shares) -> Example:
    """One row of an epoch made from `example`; `other` is a comment that may be joined to it."""
    if chance.random() < shares.salad:
        return salad(example, chance)
    if other is not None and chance.random() < shares.joined:
        example = _joined(example, other, chance)
    harmful = max((example.labels.get(label, 0.0) for label in HARM), default=0.0) >= 0.5
    if chance.random() < (shares.evaded_harm if harmful else shares.evaded_harmless):
        return replace(example, text=evade(example.text, chance))
    mixed = SEVERAL_FORMS in example.row
    if chance.random() < (shares.bare_where_mixed if mixed else shares.bare):
        return replace(example, text=bare(example.text))
    return example


def bare(text: str) -> str:
    """Lower case, without punctuation and digits; as it was, if nothing would be left."""
    return SPACES.sub(" ", NOT_A_LETTER.sub(" ", text.lower())).strip() or text


def _joined(example: Example, other: Example, chance: random.Random) -> Example:
    """Both texts, in either order, harmful if one of them is; other labels cannot be told."""
    texts = [example.text, other.text]
    chance.shuffle(texts)
    both = {
        label: max(example.labels[label], other.labels[label])
        for label in HARM
        if label in example.labels and label in other.labels
    }
    if not both:
        return example
    return replace(example, text=chance.choice((" ", "\n\n")).join(texts), labels=both)


def salad(example: Example, chance: random.Random) -> Example:
    """Its words in no order; a handful of words is left as it is."""
    words = example.text.split()
    if len(words) < 6:
        return example
    chance.shuffle(words)
    return replace(example, text=" ".join(words), labels={"incoherent": 1.0})
