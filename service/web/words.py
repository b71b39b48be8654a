"""Words: what codes, scores and moments are called on a page."""

from datetime import datetime
from zoneinfo import ZoneInfo

from service.moderation.policy import Because, Reason

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
    Reason.ARTICLE_MODE: (
        "Article held",
        "Its article lets nobody, or trusted authors alone, through without a person.",
    ),
    Reason.TOO_MANY: (
        "Too many",
        "Its author, or the address it came from, sent more than their share.",
    ),
    Reason.HONEYPOT: ("Honeypot", "It filled in a field that people do not see."),
    Reason.UNSUPPORTED_LANGUAGE: ("Language", "It is in a language that the models do not know."),
    Reason.MODEL_UNAVAILABLE: ("Not judged", "The models could not judge it."),
    Reason.UNCERTAIN: ("Uncertain", "The models are not sure."),
    Reason.LEGAL: ("Legal", "The law asks for it, by an order or a notice."),
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
    "relevance": "Off topic",
    "toxicity": "Toxic",
    "threat": "Threat",
    "identity_attack": "Attack on a group",
    "insight": "Insight",
    "echo": "Article's words",
    "incoherent": "Word salad",
    "about_site": "About the site",
}

# What marked words are, in the text of a comment.
MARKED = {"evidence": "why it waits", "repeat": "repeated words"}
# A comment that would fill more than a screen scrolls in a box of its own.
LONG, LINE = 1800, 60

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
    "undone": "Undone. The comment is back where it was.",
    "picked": "Picked. Readers see it once you publish.",
    "moved": "Moved.",
    "dropped": "Taken out of the draft.",
    "published": "Published.",
    "taken_down": "Taken down. Readers see no block; the draft is kept.",
    "stale": "This has changed since you opened it, so nothing was done. This is how it stands now.",
    "already_decided": "Someone else has decided on this comment already.",
    "claimed": "Someone else is looking at this comment.",
    "wrong_state": "That cannot be done with this comment as it stands now.",
    "not_approved": "Only an approved comment can be picked.",
    "already_picked": "This comment is among the picks already.",
    "echo": "These are the article's own words. Tick the box to pick them knowingly.",
    "not_in_revision": "These words are not in the comment. Quote its author exactly.",
    "splits_a_character": "The quote begins or ends inside a character. Quote whole words.",
    "pick_not_true": "A pick is no longer what its author says. Take it out, then publish.",
    "missing": "Something was missing, so nothing was done. A rejection needs a reason.",
    "not_found": "It is not there any more, so nothing was done.",
    "invalid_text": "The text holds characters that cannot be stored.",
    "wrong_sign_in": "Wrong e-mail address or password.",
    "signed_out": "Signed out there.",
    "password_changed": "Your password is changed. You are signed out everywhere else.",
    "wrong_password": "That is not your present password; nothing was changed.",
    "not_the_same": "The new password was typed in two ways; nothing was changed.",
    "unfit_password": "A password has 10 to 1,000 characters; nothing was changed.",
    "wait_a_little": "Too many wrong passwords. Wait some minutes, then try again.",
    "role_given": "The role is given, from now on.",
    "role_taken": "The role is taken away, from now on.",
    "deactivated": "Deactivated. Whatever waited with them goes to the others.",
    "activated": "They can sign in again.",
    "provider_down": "The provider does not answer. Try again in a while, or use your password.",
    "provider_refused": "The provider did not confirm this sign-in. Please begin again.",
    "sign_in_expired": "This sign-in was not begun here, or too long ago. Please begin again.",
    "email_not_verified": "The provider has not verified your e-mail address, so it cannot be matched.",
    "not_admitted": "The provider knows you, but nobody has invited this address. Ask your admin.",
}
# Why a pick left the draft, where no reason of the taxonomy says it.
WITHDRAWN = {
    "edited": "Its author changed the comment.",
    "withdrawn": "Its author, or the site, took the comment back.",
    "erased": "The comment was erased.",
    "retention": "The comment was erased: it is not kept for longer.",
}
NOTHING_DONE = "That could not be done; nothing was changed."
GOOD_NEWS = {
    "approve",
    "reject",
    "undone",
    "picked",
    "moved",
    "dropped",
    "published",
    "taken_down",
    "signed_out",
    "password_changed",
    "role_given",
    "role_taken",
    "deactivated",
    "activated",
}

# A refusal as a page: by its status, what it is called and what to do about it.
PROBLEMS = {
    403: "You may not do that",
    404: "There is no such page",
    405: "This page cannot do that",
    413: "That is too much at once",
    422: "Something in the form cannot be used",
    500: "Something went wrong",
    503: "Postbag cannot answer now",
}

# The marks that open a quotation, each with the one that closes it.
MARKS = {"“": "”", "„": "“", "«": "»", "‘": "’", '"': '"'}


def percent(share: float) -> str:
    """A share as people read it; almost none and almost all are not none and all."""
    if 0 < share < 0.01:
        return "under 1%"
    if 0.99 < share < 1:
        return "over 99%"
    return f"{round(share * 100)}%"


def why(because: Because) -> str:
    """A reason as a sentence; a rule of the site by the name the site gave it."""
    return f"The rule “{because.name}” applies." if because.name else REASONS[because.code][1]


def withdrawn(because: str | None) -> str:
    """Why a pick left the draft by itself."""
    if because in set(Reason):
        return f"The comment is no longer approved: {REASONS[Reason(because)][0].lower()}."
    return WITHDRAWN.get(because or "", "The comment is no longer approved.")


def measure(because: Because) -> str:
    """What a reason was measured at and from where on it holds; nothing where nothing was measured."""
    if because.score is None or because.threshold is None:
        return ""
    limit = percent(because.threshold)
    if because.code is Reason.ECHO:
        return f"{percent(because.score)} of its words; held from {limit}."
    # Scores are kept to four digits; a probability that was rounded to 1 is no certainty.
    return f"{percent(min(max(because.score, 0.0001), 0.9999))} sure; held from {limit}."


def in_marks(quote: str) -> str:
    """A quote in quotation marks, unless it has a pair around it already."""
    closing = MARKS.get(quote[:1])
    inside = quote[1:-1]
    paired = closing is not None and len(quote) > 2 and quote.endswith(closing)
    if paired and not {quote[0], closing} & set(inside):
        return quote
    return f"“{quote}”"


def is_long(text: str) -> bool:
    """Whether a comment is too long to stand on the page as a whole."""
    return len(text) + LINE * text.count("\n") > LONG


def sentence(detail: str) -> str:
    """What an error says in passing, as a sentence of its own."""
    return f"{detail[:1].upper()}{detail[1:]}" + ("" if detail.endswith((".", "?", "!")) else ".")


def moment(when: datetime, timezone: str) -> str:
    """A time of the site's own clock."""
    local = when.astimezone(ZoneInfo(timezone))
    return f"{local.day} {local:%b %Y, %H:%M}"


def day(when: datetime, now: datetime, timezone: str) -> str:
    """A day as one speaks of it."""
    zone = ZoneInfo(timezone)
    ago = (now.astimezone(zone).date() - when.astimezone(zone).date()).days
    if ago in {0, 1}:
        return ("today", "yesterday")[ago]
    local = when.astimezone(zone)
    return f"{local.day} {local:%b %Y}"


def too_many(seconds: int) -> str:
    """What is said to whoever has to wait after wrong passwords; rounded up, as people wait."""
    wait = (
        counted(seconds, "second", "seconds")
        if seconds <= 90
        else counted(-(-seconds // 60), "minute", "minutes")
    )
    return f"Too many wrong passwords. Try again in {wait}."


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many}"
