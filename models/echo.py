"""Echo: the words of a comment that its article or its parent has said before."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from rapidfuzz import fuzz

from models.text import INVISIBLE, WORD, Span, sentences

# A run this long is no coincidence; shorter ones are how people talk about the same thing.
SHORTEST_RUN = 8
# Near-verbatim: a sentence whose letters agree with one of the source to this share.
NEARLY = 90.0
# Candidates for near-verbatim share this many words in a row somewhere.
SHARED_RUN = 3


@dataclass(frozen=True)
class Repeat:
    """A stretch of a comment that stands in its source too."""

    comment: Span
    source: Span
    origin: str


@dataclass(frozen=True)
class Source:
    """A text that may be repeated, indexed once by its runs of words."""

    text: str
    origin: str
    words: list[str] = field(init=False)
    spans: list[Span] = field(init=False)
    runs: dict[tuple[str, ...], int] = field(init=False)

    def __post_init__(self) -> None:
        words, spans = split_words(self.text)
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "spans", spans)
        runs: dict[tuple[str, ...], int] = {}
        for size in (SHORTEST_RUN, SHARED_RUN):
            for i in range(len(words) - size + 1):
                runs.setdefault(tuple(words[i : i + size]), i)
        object.__setattr__(self, "runs", runs)


def split_words(text: str) -> tuple[list[str], list[Span]]:
    """Words as they are compared (case and kinds of apostrophe aside), and where they stand."""
    words, spans = [], []
    for match in WORD.finditer(text):
        words.append(INVISIBLE.sub("", match.group()).casefold().replace("’", "'"))
        spans.append(Span(match.start(), match.end()))
    return words, spans


def find_repeats(text: str, source: Source) -> list[Repeat]:
    """Sentences that are nearly one of the source, and verbatim runs that reach beyond them; in order."""
    words, spans = split_words(text)
    runs = list(_verbatim(words, spans, source))
    near = list(_near(text, runs, source))
    runs = [run for run in runs if not any(_holds(whole, run) for whole in near)]
    return sorted([*runs, *near], key=lambda repeat: repeat.comment.start)


def share(text: str, repeats: list[Repeat]) -> float:
    """The share of a text's words, by letters, that stands within repeats; 0 to 1."""
    spans = [Span(match.start(), match.end()) for match in WORD.finditer(text)]
    total = sum(span.end - span.start for span in spans)
    covered = sum(
        span.end - span.start
        for span in spans
        if any(r.comment.start <= span.start and span.end <= r.comment.end for r in repeats)
    )
    return covered / total if total else 0.0


def _verbatim(words: list[str], spans: list[Span], source: Source) -> Iterator[Repeat]:
    i = 0
    while i + SHORTEST_RUN <= len(words):
        at = source.runs.get(tuple(words[i : i + SHORTEST_RUN]))
        if at is None:
            i += 1
            continue
        length = SHORTEST_RUN
        while (
            i + length < len(words)
            and at + length < len(source.words)
            and words[i + length] == source.words[at + length]
        ):
            length += 1
        yield Repeat(
            comment=Span(spans[i].start, spans[i + length - 1].end),
            source=Span(source.spans[at].start, source.spans[at + length - 1].end),
            origin=source.origin,
        )
        i += length


def _near(text: str, runs: list[Repeat], source: Source) -> Iterator[Repeat]:
    """Whole sentences with a word changed here and there; those that a run covers need no second look."""
    for sentence in sentences(text):
        piece = text[sentence.start : sentence.end]
        words, spans = split_words(piece)
        inside = [run for run in runs if _meets(run, sentence)]
        if len(words) < SHORTEST_RUN or share(piece, _shifted(inside, sentence.start)) == 1:
            continue
        for start in _aligned(words, source):
            end = min(len(source.words), start + len(words))
            theirs = source.words[start:end]
            if fuzz.ratio(" ".join(words), " ".join(theirs)) >= NEARLY:
                yield Repeat(
                    comment=Span(sentence.start + spans[0].start, sentence.start + spans[-1].end),
                    source=Span(source.spans[start].start, source.spans[end - 1].end),
                    origin=source.origin,
                )
                break


def _aligned(words: list[str], source: Source) -> list[int]:
    """Where a sentence would have to begin in the source, by the short runs they share."""
    starts: set[int] = set()
    for i in range(len(words) - SHARED_RUN + 1):
        at = source.runs.get(tuple(words[i : i + SHARED_RUN]))
        if at is not None:
            starts.add(max(0, at - i))
    return sorted(starts)


def _holds(whole: Repeat, part: Repeat) -> bool:
    return whole.comment.start <= part.comment.start and part.comment.end <= whole.comment.end


def _meets(repeat: Repeat, span: Span) -> bool:
    return repeat.comment.start < span.end and span.start < repeat.comment.end


def _shifted(repeats: list[Repeat], by: int) -> list[Repeat]:
    return [replace(r, comment=Span(r.comment.start - by, r.comment.end - by)) for r in repeats]
