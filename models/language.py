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
    best = _detector().compute_language_confidence_values(text)[0]
    if best.language == Language.ENGLISH:  # made anew by each call: never the same object
        return SERVED, True
    if best.value < CONFIDENT:
        return _inherited(hint)
    return best.language.iso_code_639_1.name.lower(), False


def _inherited(hint: str | None) -> tuple[str, bool]:
    base = (hint or UNKNOWN).split("-")[0].lower()
    return base, base in {SERVED, UNKNOWN}


@cache
def _detector() -> LanguageDetector:
    return LanguageDetectorBuilder.from_languages(*TOLD_APART).build()
