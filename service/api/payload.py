"""Payloads: bytes in, a checked model out, with every wrong field named at once."""

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from service.errors import BadRequest, FieldError, Invalid
from service.text import UNFIT

M = TypeVar("M", bound=BaseModel)

# Our deepest payload has four levels. Well under what the parsers themselves can stand.
MOST_LEVELS = 50
# Every wrong field is named, but a request of 8 MB is not answered with 50.
MOST_ERRORS = 1000
CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "string_too_long": "too_long",
    "string_too_short": "too_short",
    "too_long": "too_long",
    "too_short": "too_short",
    "literal_error": "not_allowed",
    "enum": "not_allowed",
    "string_pattern_mismatch": "wrong_form",
    "timezone_aware": "no_time_zone",
}


def parse_body(raw: bytes, model: type[M]) -> M:
    """The request's JSON as `model`; raises BadRequest for what is no JSON, Invalid for wrong fields."""
    return parse_value(_read(raw), model)


def parse_shape(raw: bytes, model: type[M]) -> M:
    """The request's JSON as a `model` that leaves to others what stands deeper in it."""
    try:
        return model.model_validate(_read(raw), strict=True)
    except ValidationError as error:
        named = error.errors(include_url=False, include_input=False)[:MOST_ERRORS]
        raise Invalid(errors=tuple(_field_error(each) for each in named)) from error


def parse_value(payload: Any, model: type[M]) -> M:
    """A value that was JSON as `model`; pointers begin at the value."""
    unfit: list[FieldError] = []
    clean = _cleaned(payload, "", unfit)
    wrong: list[FieldError] = []
    try:
        # Strict JSON mode: "1" is no number, and a time is a string.
        checked = model.model_validate_json(json.dumps(clean), strict=True)
    except ValidationError as error:
        named = error.errors(include_url=False, include_input=False)[:MOST_ERRORS]
        wrong = [_field_error(each) for each in named]
    if unfit or wrong:
        code = "invalid" if wrong else "invalid_text"
        raise Invalid(code=code, errors=(*unfit, *wrong)[:MOST_ERRORS])
    return checked


def parse_query(given: dict[str, str], model: type[M]) -> M:
    """The query string as `model`; raises Invalid naming each wrong parameter under /query."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong = [_field_error(each, "/query") for each in error.errors(include_url=False)]
        raise Invalid(errors=tuple(wrong)) from error


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not JSON in UTF-8", code="malformed_json") from error


def _cleaned(value: Any, pointer: str, unfit: list[FieldError]) -> Any:
    """The payload with unfit characters replaced, and a note for every string that had some."""
    if pointer.count("/") > MOST_LEVELS:
        raise BadRequest(f"the body has more than {MOST_LEVELS} levels", code="malformed_json")
    if isinstance(value, str):
        if not UNFIT.search(value):
            return value
        detail = "The text holds a NUL or half of a surrogate pair."
        unfit.append(FieldError(pointer=pointer, code="invalid_text", detail=detail))
        return UNFIT.sub("\ufffd", value)
    if isinstance(value, float) and value.is_integer():
        return int(value)  # JSON has one kind of number: 1.0 is the integer 1
    if isinstance(value, list):
        return [_cleaned(each, f"{pointer}/{i}", unfit) for i, each in enumerate(value)]
    if isinstance(value, dict):
        return {
            UNFIT.sub("\ufffd", key): _cleaned(each, f"{pointer}/{_escaped(key)}", unfit)
            for key, each in value.items()
        }
    return value


def _field_error(error: ErrorDetails, under: str = "") -> FieldError:
    # A key that is wrong is pointed to as what stands under it.
    parts = [str(part) for part in error["loc"] if part != "[key]"]
    pointer = under + "".join(f"/{_escaped(part)}" for part in parts)
    kind = error["type"]
    code = CODES.get(kind) or ("wrong_type" if kind.endswith(("_type", "_parsing")) else kind)
    return FieldError(pointer=pointer, code=code, detail=error["msg"])


def _escaped(part: str) -> str:
    """A part of a JSON pointer (RFC 6901)."""
    return UNFIT.sub("\ufffd", part).replace("~", "~0").replace("/", "~1")
