"""Requests, decisions and card numbers over one session of the database."""

import contextlib
from collections.abc import Iterator

from sqlalchemy.orm import Session

from issuer.db.audit import SqlAuditTrail
from issuer.db.base import Database
from issuer.db.decisions import SqlDecisionRepository
from issuer.db.number_blocks import SqlNumberRepository
from issuer.db.register import SqlOrganisationRepository
from issuer.db.requests import SqlRequestRepository
from issuer.services.audit_ports import AuditTrail
from issuer.services.number_ports import NumberRepository
from issuer.services.register_ports import OrganisationRepository
from issuer.services.request_ports import (
    DecisionRepository,
    RequestRepository,
    RequestTransaction,
)

__all__ = ["SqlRequestRegister"]


class SqlRequestTransaction:
    """The repositories over one session."""

    def __init__(self, session: Session, *, is_writing: bool) -> None:
        self.organisations: OrganisationRepository = SqlOrganisationRepository(session)
        self.requests: RequestRepository = SqlRequestRepository(session)
        self.decisions: DecisionRepository = SqlDecisionRepository(session)
        self.numbers: NumberRepository = SqlNumberRepository(session)
        self.audit: AuditTrail = SqlAuditTrail(session, is_writing=is_writing)


class SqlRequestRegister:
    """Implements ``RequestRegister`` in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextlib.contextmanager
    def writing(self) -> Iterator[RequestTransaction]:
        """One transaction: committed when the block ends, dropped when it raises."""
        with self._database.writing() as session:
            yield SqlRequestTransaction(session, is_writing=True)

    @contextlib.contextmanager
    def reading(self) -> Iterator[RequestTransaction]:
        """One transaction that only reads."""
        with self._database.reading() as session:
            yield SqlRequestTransaction(session, is_writing=False)
