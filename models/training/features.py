"""Features for training: what the serving encoder makes of a text, kept on disk between runs."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.data.sets import Example
from models.encoder import Encoder
from models.text import facts, normalise

Array = NDArray[np.float32]
CHUNK = 512


def pooled(
    encoder: Encoder,
    examples: Sequence[Example],
    *,
    cache: Path,
    say: Callable[[str], None],
) -> Array:
    """(n, 768 + facts): pooled first windows and facts of every example, in order."""
    texts = [normalise(example.text) for example in examples]
    key = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    path = cache / f"pooled-{key}.npy"
    if path.exists():
        vectors: Array = np.load(path)
    else:
        chunks = []
        for start in range(0, len(texts), CHUNK):
            encoded = encoder.encode(texts[start : start + CHUNK])
            chunks.append(
                np.stack(
                    [
                        e.windows[0].pool(np.ones(len(e.windows[0].offsets), dtype=np.bool_))
                        for e in encoded
                    ]
                )
            )
            say(f"encoded {min(start + CHUNK, len(texts))} of {len(texts)}")
        vectors = np.concatenate(chunks)
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, vectors)
    seen = np.stack([facts(e.text, e.author_name, e.author_url) for e in examples])
    return np.concatenate([vectors, seen], axis=1)
