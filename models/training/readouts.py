"""Readouts: linear readings of the tuned encoder that are fitted after it has learned."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

from models.data import sets
from models.data.augment import salad
from models.data.forms import Forms
from models.data.sets import Example, Part, part_of
from models.encoder import WIDTH, Encoder
from models.network import POOLED, STRETCH, Network
from models.relevance import Likeness
from models.text import FACTS, MANNER, facts, normalise, sentences

Array = NDArray[np.float32]
# Set → every how manieth of its rows the likeness learns from: some thousand texts of every kind.
READ = {
    "insight_rubric": 1,
    "civil_spans": 6,
    "goemotions": 30,
    "ukpconvarg_rank": 1,
    "fox_hate": 2,
    "jigsaw_wiki": 12,
}
CHUNK = 512
# Pooled vectors as the network's heads take them.
SCALE = np.concatenate([np.full(WIDTH, STRETCH), np.ones(POOLED - WIDTH)])
ORDINARY = {
    "insight_rubric": 3,
    "civil_spans": 8,
    "goemotions": 20,
    "fox_hate": 2,
    "jigsaw_wiki": 20,
    "wiki_cat": 15,
    "davidson": 40,
    "youtube_spam": 2,
    "sms_spam": 8,
}
FORMS = 1200
SHORTEST_SALAD = 6
KIND_STRENGTH = 0.02


def fit_likeness(tuned: Encoder, released: Encoder, texts: Sequence[str]) -> Likeness:
    """The reading of the tuned encoder that comes nearest to what the released one says a text is about."""
    inputs, outputs = [], []
    for start in range(0, len(texts), CHUNK):
        some = [normalise(text) for text in texts[start : start + CHUNK]]
        inputs += [each.pooled * SCALE for each in tuned.encode(some)]
        outputs += [each.mean for each in released.encode(some)]
    fitted = Ridge(alpha=100.0).fit(np.stack(inputs), np.stack(outputs))
    return Likeness(
        weights=np.ascontiguousarray(fitted.coef_ * SCALE, dtype=np.float32),
        offsets=fitted.intercept_.astype(np.float32),
    )


def texts_to_read(folder: Path, fold: int) -> list[str]:
    """Comments, single sentences, titles and descriptions of the LEARN part."""
    found: set[str] = set()
    for name, step in READ.items():
        if not (folder / f"{name}.jsonl.zst").exists():
            continue
        learned = [e for e in sets.load(folder, name) if part_of(e, fold=fold) is Part.LEARN]
        for example in learned[::step]:
            found |= {example.text, *_headings(example)}
            if name == "insight_rubric":
                found |= {example.text[s.start : s.end] for s in sentences(example.text)[:2]}
    return sorted(text for text in found if text.strip())


def fit_kinds(network: Network, encoder: Encoder, folder: Path, *, seed: int, fold: int) -> None:
    """Fit the heads of kind anew, with ordinary comments of every set as what they are not.

    Training showed them rated comments and forms alone as counter-examples, so that whatever was short and
    of another set looked like word salad, or like talk about the site.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    ordinary = ordinary_rows(folder, fold)
    forms = list(Forms(seed).site_talk(FORMS)) + list(Forms(seed).honest(FORMS))
    forms = [e for e in forms if part_of(e, fold=fold) is Part.LEARN]
    rated = [e for e in ordinary if e.labels.get("about_site") == 1]
    long_enough = [e for e in ordinary if len(e.text.split()) >= SHORTEST_SALAD]
    jumbled = [salad(e, chance).text for e in long_enough[::2]]
    jumbled += [mash(chance) for _ in range(len(jumbled) // 6)]
    _refit(network, encoder, "incoherent", jumbled, [e.text for e in ordinary])
    site = [e.text for e in (*forms, *rated) if e.labels.get("about_site") == 1]
    other = [e.text for e in (*forms, *ordinary) if not e.labels.get("about_site")]
    _refit(network, encoder, "about_site", site, other)


def ordinary_rows(folder: Path, fold: int) -> list[Example]:
    """Comments of the LEARN part as they were written, of every length and manner."""
    found: list[Example] = []
    for name, step in ORDINARY.items():
        if (folder / f"{name}.jsonl.zst").exists():
            learned = [e for e in sets.load(folder, name) if part_of(e, fold=fold) is Part.LEARN]
            found += learned[::step]
    return found


def mash(chance: random.Random) -> str:
    """What a fist does to a keyboard."""
    words = range(chance.randint(1, 8))
    return " ".join(
        "".join(chance.choice("asdfghjklqwertzuiopyxcvbnm") for _ in range(chance.randint(3, 12)))
        for _ in words
    )


def _refit(
    network: Network, encoder: Encoder, label: str, those: list[str], others: list[str]
) -> None:
    if not those or not others:
        return
    texts = [*those, *others]
    pooled = np.stack([e.pooled for e in encoder.encode([normalise(text) for text in texts])])
    manner = np.array([fact in MANNER for fact in FACTS], dtype=np.float32)
    counted = np.stack([facts(text) for text in texts]) * manner
    inputs = np.concatenate([pooled * SCALE, counted], axis=1)
    truth = [1] * len(those) + [0] * len(others)
    fitted = LogisticRegression(C=KIND_STRENGTH, max_iter=500).fit(inputs, truth)
    row = network.labels.index(label)
    with torch.no_grad():
        network.heads.weight[row] = torch.from_numpy(fitted.coef_[0]).float()
        network.heads.bias[row] = float(fitted.intercept_[0])


def _headings(example: Example) -> set[str]:
    return {example.row.get("article_title") or "", example.row.get("article_desc") or ""}
