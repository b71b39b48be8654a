"""Matching: which rules of a book apply to a comment, and where in its text. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from service.moderation.policy import Hit
from service.moderation.rules import links, patterns
from service.moderation.rules.book import (
    Condition,
    NearDuplicates,
    Need,
    RejectionHistory,
    Repeats,
    Rule,
    needs_of,
)
from service.moderation.rules.folding import Folded, visible
from service.moderation.rules.links import Link
from service.moderation.rules.phrases import MOST_SPANS, PhraseIndex
from service.moderation.scores import Span


@dataclass(frozen=True, kw_only=True)
class Alike:
    """A comment of the same cluster: when it was written, and by whom (unknown authors count one each)."""

    at: datetime
    author: int


@dataclass(frozen=True, kw_only=True)
class History:
    """What was there when the words were written, `at`; what no rule asks for is left empty."""

    at: datetime
    # None: the site does not know the author.
    approved: int | None = None
    # The author's comments that were approved or rejected, newest first: True is a rejection.
    rejections: tuple[bool, ...] = ()
    # When the same author wrote the same words before.
    repeats: tuple[datetime, ...] = ()
    cluster: int | None = None
    alike: tuple[Alike, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A comment as rules see it."""

    text: str
    author_name: str
    author_url: str | None
    history: History


@dataclass(frozen=True, kw_only=True)
class Found:
    """That a condition is true, where, and what was counted."""

    spans: tuple[Span, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


class Matcher:
    """A book made ready: phrases of all rules in one index, so that a text is walked once."""

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules
        self.needs: frozenset[Need] = needs_of(rules)
        self._number = {id(c): n for n, c in enumerate(_conditions(rules))}
        self._words = PhraseIndex(
            (self._number[id(c)], phrase) for c in _conditions(rules) for phrase in c.words or ()
        )
        self._names = PhraseIndex(
            (self._number[id(c)], phrase) for c in _conditions(rules) for phrase in c.names or ()
        )

    def apply(self, subject: Subject) -> tuple[Hit, ...]:
        """The rules that apply to a comment, in the order of the book."""
        look = _Look(subject, self._words, self._names, self._number)
        return tuple(
            Hit(
                rule=rule.id,
                name=rule.name,
                action=rule.action,
                urgent=rule.urgent,
                shadow=rule.shadow,
                evidence=found.spans,
                about=found.about,
            )
            for rule in self.rules
            if (found := look.at(rule.when)) is not None
        )


class _Look:
    """One look at one comment: what several conditions need of it is worked out once."""

    def __init__(
        self, subject: Subject, words: PhraseIndex, names: PhraseIndex, number: Mapping[int, int]
    ) -> None:
        self._subject = subject
        self._number = number
        self._words = words.find(Folded(subject.text))
        self._named = names.find(Folded(subject.author_name))
        self._seen, self._at = visible(subject.text)
        self._links: list[Link] | None = None

    def at(self, condition: Condition) -> Found | None:
        """What makes a condition true; None when it is not."""
        if condition.all_of is not None:
            return self._all_of(condition.all_of)
        if condition.any_of is not None:
            return _joined([found for c in condition.any_of if (found := self.at(c)) is not None])
        return self._in_text(condition) or self._in_history(condition)

    def _all_of(self, conditions: list[Condition]) -> Found | None:
        parts = []
        for condition in conditions:
            found = self.at(condition)
            if found is None:
                return None
            parts.append(found)
        return _joined(parts)

    def _in_text(self, condition: Condition) -> Found | None:
        if condition.words is not None:
            return _spans(self._words.get(self._number[id(condition)], ()))
        if condition.names is not None:
            # Their places are in the name, and evidence is of the text.
            return Found() if self._number[id(condition)] in self._named else None
        if condition.pattern is not None:
            return _spans(patterns.find(condition.pattern, self._seen, self._at))
        if condition.links is not None:
            left_out = frozenset(condition.links.except_)
            counted = [s for s in self._all_links() if not links.belongs_to(s.domain, left_out)]
            enough = len(counted) >= condition.links.at_least
            return _spans(tuple(link.span for link in counted)) if enough else None
        if condition.domains is not None:
            return self._domains(frozenset(condition.domains))
        return None

    def _domains(self, domains: frozenset[str]) -> Found | None:
        spans = tuple(s.span for s in self._all_links() if links.belongs_to(s.domain, domains))
        own = links.domain_of(self._subject.author_url or "")
        if spans:
            return _spans(spans)
        return Found() if own and links.belongs_to(own, domains) else None

    def _all_links(self) -> list[Link]:
        if self._links is None:
            self._links = links.find(self._subject.text)
        return self._links

    def _in_history(self, condition: Condition) -> Found | None:
        history = self._subject.history
        if condition.new_author is not None:
            new = (history.approved or 0) < condition.new_author.approved_fewer_than
            return Found() if new else None
        if condition.rejection_history is not None:
            return _rejections(condition.rejection_history, history)
        if condition.repeats is not None:
            return _repeats(condition.repeats, history)
        if condition.near_duplicates is not None:
            return _near_duplicates(condition.near_duplicates, history)
        return None


def _rejections(asked: RejectionHistory, history: History) -> Found | None:
    last = history.rejections[: asked.of_last]
    rejected = sum(last)
    if rejected < asked.at_least or rejected < asked.share * len(last):
        return None
    return Found(about={"rejected": rejected, "of": len(last)})


def _repeats(asked: Repeats, history: History) -> Found | None:
    since = history.at - timedelta(hours=asked.within_hours)
    before = sum(at >= since for at in history.repeats)
    return Found(about={"repeats": before}) if before >= asked.at_least else None


def _near_duplicates(asked: NearDuplicates, history: History) -> Found | None:
    since = history.at - timedelta(hours=asked.within_hours)
    alike = [each for each in history.alike if each.at >= since]
    authors = len({each.author for each in alike})
    if len(alike) < asked.at_least or authors < asked.authors:
        return None
    about = {
        "cluster": history.cluster,
        "count": len(alike),
        "authors": authors,
        "first": min(each.at for each in alike).isoformat(),
        "last": max(each.at for each in alike).isoformat(),
    }
    return Found(about=about)


def _conditions(rules: list[Rule]) -> Iterator[Condition]:
    for rule in rules:
        for condition, _ in rule.when.walk():
            yield condition


def _spans(spans: tuple[Span, ...]) -> Found | None:
    return Found(spans=spans[:MOST_SPANS]) if spans else None


def _joined(parts: list[Found]) -> Found | None:
    if not parts:
        return None
    spans = sorted({span for part in parts for span in part.spans}, key=lambda s: (s.start, s.end))
    about = {key: value for part in parts for key, value in part.about.items()}
    return Found(spans=tuple(spans[:MOST_SPANS]), about=about)
