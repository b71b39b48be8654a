"""Language: is this English, another language for sure, or too short to tell?"""

from functools import cache

from lingua import Language, LanguageDetector, LanguageDetectorBuilder

from models.text import WORD

SERVED = "en"
UNKNOWN = "unknown"
# Languages that English news sites are commented in; each one more costs memory and certainty.
TOLD_APART = (
    Language.ENGLISH,
    Language.SPANISH,
    Language.FRENCH,
    Language.GERMAN,
    Language.PORTUGUESE,
    Language.ITALIAN,
    Language.DUTCH,
    Language.POLISH,
    Language.RUSSIAN,
    Language.UKRAINIAN,
    Language.ARABIC,
    Language.TURKISH,
    Language.CHINESE,
    Language.JAPANESE,
    Language.KOREAN,
    Language.HINDI,
    Language.VIETNAMESE,
    Language.INDONESIAN,
    Language.SWEDISH,
    Language.TAGALOG,
)
# Under this many words an alphabet in common with English says too little.
ENOUGH_WORDS = 5
ENOUGH_LETTERS = 20
CONFIDENT = 0.85
# Words without which hardly anybody writes English, and which no other language of the list writes alike. A text
# made of enough of them is English: the detector, which takes longer than the network, need not be asked.
ENGLISH_ALONE = frozenset(
    [
        "the",
        "and",
        "that",
        "this",
        "with",
        "have",
        "has",
        "had",
        "are",
        "were",
        "they",
        "their",
        "them",
        "there",
        "these",
        "those",
        "would",
        "should",
        "could",
        "which",
        "what",
        "when",
        "where",
        "who",
        "why",
        "how",
        "because",
        "about",
        "from",
        "than",
        "then",
        "been",
        "being",
        "your",
        "you",
        "our",
        "his",
        "it's",
        "don't",
        "doesn't",
        "isn't",
        "can't",
        "i'm",
        "i've",
        "my",
        "but",
        "into",
        "some",
        "any",
        "every",
        "only",
        "even",
        "just",
        "never",
        "other",
        "people",
    ]
)
ENGLISH_WORDS, ENGLISH_SHARE = 3, 0.15


def detect(text: str, hint: str | None) -> tuple[str, bool]:
    """The language (ISO 639-1 or "unknown"; a short text inherits `hint`) and whether we can judge it.

    Unsupported only when another language is confident: "Merci!" is no reason to hold a comment.
    """
    words = WORD.findall(text)
    letters = sum(map(len, words))
    own_script = sum(letter.isascii() or letter < "\u0250" for letter in "".join(words))
    latin = own_script * 2 > letters
    if letters < 3 or (latin and (len(words) < ENOUGH_WORDS or letters < ENOUGH_LETTERS)):
        return _inherited(hint)
    if latin and _is_plainly_english(words):
        return SERVED, True
    best = _detector().compute_language_confidence_values(text)[0]
    if best.language == Language.ENGLISH:  # made anew by each call: never the same object
        return SERVED, True
    if best.value < CONFIDENT:
        return _inherited(hint)
    return best.language.iso_code_639_1.name.lower(), False


def _is_plainly_english(words: list[str]) -> bool:
    known = sum(word.lower().replace("’", "'") in ENGLISH_ALONE for word in words)
    return known >= max(ENGLISH_WORDS, ENGLISH_SHARE * len(words))


def _inherited(hint: str | None) -> tuple[str, bool]:
    base = (hint or UNKNOWN).split("-")[0].lower()
    return base, base in {SERVED, UNKNOWN}


@cache
def _detector() -> LanguageDetector:
    return LanguageDetectorBuilder.from_languages(*TOLD_APART).build()
