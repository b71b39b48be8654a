"""The objective: what the network is asked of each kind of batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.data.sets import Example
from models.encoder import WIDTH
from models.network import Network, TokenVectors, pool
from models.quotes import candidates
from models.text import Span, facts, sentences
from models.training.batches import Batch, Reader, Texts

# Cosines are divided by this before the softmax: the usual value for sentence encoders.
TEMPERATURE = 0.05
# Enough sentences of a comment to learn from; the rest of a long one costs time and adds little.
MOST_SPANS = 10
# Tokens of an article's title and description.
LONGEST_HEADING = 64
# Tokens of a comment that are read together with them.
LONGEST_BESIDE = 128
# No rater saw a comment beside these articles; the nearest of them may after all be about the same.
MADE_COUNTS = 0.5


@dataclass(frozen=True)
class Weights:
    """How much each question counts beside the heads' own loss (1)."""

    contrast: float
    rating: float
    sentences: float
    quotes: float
    pairs: float
    anchor: float


@dataclass(frozen=True)
class Read:
    """Comments as the network read them: token vectors (n, tokens, 384), which count, and pooled (n, 768)."""

    vectors: Tensor
    kept: Tensor
    pooled: Tensor


def read_comments(network: Network, batch: Batch) -> Read:
    """A batch, through the encoder."""
    vectors = network.vectors(batch.texts.ids, batch.texts.mask)
    return Read(vectors, batch.texts.kept, pool(vectors, batch.texts.kept))


def labelled(network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
    """The heads' loss on a batch, and its pooled vectors (n, 768)."""
    pooled = read_comments(network, batch).pooled
    return masked(network.logits(pooled, batch.facts), batch), pooled


def masked(logits: Tensor, batch: Batch) -> Tensor:
    """Cross entropy over the labels that are there, per row: an absent label is no negative."""
    each = functional.binary_cross_entropy_with_logits(logits, batch.targets, reduction="none")
    return (each * batch.weights).sum() / len(logits)


def anchored(pooled: Tensor, released: TokenVectors, texts: Texts) -> Tensor:
    """How far likeness between texts has drifted from the released encoder's: it must stay fit to compare."""
    with torch.no_grad():
        before = pool(released(texts.ids, texts.mask).float(), texts.kept)[:, :WIDTH]
    now = pooled[:, :WIDTH]
    return (now @ now.T - before @ before.T).square().mean()


def ranked(network: Network, label: str, better: Batch, worse: Batch) -> Tensor:
    """Of two comments that are alike in all else, the one that people found better scores higher."""
    column = network.labels.index(label)
    scores = []
    for batch in (better, worse):
        pooled = read_comments(network, batch).pooled
        scores.append(network.logits(pooled, batch.facts)[:, column])
    return functional.softplus(scores[1] - scores[0]).mean()


def rated(
    network: Network,
    reader: Reader,
    batch: Batch,
    examples: Sequence[Example],
    neighbours: dict[str, Example],
    weights: Weights,
) -> Tensor:
    """Rated comments: the heads, their place among articles, their sentences and their best quote.

    Examples stand under articles that differ; `neighbours` names for each article one that is like it.
    """
    read = read_comments(network, batch)
    loss = masked(network.logits(read.pooled, batch.facts), batch)
    loss = loss + _placed(network, reader, read, examples, neighbours, weights)
    return loss + _by_parts(network, read.vectors, batch.texts, examples, weights)


def placed(
    network: Network,
    reader: Reader,
    batch: Batch,
    examples: Sequence[Example],
    neighbours: dict[str, Example],
    weights: Weights,
) -> Tensor:
    """Comments of which only their place among articles is known."""
    read = read_comments(network, batch)
    return _placed(network, reader, read, examples, neighbours, weights)


def _placed(
    network: Network,
    reader: Reader,
    read: Read,
    examples: Sequence[Example],
    neighbours: dict[str, Example],
    weights: Weights,
) -> Tensor:
    comments = read.pooled[:, :WIDTH]
    places = [*examples, *(neighbours[e.group] for e in examples)]
    likeness = torch.stack(
        [
            comments @ _read(network, reader, [e.row[part] or "" for e in places]).T
            for part in ("article_title", "article_desc")
        ]
    ).amax(0)
    ratings = torch.tensor([float(e.row["x_rel"]) for e in examples], device=comments.device)
    here = torch.arange(len(examples), device=comments.device)
    # Two places may be one article: it is not held against itself.
    ids = [e.group for e in places]
    same = torch.tensor([[i != j and a == b for j, b in enumerate(ids)] for i, a in enumerate(ids)])
    masked_out = likeness.masked_fill(same[: len(examples)].to(comments.device), -1.0)
    found = functional.cross_entropy(masked_out / TEMPERATURE, here, reduction="none")
    contrast = (found * (ratings >= 2)).mean()
    return weights.contrast * contrast + weights.rating * _beside(
        network, reader, read, examples, neighbours
    )


def _beside(
    network: Network,
    reader: Reader,
    read: Read,
    examples: Sequence[Example],
    neighbours: dict[str, Example],
) -> Tensor:
    """Each comment beside its own article, one that is like it, and some other: the ratings it has or would have."""
    count = len(examples)
    step = 1 + int(torch.randint(max(1, count - 1), ()))
    others = [(i + step) % count for i in range(count)] if count > 1 else []
    headings = [*examples, *(neighbours[e.group] for e in examples)]
    texts = [f"{e.row['article_title']}. {e.row['article_desc'] or ''}" for e in headings]
    articles = reader.read(texts, LONGEST_HEADING).to(read.vectors.device)
    vectors = network.vectors(articles.ids, articles.mask)
    which = torch.tensor([*range(2 * count), *others])
    comments = torch.arange(len(which)) % count
    logits = network.interaction(
        read.vectors[comments, :LONGEST_BESIDE],
        read.kept[comments, :LONGEST_BESIDE],
        vectors[which],
        articles.kept[which],
    )
    ratings = torch.tensor([float(e.row["x_rel"]) for e in examples] + [0.0] * (len(which) - count))
    steps = torch.arange(logits.shape[1])
    targets = (ratings[:, None] - steps).clamp(0, 1).to(logits.device)
    each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(1)
    made = torch.full((len(which),), MADE_COUNTS, device=each.device)
    made[:count] = 1.0
    return (each * made).sum() / count


def _by_parts(
    network: Network,
    vectors: Tensor,
    texts: Texts,
    examples: Sequence[Example],
    weights: Weights,
) -> Tensor:
    """First-hand experience is told in some sentence, or in none; a good quote is better than the other stretches."""
    rows: list[int] = []
    spans: list[Span] = []
    told: list[tuple[slice, float]] = []
    quoted: list[tuple[slice, Tensor]] = []
    for row, example in enumerate(examples):
        parts = sentences(example.text)
        some = parts[:MOST_SPANS]
        told.append((slice(len(spans), len(spans) + len(some)), example.labels["experience"]))
        rows += [row] * len(some)
        spans += some
        wanted = [example.text.find(quote) for quote in example.row["x_quotes"]]
        gold = [
            Span(at, at + len(quote))
            for at, quote in zip(wanted, example.row["x_quotes"], strict=True)
            if at >= 0
        ]
        choices = candidates(example.text, parts)[: 2 * MOST_SPANS]
        agreed = torch.tensor(
            [max((_agreement(c, g) for g in gold), default=0.0) ** 2 for c in choices]
        )
        if len(choices) > 1 and agreed.sum() > 0:
            quoted.append((slice(len(spans), len(spans) + len(choices)), agreed / agreed.sum()))
            rows += [row] * len(choices)
            spans += choices
    if not spans:
        return vectors.sum() * 0
    pooled, present = _pooled_spans(vectors, texts, rows, spans)
    counted = torch.stack(
        [
            torch.from_numpy(facts(examples[r].text[s.start : s.end]))
            for r, s in zip(rows, spans, strict=True)
        ]
    ).to(vectors.device)
    experience = network.logits(pooled, counted)[:, network.labels.index("experience")]
    loss = vectors.sum() * 0
    for where, truth in told:
        here = experience[where][present[where]]
        if len(here):
            # Nobody told anything: no sentence does. Somebody did: at least the strongest sentence.
            say = here.max()[None] if truth >= 0.5 else here
            target = torch.full_like(say, float(truth >= 0.5))
            loss = loss + weights.sentences * functional.binary_cross_entropy_with_logits(
                say, target
            )
    quotable = network.quotable(pooled)
    for where, agreed in quoted:
        log_shares = functional.log_softmax(quotable[where], dim=0)
        loss = loss - weights.quotes * (agreed.to(vectors.device) * log_shares).sum()
    return loss / len(examples)


def _agreement(one: Span, other: Span) -> float:
    """Shared letters over all letters of both, 0 to 1."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    return max(0, shared) / (max(one.end, other.end) - min(one.start, other.start))


def _read(network: Network, reader: Reader, texts: list[str]) -> Tensor:
    """(n, 384): texts as unit vectors; short ones together, so that none is padded to the longest."""
    read = reader.read(texts, LONGEST_HEADING).to(network.heads.weight.device)
    return pool(network.vectors(read.ids, read.mask), read.kept)[:, :WIDTH]


def _pooled_spans(
    vectors: Tensor, texts: Texts, rows: list[int], spans: list[Span]
) -> tuple[Tensor, Tensor]:
    """(spans, 768) pooled, and which spans (spans,) have a token at all within the text as it was cut."""
    places = [_tokens(texts.offsets[r], s) for r, s in zip(rows, spans, strict=True)]
    longest = max(1, *(end - start for start, end in places))
    steps = torch.arange(longest)
    starts = torch.tensor([start for start, _ in places])[:, None]
    ends = torch.tensor([end for _, end in places])[:, None]
    kept = starts + steps < ends
    tokens = vectors.shape[1]
    flat = torch.tensor(rows)[:, None] * tokens + (starts + steps).clamp(max=tokens - 1)
    chosen = vectors.reshape(-1, vectors.shape[2]).index_select(
        0, flat.flatten().to(vectors.device)
    )
    kept = kept.to(vectors.device)
    return pool(chosen.reshape(len(spans), longest, -1), kept), kept.any(1)


def _tokens(offsets: list[tuple[int, int]], span: Span) -> tuple[int, int]:
    """The first token of a span and the one behind its last; the text's own first token stands at 1."""
    inside = [i for i, (a, b) in enumerate(offsets) if span.start <= a and b <= span.end]
    return (inside[0] + 1, inside[-1] + 2) if inside else (0, 0)
