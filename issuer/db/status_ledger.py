"""What cards count as, read and marked in parts: millions of positions pass through, and none stays."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import sqlalchemy as sa

from issuer.db.application_lock import ApplicationLock
from issuer.db.audit import SqlAuditTrail
from issuer.db.base import Database
from issuer.db.production_tables import CardRow, StatusListRow
from issuer.db.status_tables import StatusPublicationRow
from issuer.domain.audit import AuditRecord
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError
from issuer.services.publication_ports import ListedPosition, Publication
from pki.signed.card_states import CardState

__all__ = ["SqlStatusLedger"]

_PART: Final = 10_000
"""Rows that are in memory at a time."""

_LOCK: Final = ApplicationLock(
    name="status", number=0x6D63_7374_6174_7573, unavailable="status.lock-unavailable"
)


class SqlStatusLedger:
    """Implements ``StatusLedger``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextlib.contextmanager
    def exclusively(self) -> Iterator[None]:
        """See ``StatusLedger.exclusively``."""
        with _LOCK.held(self._database, busy=_busy()):
            yield

    def lists(self) -> tuple[int, tuple[bytes, ...]]:
        """See ``StatusLedger.lists``."""
        with self._database.reading() as session:
            rows = session.execute(
                sa.select(StatusListRow.list_id, StatusListRow.size).order_by(StatusListRow.list_id)
            ).all()
        sizes = {row.size for row in rows}
        if len(sizes) > 1:
            raise IssuerRefusedError(
                f"status lists have {sorted(sizes)} positions, expected one size",
                code="status.list-sizes",
            )
        return (next(iter(sizes), 0), tuple(row.list_id for row in rows))

    def activated(self) -> Iterator[ListedPosition]:
        """See ``StatusLedger.activated``."""
        return self._positions(CardRow.counts_as != CardState.NOT_HANDED_OVER.value)

    def unpublished(self) -> Iterator[ListedPosition]:
        """See ``StatusLedger.unpublished``."""
        return self._positions(CardRow.counts_as != CardRow.published_as)

    def has_unpublished(self) -> bool:
        """See ``StatusLedger.has_unpublished``."""
        found = sa.select(CardRow.reference).where(CardRow.counts_as != CardRow.published_as)
        with self._database.reading() as session:
            return session.scalars(found.limit(1)).first() is not None

    def counts(self) -> tuple[dict[CardState, int], int]:
        """See ``StatusLedger.counts``."""
        with self._database.reading() as session:
            rows = session.execute(
                sa.select(CardRow.counts_as, sa.func.count()).group_by(CardRow.counts_as)
            )
            found = {CardState(state): count for state, count in rows}
            waiting = session.scalars(
                sa.select(sa.func.count()).where(CardRow.counts_as != CardRow.published_as)
            ).one()
        return found, waiting

    def mark(self, positions: Iterable[ListedPosition]) -> None:
        """See ``StatusLedger.mark``."""
        iterator = iter(positions)
        while part := list(itertools.islice(iterator, _PART)):
            with self._database.writing() as session:
                session.connection().execute(
                    _MARK,
                    [
                        {"b_list": list_id, "b_index": index, "b_state": state}
                        for list_id, index, state in part
                    ],
                )

    def mark_list(self, list_id: bytes, table: bytes) -> None:
        """See ``StatusLedger.mark_list``; the database looks each position up in the table, in constant time."""
        listed: sa.ColumnElement[int]
        if self._database.is_sqlite:
            # A byte of a blob has no number there, but a digit is one.
            digits = table.translate(_DIGITS)
            byte = sa.func.substr(sa.bindparam("b_table", digits), _CARDS.c.status_index + 1, 1)
            listed = sa.cast(sa.cast(byte, sa.Text), sa.SmallInteger)
        else:
            listed = sa.func.get_byte(
                sa.bindparam("b_table", table, type_=sa.LargeBinary),
                sa.cast(_CARDS.c.status_index, sa.Integer),
            )
        with self._database.writing() as session:
            session.connection().execute(
                sa.update(_CARDS)
                .where(_CARDS.c.status_list == list_id, _CARDS.c.published_as != listed)
                .values(published_as=listed)
            )

    def newest(self) -> Publication | None:
        """See ``StatusLedger.newest``."""
        with self._database.reading() as session:
            row = session.scalars(
                sa.select(StatusPublicationRow)
                .order_by(StatusPublicationRow.number.desc())
                .limit(1)
            ).one_or_none()
        if row is None:
            return None
        return Publication(
            number=row.number,
            this_update=row.this_update,
            next_update=row.next_update,
            digest=row.digest,
            changes=row.changes,
            account=AccountName(row.account),
            at=row.at,
        )

    def add(self, publication: Publication, record: AuditRecord) -> None:
        """See ``StatusLedger.add``."""
        with self._database.writing() as session:
            session.add(
                StatusPublicationRow(
                    number=publication.number,
                    this_update=publication.this_update,
                    next_update=publication.next_update,
                    digest=publication.digest,
                    changes=publication.changes,
                    account=publication.account,
                    at=publication.at,
                )
            )
            SqlAuditTrail(session).append(record)

    def _positions(self, condition: sa.ColumnElement[bool]) -> Iterator[ListedPosition]:
        """One after the other, out of one reading of the database."""
        statement = sa.select(
            _CARDS.c.status_list, _CARDS.c.status_index, _CARDS.c.counts_as
        ).where(condition)
        with self._database.reading() as session:
            found = session.connection().execute(statement.execution_options(yield_per=_PART))
            for part in found.partitions():
                yield from map(tuple, part)


_CARDS: Final = CardRow.metadata.tables[CardRow.__tablename__]
_DIGITS: Final = bytes.maketrans(bytes(range(10)), b"0123456789")
_MARK: Final = (
    sa.update(_CARDS)
    .where(
        _CARDS.c.status_list == sa.bindparam("b_list"),
        _CARDS.c.status_index == sa.bindparam("b_index"),
    )
    .values(published_as=sa.bindparam("b_state"))
)


def _busy() -> IssuerRefusedError:
    return IssuerRefusedError(
        "another process is publishing the status list",
        code="status.publishing",
        hint="wait for it, then publish again",
    )
