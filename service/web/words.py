"""Words: what codes, scores and moments are called on a page."""

from datetime import datetime
from zoneinfo import ZoneInfo

from service.moderation.policy import Reason

# Reason → what it is called in a list, and what a moderator reads as the why.
REASONS: dict[Reason, tuple[str, str]] = {
    Reason.SPAM: ("Spam", "It reads like advertising or fraud."),
    Reason.OFF_TOPIC: ("Off topic", "It does not seem to be about the article."),
    Reason.ABUSIVE: ("Abusive", "It insults or demeans someone."),
    Reason.THREAT: ("Threat", "It threatens someone."),
    Reason.HATEFUL: ("Hateful", "It attacks people for what they are."),
    Reason.ECHO: ("Echo", "It repeats the article's own words."),
    Reason.DUPLICATE: ("Duplicate", "The same was posted before."),
    Reason.INCOHERENT: ("Incoherent", "It cannot be understood."),
    Reason.RULE: ("Rule", "A rule of this site applies to it."),
    Reason.NEW_AUTHOR: ("New author", "Its author has no approved comment yet."),
    Reason.FLAGGED: ("Flagged", "Readers reported it."),
    Reason.TOO_LONG: ("Too long", "It is too long to be judged as a whole."),
    Reason.ARTICLE_MODE: ("Article held", "Every comment under this article waits for a person."),
    Reason.UNSUPPORTED_LANGUAGE: ("Language", "It is in a language that the models do not know."),
    Reason.MODEL_UNAVAILABLE: ("Not judged", "The models could not judge it."),
    Reason.UNCERTAIN: ("Uncertain", "The models are not sure."),
    Reason.OTHER: ("Other", "For a reason of the moderator's own."),
}

# Those a person may give for a rejection; the rest are the machine's own findings.
GIVEN_BY_PEOPLE = (
    Reason.SPAM,
    Reason.OFF_TOPIC,
    Reason.ABUSIVE,
    Reason.THREAT,
    Reason.HATEFUL,
    Reason.ECHO,
    Reason.DUPLICATE,
    Reason.INCOHERENT,
    Reason.OTHER,
)

# Score → what it is called, in the order of the page.
SCORES = {
    "spam": "Spam",
    "relevance": "About the article",
    "toxicity": "Toxic",
    "threat": "Threat",
    "identity_attack": "Attack on a group",
    "insight": "Insight",
    "echo": "Article's words",
}

RELEVANCE = {
    "direct": "about the article",
    "related": "related to the article",
    "weak": "hardly about the article",
    "off": "not about the article",
}

# What a page says after something was done, or could not be.
SAID = {
    "approve": "Approved.",
    "reject": "Rejected.",
    "undone": "Undone: the comment stands where it stood before.",
    "picked": "Picked. It is on the page once you publish.",
    "moved": "Moved.",
    "dropped": "Taken out of the draft.",
    "published": "Published.",
    "taken_down": "Taken down: the block is empty now.",
    "stale": "It has changed since you opened it. Nothing was done; this is how it stands now.",
    "already_decided": "Someone else has decided on this comment already.",
    "claimed": "Someone else is looking at this comment.",
    "wrong_state": "The comment cannot go there from where it stands.",
    "not_approved": "Only an approved comment can be picked.",
    "already_picked": "This comment is among the picks already.",
    "echo": "These are the article's own words. Tick the box to pick them knowingly.",
    "not_in_revision": "These words do not stand in the comment. Quote its author exactly.",
    "pick_not_true": "A pick is no longer what its author says. Take it out, then publish.",
    "missing": "Something is missing: choose a reason.",
    "not_found": "It is not there any more.",
    "invalid_text": "The text holds characters that cannot be stored.",
    "wrong_sign_in": "This address and this password do not belong together.",
    "too_many_requests": "Too many wrong passwords. Try again in a quarter of an hour.",
}
NOTHING_DONE = "That could not be done; nothing was changed."
GOOD_NEWS = {"approve", "reject", "undone", "picked", "moved", "dropped", "published", "taken_down"}


def percent(share: float) -> str:
    """A probability as people read it; almost never and almost always are no certainty."""
    if 0 < share < 0.01:
        return "under 1\N{NO-BREAK SPACE}%"
    if 0.99 < share < 1:
        return "over 99\N{NO-BREAK SPACE}%"
    return f"{round(share * 100)}\N{NO-BREAK SPACE}%"


def moment(when: datetime, timezone: str) -> str:
    """A time of the site's own clock."""
    return f"{when.astimezone(ZoneInfo(timezone)):%d %b %Y, %H:%M}"


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many}"
