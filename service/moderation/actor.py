"""An actor: whoever moves a comment. A person, a key, or the machine (neither)."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A person's id, or a key's, or neither: then the machine acts."""

    person_id: int | None = None
    key_id: int | None = None


MACHINE = Actor()
