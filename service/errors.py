"""Errors a caller can cause, each carrying the status and the code it is answered with."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """One wrong field: where it stands (a JSON pointer, RFC 6901) and what is wrong with it."""

    pointer: str
    code: str
    detail: str


class ServiceError(Exception):
    """A refusal the caller can act on; anything else is a 500 with a stack trace."""

    status = 500
    code = "internal"
    title = "Something went wrong"

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        errors: tuple[FieldError, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.code = code or self.code
        self.errors = errors
        self.headers = headers or {}


class BadRequest(ServiceError):
    status, code, title = 400, "bad_request", "The request cannot be read"


class Unauthorized(ServiceError):
    status, code, title = 401, "unauthorized", "A valid key or sign-in is needed"


class Forbidden(ServiceError):
    status, code, title = 403, "forbidden", "This key or person may not do that"


class NotFound(ServiceError):
    status, code, title = 404, "not_found", "There is no such thing here"


class Conflict(ServiceError):
    status, code, title = 409, "conflict", "This has changed since you saw it"


class Gone(ServiceError):
    status, code, title = 410, "gone", "This is gone for good"


class TooLarge(ServiceError):
    status, code, title = 413, "too_large", "The request is too large"


class Invalid(ServiceError):
    status, code, title = 422, "invalid", "Some fields are wrong"


class TooManyRequests(ServiceError):
    status, code, title = 429, "too_many_requests", "Too many attempts; wait a little"


class Unavailable(ServiceError):
    status, code, title = 503, "unavailable", "The service cannot take this now; try again shortly"


class MisconfiguredError(Exception):
    """A setting stops the start; the message names the variable and the way out."""
