"""The plan of a run: which rows an epoch shows, varied how, in which batches."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch

from models.data import composed, sets
from models.data.augment import Shares, vary
from models.data.forms import Forms
from models.data.sets import Example, Part, part_of
from models.encoder import WIDTH
from models.network import load_encoder, pool
from models.training.batches import Reader, packed
from models.training.objective import LONGEST_HEADING

RATED = "insight_rubric"
PAIRED = "ukpconvarg_pairs"
PLACED = "composed_relevance"
WORTH = "composed_worth"
# Head → the set of pairs that teach it.
COMPARED = {"convincing": PAIRED, "insight": WORTH}
# Articles this near in rank are hard to tell apart; the very nearest may be the same subject.
NEAR = slice(2, 6)


@dataclass(frozen=True)
class Tuning:
    """One run's numbers; the recipe's TOML file gives and explains them."""

    epochs: int
    tokens_a_batch: int
    longest: int
    longest_rated: int
    rated_a_batch: int
    placed_a_batch: int
    pairs_a_batch: int
    encoder_rate: float
    head_rate: float
    warm_up: float
    weight_decay: float
    anchor_every: int
    rows: dict[str, int]
    row_weights: dict[str, float]
    loss_weights: dict[str, float]
    unlabelled_as_honest: list[str]
    # Label → how many times more a row is shown that has it.
    again: dict[str, int]
    shares: dict[str, float]
    # A version of weights to go on from; without one, the encoder as it was released.
    starts_from: str | None = None


@dataclass(frozen=True)
class Labelled:
    """A batch of rows with labels."""

    rows: list[Example]


@dataclass(frozen=True)
class Rated:
    """A batch of rated comments under articles that differ."""

    rows: list[Example]


@dataclass(frozen=True)
class Placed:
    """A batch of comments rated for their place alone, under articles that differ."""

    rows: list[Example]


@dataclass(frozen=True)
class Compared:
    """A batch of better arguments, and the worse ones beside them; `label` is the head that tells them apart."""

    label: str
    better: list[Example]
    worse: list[Example]


Work = Labelled | Rated | Placed | Compared


@dataclass(frozen=True)
class Plan:
    """What a run learns from, in which order; the same for the same seed."""

    labelled: dict[str, list[Example]]
    rated: list[Example]
    placed: list[Example]
    # For each article's id, a row under one that is like it.
    neighbours: dict[str, Example]
    # Head → pairs of which the first is to score higher.
    compared: dict[str, list[tuple[Example, Example]]]
    tuning: Tuning
    reader: Reader
    seed: int

    def epoch(self, number: int) -> list[Work]:
        """Every batch of an epoch, the kinds mixed."""
        chance = random.Random(self.seed * 1000 + number)  # noqa: S311 - no secret
        work: list[Work] = [Labelled(rows) for rows in self._labelled(chance)]
        tuning = self.tuning
        work += [Rated(r) for r in self._apart(self.rated, RATED, tuning.rated_a_batch, chance)]
        work += [Placed(r) for r in self._apart(self.placed, PLACED, tuning.placed_a_batch, chance)]
        for label, name in COMPARED.items():
            work += self._compared(label, tuning.rows.get(name, 0), chance)
        chance.shuffle(work)
        return work

    def _labelled(self, chance: random.Random) -> Iterator[list[Example]]:
        shares = Shares(**self.tuning.shares)
        rows = []
        for name, examples in self.labelled.items():
            whole, rest = divmod(self.tuning.rows[name], len(examples))
            drawn = examples * whole + chance.sample(examples, rest)
            rows += [vary(e, chance.choice(examples), chance, shares) for e in drawn]
        return packed(
            self.reader,
            rows,
            budget=self.tuning.tokens_a_batch,
            most=self.tuning.longest,
            chance=chance,
        )

    def _apart(
        self, examples: list[Example], name: str, size: int, chance: random.Random
    ) -> Iterator[list[Example]]:
        """Batches of comments under articles that differ, as many rows as the recipe asks for."""
        wanted = self.tuning.rows.get(name, 0) // size if examples else 0
        endless = chain.from_iterable(
            under_different_articles(examples, size, chance) for _ in iter(int, 1)
        )
        return islice(endless, wanted)

    def _compared(self, label: str, rows: int, chance: random.Random) -> list[Compared]:
        pairs = self.compared[label]
        size = min(self.tuning.pairs_a_batch, len(pairs))
        wanted = rows // size if size else 0
        some = [chance.sample(pairs, size) for _ in range(wanted)]
        return [
            Compared(label, [one for one, _ in each], [other for _, other in each]) for each in some
        ]


def make_plan(folder: Path, tuning: Tuning, *, seed: int, fold: int) -> Plan:
    """The LEARN part of every set that the recipe names."""

    def learned(name: str) -> list[Example]:
        return [e for e in sets.load(folder, name) if part_of(e, fold=fold) is Part.LEARN]

    labelled = {}
    for name, rows in tuning.rows.items():
        if name.startswith("forms_"):
            labelled[name] = to_learn(getattr(Forms(seed), name.removeprefix("forms_"))(rows))
        elif name.startswith(composed.PREFIX) and name not in {PLACED, WORTH}:
            labelled[name] = to_learn(composed.comments(name.removeprefix(composed.PREFIX)))
        elif name not in {RATED, PAIRED, PLACED, WORTH}:
            labelled[name] = learned(name)
    worth = composed.pairs() if WORTH in tuning.rows else []
    worth = [pair for pair in worth if to_learn([pair[0]])]
    if worth:
        labelled[WORTH] = [example for pair in worth for example in pair]
    for name in set(tuning.unlabelled_as_honest) & set(labelled):
        labelled[name] = [as_honest(e) for e in labelled[name]]
    rated = [as_honest(e) for e in learned(RATED)] if RATED in tuning.rows else []
    placed = to_learn(composed.placed()) if PLACED in tuning.rows else []
    under = {e.group: e for e in placed}
    compared = [compare(e) for e in learned(PAIRED)] if PAIRED in tuning.rows else []
    return Plan(
        labelled={n: shown_again(rows, tuning.again) for n, rows in labelled.items() if rows},
        rated=rated,
        placed=placed,
        neighbours=find_neighbours(rated, seed)
        | {group: under[e.row["neighbour"]] for group, e in under.items()},
        compared={"convincing": compared, "insight": worth},
        tuning=tuning,
        reader=Reader(),
        seed=seed,
    )


def to_learn(examples: Iterable[Example]) -> list[Example]:
    """Those of our own writing that are for learning, not for tuning."""
    return [e for e in examples if part_of(e) is Part.LEARN]


def shown_again(examples: list[Example], again: dict[str, int]) -> list[Example]:
    """The rows, and those with a rare label so many times more."""
    found = list(examples)
    for example in examples:
        times = max((n for label, n in again.items() if example.labels.get(label) == 1), default=0)
        found += [example] * times
    return found


def as_honest(example: Example) -> Example:
    """A reader's comment that nobody called spam: hardly any of them is."""
    return Example(**{**vars(example), "labels": {"spam": 0.0, **example.labels}})


def compare(example: Example) -> tuple[Example, Example]:
    """A row of two arguments as two examples, the more convincing one first."""
    other = Example(**{**vars(example), "text": example.row["text_b"]})
    return (example, other) if example.row["x_a_more_convincing"] else (other, example)


def under_different_articles(
    rated: list[Example], size: int, chance: random.Random
) -> Iterator[list[Example]]:
    """All rated comments once, at most `size` a batch, no two of a batch under one article."""
    left = list(rated)
    chance.shuffle(left)
    while left:
        batch: list[Example] = []
        seen: set[str] = set()
        later = []
        for example in left:
            if len(batch) < size and example.group not in seen:
                batch.append(example)
                seen.add(example.group)
            else:
                later.append(example)
        yield batch
        left = later


def find_neighbours(rated: list[Example], seed: int) -> dict[str, Example]:
    """For each article, a row of one that the released encoder finds like it."""
    by_article = {e.group: e for e in rated}
    ids = sorted(by_article)
    if len(ids) < 2:
        return by_article
    rows = [by_article[i].row for i in ids]
    titles = [f"{row['article_title']}. {row['article_desc'] or ''}" for row in rows]
    read = Reader().read(titles, LONGEST_HEADING)
    with torch.no_grad():
        means = pool(load_encoder()(read.ids, read.mask), read.kept)[:, :WIDTH]
    ranked = (means @ means.T).argsort(dim=1, descending=True).numpy()
    chance = np.random.default_rng(seed)
    near = NEAR if len(ids) > NEAR.start else slice(1, None)
    return {
        article: by_article[ids[int(chance.choice(order[near]))]]
        for article, order in zip(ids, ranked, strict=True)
    }
