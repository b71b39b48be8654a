"""The encoder as it serves: texts in, one vector a token out, on the CPU."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

# It reports usage on import, unless the room it reports to is closed first.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino

from models.text import Span

Array = NDArray[np.float32]

WIDTH = 384
# The encoder was trained on 256 tokens; a longer text is read in windows that overlap by a quarter.
WINDOW = 256
STRIDE = 192
# A comment of 50,000 characters has about 60 windows; what is longer still is for a person.
MOST_WINDOWS = 80
# Lengths are rounded up to a multiple of this: a compiled shape is kept for each, and there are to be few.
STEP = 16
# Tokens in one batch, padding included: what stays in a core's cache is quicker.
BUDGET = 2048


@dataclass(frozen=True)
class Window:
    """A stretch of a text as the encoder saw it: token ids (tokens,), code-point offsets (tokens, 2), vectors (tokens, 384)."""

    tokens: NDArray[np.int64]
    offsets: NDArray[np.int64]
    vectors: Array

    def pool(self, kept: NDArray[np.bool_]) -> Array:
        """Mean (unit length) and maximum over the kept tokens: (768,); zeros if none is kept."""
        return pool(self.vectors, kept)

    def inside(self, span: Span) -> NDArray[np.bool_]:
        """Which tokens stand within a span."""
        mask: NDArray[np.bool_] = (self.offsets[:, 0] >= span.start) & (
            self.offsets[:, 1] <= span.end
        )
        return mask


@dataclass(frozen=True)
class Encoded:
    """A text as windows, at least one; `too_long` if the last of them do not reach its end."""

    windows: list[Window]
    too_long: bool

    @property
    def pooled(self) -> Array:
        """Mean (unit length) and maximum over the whole text: (768,); zeros for a text without words."""
        vectors = np.concatenate([w.vectors for w in self.windows])
        return pool(vectors, np.ones(len(vectors), dtype=np.bool_))

    def window_of(self, span: Span) -> Window:
        """The window that holds most of a span's tokens."""
        return max(self.windows, key=lambda window: int(window.inside(span).sum()))

    @property
    def tokens(self) -> NDArray[np.int64]:
        """The ids of all its tokens, those where windows overlap twice."""
        return np.concatenate([window.tokens for window in self.windows])

    @property
    def mean(self) -> Array:
        """The text as one vector of unit length: (384,)."""
        return self.pooled[:WIDTH]


# Padded ids and mask (batch, tokens) to one vector a token (batch, tokens, 384).
Run = Callable[[NDArray[np.int64], NDArray[np.int64]], Array]


class Encoder:
    """A network behind its tokenizer; may be asked from several threads at once."""

    def __init__(self, run: Run, tokenizer: Path) -> None:
        self._run = run
        self._tokenizer = open_tokenizer(tokenizer)

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Every text, in order; batches are packed by padded tokens, the longest texts together."""
        pieces: list[tuple[int, list[int], NDArray[np.int64]]] = []
        too_long = []
        for index, encoding in enumerate(self._tokenizer.encode_batch(list(texts))):
            cut = list(_windows(encoding.ids, encoding.offsets))
            too_long.append(len(cut) > MOST_WINDOWS)
            pieces += [(index, ids, offsets) for ids, offsets in cut[:MOST_WINDOWS]]
        found: dict[int, Window] = {}
        for batch in pack([len(ids) for _, ids, _ in pieces]):
            vectors = self._run(*_padded([pieces[i][1] for i in batch]))
            for row, i in enumerate(batch):
                _, ids, offsets = pieces[i]
                # The first and last token stand for no word.
                found[i] = Window(
                    tokens=np.array(ids[1:-1], dtype=np.int64),
                    offsets=offsets,
                    vectors=vectors[row, 1 : len(offsets) + 1],
                )
        grouped: list[list[Window]] = [[] for _ in texts]
        for i, (index, _, _) in enumerate(pieces):
            grouped[index].append(found[i])
        return [Encoded(windows=w, too_long=t) for w, t in zip(grouped, too_long, strict=True)]


def open_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer that serves: the stock file cuts at 128 tokens and pads to them, this does neither."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def open_encoder(model: Path, tokenizer: Path, *, threads: int | None) -> Encoder:
    """OpenVINO IR on the CPU, as it serves."""
    # Left to itself it computes in bf16 where the CPU can, and then a batch padded to exactly 32 tokens comes out wrong
    # (OpenVINO 2026.4 on a CPU with AMX). What is not in 8 bits costs the same in 32.
    config: dict[str, str] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        config["INFERENCE_NUM_THREADS"] = str(threads)
    compiled = openvino.Core().compile_model(str(model), "CPU", config)
    local = threading.local()

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Array:
        request = getattr(local, "request", None)
        if request is None:
            request = local.request = compiled.create_infer_request()
        request.infer({"input_ids": ids, "attention_mask": mask})
        return np.array(request.get_output_tensor(0).data, dtype=np.float32)

    return Encoder(run, tokenizer)


def pack(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices in batches of at most BUDGET padded tokens, the longest first."""
    batch: list[int] = []
    longest = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        longest = longest or lengths[i]
        if batch and longest * (len(batch) + 1) > BUDGET:
            yield batch
            batch, longest = [], lengths[i]
        batch.append(i)
    if batch:
        yield batch


def pool(vectors: Array, kept: NDArray[np.bool_]) -> Array:
    """Of token vectors (tokens, 384) the mean (unit length) and the maximum over the kept ones: (768,)."""
    if not kept.any():
        return np.zeros(2 * WIDTH, dtype=np.float32)
    vectors = vectors[kept]
    return np.concatenate([unit(vectors.mean(axis=0)), vectors.max(axis=0)])


def unit(vector: Array) -> Array:
    """The vector at length one; zeros stay zeros."""
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def _padded(batch: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    longest = -(-max(map(len, batch)) // STEP) * STEP
    ids = np.zeros((len(batch), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask


def _windows(
    ids: list[int], offsets: list[tuple[int, int]]
) -> Iterator[tuple[list[int], NDArray[np.int64]]]:
    first, last, inner = ids[0], ids[-1], ids[1:-1]
    places = np.array(offsets[1:-1], dtype=np.int64).reshape(-1, 2)
    for start in range(0, max(1, len(inner)), STRIDE):
        end = start + WINDOW - 2
        yield [first, *inner[start:end], last], places[start:end]
        if end >= len(inner):
            return
