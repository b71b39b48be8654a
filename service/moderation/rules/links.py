"""Links: the addresses in a text, written out, bare or broken up on purpose. Pure."""

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import re2

from service.moderation.rules.folding import visible
from service.moderation.scores import Span

# A bare `name.end` is a link only with an end that no sentence begins with; two letters need a path:
# "I left it.Is that wrong?" has none.
ENDS = (
    "com|net|org|info|biz|xyz|top|shop|store|online|site|website|club|vip|app|dev|blog|news|live|life|"
    "icu|buzz|fun|pro|win|bid|loan|work|click|link|download|pharmacy|health|care|clinic|casino|bet|"
    "money|finance|cash|email|page|space|tech|world|today|edu|gov"
)
DOT = r"\s?(?:\[\.\]|\(\.\)|\[dot\]|\(dot\)|\{dot\})\s?|\."
LABEL = r"[\pL\pN](?:[\pL\pN_-]{0,61}[\pL\pN])?"
REST = r"(?:\[\.\]|\(\.\)|[^\s<>\"'\)\]])"
LINK = (
    rf"(?:(?:h(?:tt|xx)ps?|ftp)\s?:\s?//|www\.){REST}+"
    rf"|(?:{LABEL}(?:{DOT}))+(?:{ENDS})\b(?:[:/?#]{REST}*)?"
    rf"|(?:{LABEL}\.)+[a-z]{{2}}/{REST}*"
)
MOST_LINKS = 1000


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link of a text: its domain, lower-case and in ASCII, and where it stands."""

    domain: str
    span: Span


def find(text: str) -> list[Link]:
    """The links of a text, in order; an e-mail address is one to its domain."""
    seen, at = visible(text)
    links = []
    for found in _pattern().finditer(seen):
        address = found.group().rstrip(".,;:!?")
        domain = domain_of(address)
        if domain:
            span = Span(start=at[found.start()], end=at[found.start() + len(address) - 1] + 1)
            links.append(Link(domain=domain, span=span))
        if len(links) == MOST_LINKS:
            break
    return links


def domain_of(address: str) -> str:
    """The domain of an address, or of what looks like one; empty where there is none."""
    bare = re2.sub(rf"(?i){DOT}", ".", address.strip())
    bare = re2.sub(r"(?i)^\w{3,5}\s?:\s?//", "", bare)
    host = re2.split(r"[/?#\\]", bare, 1)[0].rpartition("@")[2].partition(":")[0]
    host = unicodedata.normalize("NFKC", host).casefold().strip(".")
    try:
        return host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError:
        return host


def belongs_to(domain: str, domains: Collection[str]) -> bool:
    """Whether a domain is one of these or beneath one of them."""
    parts = domain.split(".")
    return any(".".join(parts[i:]) in domains for i in range(len(parts)))


@lru_cache(maxsize=1)
def _pattern() -> re2._Regexp:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    return re2.compile(LINK, options)
