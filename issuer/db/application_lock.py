"""Locks of applications: who does something that nobody else may do at the same time, across processes.

On PostgreSQL it is a lock of the server on a connection of its own, beside SQLite's file it is a locked file: either
goes with whoever holds it, however that ends.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from issuer.db.base import DATABASE_FAILURES, Database, database_error
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from pki.errors import RecordError
from pki.record.lock import lock_exclusively

__all__ = ["ApplicationLock"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationLock:
    """One lock.

    Attributes:
        name: of the lock's file beside SQLite's.
        number: by which PostgreSQL knows it, 64 bits with a sign.
        unavailable: the code where the file cannot be had.
    """

    name: str
    number: int
    unavailable: str

    @contextlib.contextmanager
    def held(self, database: Database, *, busy: IssuerRefusedError) -> Iterator[None]:
        """Be alone.

        Raises:
            IssuerRefusedError: ``busy``: somebody else holds it.
            IssuerUnavailableError: the lock is not to be had.
        """
        with self._file(database, busy) if database.is_sqlite else self._server(database, busy):
            yield

    @contextlib.contextmanager
    def _file(self, database: Database, busy: IssuerRefusedError) -> Iterator[None]:
        path = Path(f"{database.url.database}.{self.name}-lock")
        try:
            file = path.open("ab")
        except OSError as error:
            raise IssuerUnavailableError(
                f"{path} cannot be opened: {error.strerror}", code=self.unavailable
            ) from error
        with file:
            try:
                lock_exclusively(file, name=path.name)
            except RecordError as error:
                raise busy from error
            yield

    @contextlib.contextmanager
    def _server(self, database: Database, busy: IssuerRefusedError) -> Iterator[None]:
        with database.engine.connect() as connection:
            try:
                taken = connection.execute(
                    sa.select(sa.func.pg_try_advisory_lock(self.number))
                ).scalar_one()
                connection.commit()
            except DATABASE_FAILURES as error:
                raise database_error(error) from error
            if not taken:
                raise busy
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(self.number)))
                connection.commit()
