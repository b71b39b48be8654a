"""An actor: whoever moves a comment. A person, a key, or the machine (neither)."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_

from service.storage.tables import Decision


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A person's id, or a key's, or neither: then the machine acts."""

    person_id: int | None = None
    key_id: int | None = None


MACHINE = Actor()


def is_somebodys() -> ColumnElement[bool]:
    """Of a decision's row: a person or a key made it, not the machine."""
    return or_(Decision.person_id.is_not(None), Decision.key_id.is_not(None))
