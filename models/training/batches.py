"""Batches: examples as tensors, packed by padded tokens."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Encoding
from torch import Tensor

from models.data.sets import Example
from models.encoder import open_tokenizer
from models.network import encoder_folder
from models.text import facts, normalise

# Rows sorted by length at a time: enough for even batches, few enough to keep them mixed.
SORTED_AT_ONCE = 2048


@dataclass(frozen=True)
class Texts:
    """Texts as the encoder takes them; `kept` leaves out padding and the tokens that stand for no word."""

    ids: Tensor
    mask: Tensor
    kept: Tensor
    offsets: list[list[tuple[int, int]]]

    def to(self, device: torch.device) -> "Texts":
        """The same, elsewhere."""
        return Texts(self.ids.to(device), self.mask.to(device), self.kept.to(device), self.offsets)


@dataclass(frozen=True)
class Batch:
    """Rows of a batch: texts, facts (n, facts), targets and weights (n, labels); absent labels weigh 0."""

    texts: Texts
    facts: Tensor
    targets: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same, elsewhere."""
        return Batch(
            self.texts.to(device),
            self.facts.to(device),
            self.targets.to(device),
            self.weights.to(device),
        )


class Reader:
    """The tokenizer that serves, with texts cut to a length."""

    def __init__(self) -> None:
        self._tokenizer = open_tokenizer(encoder_folder() / "tokenizer.json")

    def lengths(self, texts: Sequence[str], most: int) -> list[int]:
        """Tokens of each text, at most `most`."""
        return [min(len(e.ids), most) for e in self._encode(texts)]

    def read(self, texts: Sequence[str], most: int) -> Texts:
        """Texts as tensors, padded to the longest."""
        encodings = self._encode(texts)
        longest = min(most, max(len(e.ids) for e in encodings))
        ids = np.zeros((len(texts), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        kept = np.zeros_like(ids, dtype=bool)
        offsets = []
        for row, encoding in enumerate(encodings):
            inner = encoding.ids[1:-1][: longest - 2]
            tokens = [encoding.ids[0], *inner, encoding.ids[-1]]
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
            kept[row, 1 : len(tokens) - 1] = True
            offsets.append(encoding.offsets[1 : len(tokens) - 1])
        return Texts(torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(kept), offsets)

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        return self._tokenizer.encode_batch([normalise(text) for text in texts])


def as_batch(
    reader: Reader,
    examples: Sequence[Example],
    labels: Sequence[str],
    source_weights: dict[str, float],
    most: int,
) -> Batch:
    """Examples as tensors."""
    targets = np.zeros((len(examples), len(labels)), dtype=np.float32)
    weights = np.zeros_like(targets)
    for row, example in enumerate(examples):
        weight = source_weights.get(example.source, 1.0)
        for column, label in enumerate(labels):
            if label in example.labels:
                targets[row, column] = example.labels[label]
                weights[row, column] = weight
    seen = np.stack([facts(e.text, e.author) for e in examples])
    return Batch(
        reader.read([e.text for e in examples], most),
        torch.from_numpy(seen),
        torch.from_numpy(targets),
        torch.from_numpy(weights),
    )


def packed(
    reader: Reader, examples: list[Example], *, budget: int, most: int, chance: random.Random
) -> Iterator[list[Example]]:
    """An epoch of batches of at most `budget` padded tokens each, like lengths together, shuffled."""
    order = list(examples)
    chance.shuffle(order)
    for start in range(0, len(order), SORTED_AT_ONCE):
        piece = order[start : start + SORTED_AT_ONCE]
        lengths = reader.lengths([e.text for e in piece], most)
        by_length = sorted(range(len(piece)), key=lambda i: lengths[i])
        batches: list[list[Example]] = [[]]
        for i in by_length:
            if batches[-1] and lengths[i] * (len(batches[-1]) + 1) > budget:
                batches.append([])
            batches[-1].append(piece[i])
        chance.shuffle(batches)
        yield from batches
