"""Likeness: texts that say the same in almost the same words, found without comparing all with all. Pure."""

import hashlib
import itertools
from collections.abc import Iterable

import numpy as np

from service.moderation.rules.folding import words

# Words that a rewording adds and drops at will.
STOP = frozenset(
    words(
        "a an and are as at be been but by can could did do does for from had "
        "has have he her his i if in is it its just me my of on or our "
        "s she so t than that the their them then there these they this to us was we "
        "were what when which who will with would you your "
    )
)
# Under this many words of weight, honest people say the same: "Thank you for this wonderful article".
FEWEST_WORDS = 8
# Two texts are alike from this share of common pairs on. Of 980,724 pairs of readers' comments under the same
# article of a newspaper 13 reach it: reposts, and some that quote the same passage at length. A text with one
# word in five changed passes.
ALIKE = 0.3
# An index of 24 bands of 2: two texts at 0.3 share a band in 9 of 10 cases, at 0.5 in 999 of 1000.
BANDS, ROWS = 24, 2
# A longer text is known by its beginning as well, and many are compared at once.
LONGEST_READ = 10_000


def words_of_weight(text: str) -> list[str]:
    """The text's words without those that carry nothing; what is compared."""
    return [word for word in words(text[:LONGEST_READ]) if word not in STOP]


def pairs(weighty: list[str]) -> frozenset[str]:
    """Neighbouring words, also with one between them, in either order; empty for a text too short to tell."""
    if len(weighty) < FEWEST_WORDS:
        return frozenset()
    near = itertools.chain(itertools.pairwise(weighty), zip(weighty, weighty[2:], strict=False))
    return frozenset(" ".join(sorted(pair)) for pair in near)


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of pairs that two texts have in common, 0 to 1."""
    return len(one & other) / len(one | other) if one and other else 0.0


def bands(found: frozenset[str]) -> list[int]:
    """MinHash in bands: texts that are alike share one of these numbers with high probability. Signed 64 bits."""
    if not found:
        return []
    hashes = np.array([_number(each.encode()) for each in sorted(found)], dtype=np.uint64)
    # Multiply, add, keep the high half: each row of the table is one order of all possible pairs.
    mixed = (hashes[None, :] * _FACTORS[:, None] + _SUMMANDS[:, None]) >> np.uint64(32)
    lowest = mixed.min(axis=1).reshape(BANDS, ROWS)
    return [_signed(_number(bytes([number]) + row.tobytes())) for number, row in enumerate(lowest)]


def fingerprint(text: str) -> int:
    """Equal for texts of the same words, however they are written or spaced. Signed 64 bits."""
    return _signed(_number(" ".join(words(text)).encode()))


def _number(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def _column(name: str) -> Iterable[int]:
    return (_number(f"{name} {row}".encode()) for row in range(BANDS * ROWS))


# The same in every process and version: they stand behind what the database keeps.
_FACTORS = np.array([number | 1 for number in _column("factor")], dtype=np.uint64)
_SUMMANDS = np.array(list(_column("summand")), dtype=np.uint64)
