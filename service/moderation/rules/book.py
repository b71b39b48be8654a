"""The rule book: what a site's rules may say, checked so that every wrong field is named. Pure."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from service.errors import FieldError, Invalid
from service.moderation.policy import RuleAction
from service.moderation.rules import links, patterns
from service.moderation.rules.folding import words

MOST_RULES = 500
MOST_PHRASES = 200
LONGEST_PHRASE = 200
# One pattern is bounded by its own validation; a site's patterns together by this, since each reads the whole text.
LARGEST_PATTERNS = 20_000
MOST_CONDITIONS = 20
DEEPEST = 4
LONGEST_NAME = 100
A_YEAR_H = 24 * 366


class Known(BaseModel):
    """Unknown fields are refused: a misspelt one must not be lost in silence."""

    model_config = ConfigDict(extra="forbid")


def _has_words(phrase: str) -> str:
    if not words(phrase):
        raise PydanticCustomError("empty", "Nothing in it is a letter or a digit.")
    return phrase


def _is_domain(value: str) -> str:
    domain = links.domain_of(value)
    if "." not in domain or any(sign in value for sign in "/@ *"):
        raise PydanticCustomError("wrong_form", "A domain is needed, such as example.com.")
    return domain


def _is_pattern(value: str) -> str:
    trouble = patterns.trouble_of(value)
    if trouble:
        raise PydanticCustomError("wrong_form", "{trouble}", {"trouble": trouble})
    return value


def _is_named(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("empty", "Nothing but white space stands here.")
    return value


RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
RuleName = Annotated[str, StringConstraints(max_length=LONGEST_NAME), AfterValidator(_is_named)]
Phrase = Annotated[str, StringConstraints(max_length=LONGEST_PHRASE), AfterValidator(_has_words)]
Phrases = Annotated[list[Phrase], Field(min_length=1, max_length=MOST_PHRASES)]
Domain = Annotated[str, StringConstraints(max_length=253), AfterValidator(_is_domain)]
Domains = Annotated[list[Domain], Field(max_length=MOST_PHRASES)]
Pattern = Annotated[
    str, StringConstraints(max_length=patterns.LONGEST), AfterValidator(_is_pattern)
]
Count = Annotated[int, Field(ge=1, le=1000)]
Hours = Annotated[int, Field(ge=1, le=A_YEAR_H)]


class Links(Known):
    """So many links or more; those to `except` do not count."""

    model_config = ConfigDict(extra="forbid", validate_by_name=True, serialize_by_alias=True)

    at_least: Count = 1
    except_: Annotated[Domains, Field(alias="except")] = []


class NewAuthor(Known):
    """An author with fewer approved comments than this, or one that the site does not know."""

    approved_fewer_than: Count = 1


class RejectionHistory(Known):
    """Of an author's last comments that were approved or rejected, so many rejected, and so large a share."""

    of_last: Annotated[int, Field(ge=1, le=100)] = 20
    at_least: Annotated[int, Field(ge=1, le=100)] = 3
    share: Annotated[float, Field(ge=0, le=1)] = 0.5


class Repeats(Known):
    """The same words by the same author, so many times before."""

    at_least: Count = 1
    within_hours: Hours = 24


class NearDuplicates(Known):
    """So many comments that say almost the same, this one among them, by so many authors."""

    at_least: Annotated[int, Field(ge=2, le=1000)] = 3
    authors: Count = 2
    within_hours: Hours = 72


class Condition(Known):
    """One thing that is true of a comment or not: exactly one of these fields."""

    words: Phrases | None = None
    pattern: Pattern | None = None
    links: Links | None = None
    domains: Annotated[Domains, Field(min_length=1)] | None = None
    names: Phrases | None = None
    new_author: NewAuthor | None = None
    rejection_history: RejectionHistory | None = None
    repeats: Repeats | None = None
    near_duplicates: NearDuplicates | None = None
    all_of: Annotated[list[Self], Field(min_length=2, max_length=MOST_CONDITIONS)] | None = None
    any_of: Annotated[list[Self], Field(min_length=2, max_length=MOST_CONDITIONS)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set - self._unset()) != 1:
            names = ", ".join(type(self).model_fields)
            raise PydanticCustomError("not_allowed", f"Exactly one of these is needed: {names}.")
        return self

    def _unset(self) -> set[str]:
        return {name for name in self.model_fields_set if getattr(self, name) is None}

    def walk(self, depth: int = 1) -> Iterator[tuple["Condition", int]]:
        """This condition and those within, each with how deep it lies."""
        yield self, depth
        for within in (*(self.all_of or ()), *(self.any_of or ())):
            yield from within.walk(depth + 1)


class Rule(Known):
    """A rule: when it applies, and what it does then."""

    id: RuleId
    name: RuleName
    action: RuleAction
    when: Condition
    urgent: Annotated[bool, Field(description="to the top of the queue")] = False
    shadow: Annotated[bool, Field(description="noted in the verdict, without any effect")] = False
    note: Annotated[str, Field(max_length=1000)] | None = None


class Book(Known):
    """A site's rules."""

    rules: Annotated[list[Rule], Field(max_length=MOST_RULES)] = []

    def must_fit(self) -> Self:
        """Raise Invalid naming every rule that is one too many, too large or twice there."""
        wrong = [*self._twice(), *self._too_large()]
        size = sum(patterns.size_of(p) for rule in self.rules for p in patterns_of(rule))
        if size > LARGEST_PATTERNS:
            detail = (
                f"The patterns together are too large: {size} steps, {LARGEST_PATTERNS} at most."
            )
            wrong.append(FieldError(pointer="/rules", code="too_long", detail=detail))
        if wrong:
            raise Invalid(errors=tuple(wrong))
        return self

    def _twice(self) -> Iterator[FieldError]:
        seen: set[str] = set()
        for number, rule in enumerate(self.rules):
            if rule.id in seen:
                detail = f"Another rule has the id {rule.id!r}."
                yield FieldError(pointer=f"/rules/{number}/id", code="not_allowed", detail=detail)
            seen.add(rule.id)

    def _too_large(self) -> Iterator[FieldError]:
        for number, rule in enumerate(self.rules):
            conditions = list(rule.when.walk())
            phrases = sum(len(c.words or ()) + len(c.names or ()) for c, _ in conditions)
            for count, most, what in (
                (max(depth for _, depth in conditions), DEEPEST, "levels"),
                (len(conditions), MOST_CONDITIONS, "conditions"),
                (phrases, MOST_PHRASES, "words and phrases"),
            ):
                if count > most:
                    detail = f"A rule has {most} {what} at most; this one has {count}."
                    yield FieldError(
                        pointer=f"/rules/{number}/when", code="too_long", detail=detail
                    )


class Need(StrEnum):
    """What a rule must be told beside the text."""

    AUTHOR = "author"
    REPEATS = "repeats"
    LIKENESS = "likeness"


def patterns_of(rule: Rule) -> list[str]:
    """The patterns anywhere in a rule."""
    return [c.pattern for c, _ in rule.when.walk() if c.pattern is not None]


def needs_of(rules: Sequence[Rule]) -> frozenset[Need]:
    """What has to be looked up before the rules can be applied."""
    needs: set[Need] = set()
    for rule in rules:
        for condition, _ in rule.when.walk():
            if condition.new_author or condition.rejection_history:
                needs.add(Need.AUTHOR)
            if condition.repeats:
                needs.add(Need.REPEATS)
            if condition.near_duplicates:
                needs.add(Need.LIKENESS)
    return frozenset(needs)
