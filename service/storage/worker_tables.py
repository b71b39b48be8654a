"""The table of workers: who works on this database, seen a moment ago."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables import Table


class WorkerBeat(Table):
    """A worker that runs, under the name that its leases carry."""

    __tablename__ = "worker_beats"

    owner: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    version: Mapped[str] = mapped_column(sa.String(32))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
