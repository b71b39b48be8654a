"""The list of erasures: a file beside the database that outlives it, so that a restore erases again."""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from service.errors import MisconfiguredError

NAME = "erasures.jsonl"
# An erasure is committed a while after the time it bears: so much is looked at again.
OVERLAP = timedelta(minutes=10)

Row = Mapping[str, object]


def read(file: Path) -> list[dict[str, object]]:
    """The rows of a list, oldest first; raises MisconfiguredError naming a line that is none.

    A last line without its end is one that was being written when the machine stopped: it is left out.
    """
    whole, _, _ = file.read_text(encoding="utf-8").rpartition("\n")
    return [_parse(line, file, number) for number, line in enumerate(whole.splitlines(), start=1)]


class ErasureList:
    """The list as one process keeps it: what is known stays in memory, what is new goes to the disk."""

    def __init__(self, file: Path) -> None:
        self._file = file
        rows = read(file) if file.exists() else []
        self._known = {_line(row) for row in rows}
        self._latest = max((_at(row) for row in rows), default=None)
        # So many bytes of the file are in what is known; the first addition reads it all again.
        self._end = 0

    @property
    def since(self) -> datetime | None:
        """From when on the record may have rows that this list has not; None for all of it."""
        return self._latest - OVERLAP if self._latest else None

    def add(self, rows: Iterable[Row]) -> int:
        """Add the rows that are not in the list, on disk when this returns; returns how many."""
        wanted = {_line(row): _at(row) for row in rows}
        if not wanted.keys() - self._known:
            return 0
        # With a server's database, and a secret in the config file, nothing else may have made it.
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(opened, "r+b") as listed:
            # Several workers may share the file: none cuts or repeats what another writes.
            fcntl.flock(listed, fcntl.LOCK_EX)
            self._catch_up(listed)
            new = wanted.keys() - self._known
            listed.write("".join(f"{line}\n" for line in wanted if line in new).encode())
            listed.flush()
            os.fsync(listed.fileno())
            self._end = listed.seek(0, os.SEEK_END)
        self._known |= new
        self._latest = max([*wanted.values(), *([self._latest] if self._latest else [])])
        return len(new)

    def list_beyond(self, recorded: Iterable[Row]) -> list[Row]:
        """What this list knows beyond a database's own record."""
        return beyond(map(json.loads, sorted(self._known)), recorded)

    def _catch_up(self, listed: BinaryIO) -> None:
        """Read what others have added, and take off a line that was cut in the middle, so that the next stands by itself."""
        listed.seek(self._end)
        whole, end, _cut = listed.read().rpartition(b"\n")
        self._known |= set(whole.decode().splitlines())
        self._end = listed.truncate(self._end + len(whole + end))
        listed.seek(self._end)


def beyond(rows: Iterable[Row], recorded: Iterable[Row]) -> list[Row]:
    """The rows that a database's own record has not, or has of an earlier time.

    What it has is not done again: a reader who was forgotten may have reported something since.
    """
    latest: dict[tuple[object, ...], datetime] = {}
    for row in recorded:
        latest[_what(row)] = max(_at(row), latest.get(_what(row), _at(row)))
    return [row for row in rows if _what(row) not in latest or latest[_what(row)] < _at(row)]


def _parse(line: str, file: Path, number: int) -> dict[str, object]:
    try:
        row = json.loads(line)
        _at(row), _what(row)
    except (ValueError, TypeError, KeyError) as error:
        raise MisconfiguredError(
            f"{file}, line {number}: this is no row of a list of erasures."
        ) from error
    return dict(row)


def _what(row: Row) -> tuple[object, ...]:
    return row["site"], row.get("comment_id"), row.get("reporter")


def _at(row: Row) -> datetime:
    return datetime.fromisoformat(str(row["at"]))


def _line(row: Row) -> str:
    return json.dumps(row, sort_keys=True, separators=(",", ":"))
