"""The lexicon, fitted: a linear model a head on the weighted word counts of the rows that the encoder learned from."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer

from models.data.sets import Example
from models.labels import HEADS
from models.lexicon import Lexicon
from models.text import normalise

Array = NDArray[np.float32]
# Found on TUNE rows, together with the share: stronger, and it learns single comments by heart.
STRENGTH = 1.0
# How much the lexicon says beside the network, whose logits it is added to.
SHARE = 0.6
# Salad has the words of sense.
SAYS_NOTHING_OF = ("incoherent",)


def fit_lexicon(
    examples: Sequence[Example], tokenizer: Tokenizer, weights: dict[str, float]
) -> Lexicon:
    """Learn from the LEARN part alone; `weights` says how much a row of a set counts, 1 where it is not named."""
    texts = [normalise(example.text) for example in examples]
    tokens = [encoding.ids[1:-1] for encoding in tokenizer.encode_batch(texts)]
    different = [np.unique(np.array(ids, dtype=np.int64)) for ids in tokens]
    found_in = np.bincount(np.concatenate(different), minlength=tokenizer.get_vocab_size())
    rarity = (np.log((1 + len(texts)) / (1 + found_in)) + 1).astype(np.float32)
    counting = Lexicon(weights=np.zeros((len(rarity), 0), dtype=np.float32), rarity=rarity)
    read = [counting.shares(np.array(ids, dtype=np.int64)) for ids in tokens]
    inputs = csr_matrix(
        (
            np.concatenate([shares for _, shares in read]),
            np.concatenate([known for known, _ in read]),
            np.cumsum([0, *(len(known) for known, _ in read)]),
        ),
        shape=(len(read), len(rarity)),
    )
    return Lexicon(
        weights=np.stack([_fit(label, examples, inputs, weights) for label in HEADS], axis=1),
        rarity=rarity,
    )


def _fit(
    label: str, examples: Sequence[Example], inputs: csr_matrix, weights: dict[str, float]
) -> Array:
    """(vocabulary,): a soft label is a row of both classes, each in part."""
    rows = [i for i, example in enumerate(examples) if label in example.labels]
    truth = np.array([examples[i].labels[label] for i in rows])
    each = np.array([weights.get(examples[i].source, 1.0) for i in rows])
    if label in SAYS_NOTHING_OF or not (truth > 0).any() or not (truth < 1).any():
        return np.zeros(inputs.shape[1], dtype=np.float32)
    classes = np.repeat([1, 0], len(rows))
    parts = np.concatenate([each * truth, each * (1 - truth)])
    twice = vstack([inputs[rows], inputs[rows]]).tocsr()
    model = LogisticRegression(C=STRENGTH, max_iter=200, solver="liblinear")
    model.fit(twice[parts > 0], classes[parts > 0], sample_weight=parts[parts > 0])
    found: Array = (SHARE * model.coef_[0]).astype(np.float32)
    return found
