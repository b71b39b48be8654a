"""Outages: what an error of the database means: again, please; not now; or a fault of ours."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

from service.errors import Unavailable

# Deadlock and serialization failure: the database's way of saying "again, please". Unique violations
# are tried again too: the second attempt of a doubled request finds the row that the first one wrote.
# So are references to a row that was erased meanwhile: the second attempt does not find it any more.
RETRIED_SQLSTATES = {"40001", "40P01", "23505", "23503"}
RETRIED_SQLITE = ("UNIQUE constraint failed",)
AWAY = "database_unavailable", "the database does not answer"
LOCKED = "database_unavailable", "somebody holds the database for too long"
READ_ONLY = "database_read_only", "the database can be read and not written"
FULL = "database_full", "there is no room left for the database"
# SQLite's primary result codes: BUSY, READONLY, IOERR, FULL, CANTOPEN.
RESULT_CODES = {5: LOCKED, 8: READ_ONLY, 10: AWAY, 13: FULL, 14: AWAY}
SQLSTATES = {"25006": READ_ONLY, "53100": FULL, "55P03": LOCKED}
AGAIN_IN_S = 5


def find_outage(error: SQLAlchemyError) -> Unavailable | None:
    """The refusal for an error that is over once the database is well; None for a fault of ours."""
    named = _named(error)
    if named is None:
        return None
    code, detail = named
    return Unavailable(detail, code=code, headers={"Retry-After": str(AGAIN_IN_S)})


def may_be_tried_again(error: DBAPIError) -> bool:
    """Whether the same transaction, run from its start, may well succeed."""
    sqlstate = getattr(error.orig, "sqlstate", None)
    return sqlstate in RETRIED_SQLSTATES or any(
        words in str(error.orig) for words in RETRIED_SQLITE
    )


def _named(error: SQLAlchemyError) -> tuple[str, str] | None:
    if isinstance(error, NoConnection):
        return AWAY
    if not isinstance(error, DBAPIError):
        return None
    result_code = getattr(error.orig, "sqlite_errorcode", None)
    if result_code is not None:
        return RESULT_CODES.get(result_code & 0xFF)
    if (known := SQLSTATES.get(getattr(error.orig, "sqlstate", None) or "")) is not None:
        return known
    gone = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    return AWAY if gone and not _is_sqlite(error) else None


def _is_sqlite(error: DBAPIError) -> bool:
    return type(error.orig).__module__ == "sqlite3"
