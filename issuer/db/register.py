"""The register in the database: one transaction with the repositories that it reaches."""

import contextlib
from collections.abc import Callable, Iterator

from sqlalchemy.orm import Session

from issuer.db.account_proposals import SqlAccountProposals
from issuer.db.audit import SqlAuditTrail
from issuer.db.base import Database
from issuer.db.batch_openings import SqlBatchOpenings
from issuer.db.batches import SqlBatchRepository
from issuer.db.bundle_conflicts import SqlExchange
from issuer.db.bundle_seals import BundleSeals
from issuer.db.card_dossiers import SqlCardDossiers
from issuer.db.card_validity import SqlCardValidity
from issuer.db.card_vault import CardVault
from issuer.db.decisions import SqlDecisionRepository
from issuer.db.directory import SqlMemberDirectory
from issuer.db.import_seals import ImportSeals
from issuer.db.imports import SqlImportLedger
from issuer.db.login_sessions import SqlSessionRepository
from issuer.db.member_checks import SqlMemberChecks
from issuer.db.member_seals import MemberSeals, RegisterKeys
from issuer.db.members import SqlMemberRepository
from issuer.db.number_blocks import SqlNumberRepository
from issuer.db.organisations import SqlOrganisationRepository
from issuer.db.people import SqlAccountRepository
from issuer.db.proof_lines import SqlProofRepository
from issuer.db.requests import SqlRequestRepository
from issuer.db.sealing import Sealer
from issuer.db.station_repository import SqlStationRepository
from issuer.db.stock_accounts import SqlStockRepository
from issuer.db.stock_acts import SqlStockActRepository
from issuer.db.subjects import SqlSubjectRepository
from issuer.errors import IssuerUnavailableError
from issuer.services.audit_ports import AuditTrail
from issuer.services.batch_ports import BatchRepository
from issuer.services.bundle_ports import ExchangeRepository
from issuer.services.card_validity_ports import CardDossiers, CardValidityRepository
from issuer.services.directory_ports import MemberDirectory
from issuer.services.import_ports import ImportLedger
from issuer.services.member_check_ports import MemberChecks
from issuer.services.number_ports import NumberRepository
from issuer.services.opening_ports import BatchOpenings
from issuer.services.people_ports import (
    AccountProposalRepository,
    AccountRepository,
    SessionRepository,
)
from issuer.services.proof_ports import ProofRepository
from issuer.services.register_ports import (
    MemberRepository,
    OrganisationRepository,
    RegisterTransaction,
)
from issuer.services.request_ports import DecisionRepository, RequestRepository
from issuer.services.station_book_ports import StationRepository
from issuer.services.stock_ports import StockActRepository, StockRepository
from issuer.services.subject_ports import SubjectRepository

__all__ = ["SqlRegister"]


def _no_keys() -> Sealer:
    raise IssuerUnavailableError(
        "the register was opened without its keys, so no member can be read or written",
        code="register.without-keys",
    )


def _no_card_keys() -> CardVault:
    raise IssuerUnavailableError(
        "the register was opened without the keys of production, so no card can be bound",
        code="production.without-keys",
    )


class SqlRegisterTransaction:
    """The repositories over one session."""

    def __init__(
        self,
        session: Session,
        keys: RegisterKeys,
        *,
        is_writing: bool,
        vault: Callable[[], CardVault] = _no_card_keys,
    ) -> None:
        def seals() -> MemberSeals:
            return keys.open(session, is_writing=is_writing)

        self.members: MemberRepository = SqlMemberRepository(session, seals)
        self.checks: MemberChecks = SqlMemberChecks(session)
        self.directory: MemberDirectory = SqlMemberDirectory(session, seals)
        self.subjects: SubjectRepository = SqlSubjectRepository(session, seals)
        self.organisations: OrganisationRepository = SqlOrganisationRepository(session)
        self.imports: ImportLedger = SqlImportLedger(
            session, lambda: ImportSeals(keys.open(session, is_writing=is_writing).sealer), seals
        )
        self.people: AccountRepository = SqlAccountRepository(session)
        self.account_proposals: AccountProposalRepository = SqlAccountProposals(session)
        self.sessions: SessionRepository = SqlSessionRepository(session)
        self.requests: RequestRepository = SqlRequestRepository(session)
        self.decisions: DecisionRepository = SqlDecisionRepository(session)
        self.batches: BatchRepository = SqlBatchRepository(session, vault)
        self.proofs: ProofRepository = SqlProofRepository(session, seals)
        self.openings: BatchOpenings = SqlBatchOpenings(session)
        self.cards: CardValidityRepository = SqlCardValidity(session)
        self.card_dossiers: CardDossiers = SqlCardDossiers(session)
        self.numbers: NumberRepository = SqlNumberRepository(session, seals)
        self.stock: StockRepository = SqlStockRepository(session)
        self.stock_acts: StockActRepository = SqlStockActRepository(session)
        self.stations: StationRepository = SqlStationRepository(session, vault)
        self.exchange: ExchangeRepository = SqlExchange(
            session, lambda: BundleSeals(keys.open(session, is_writing=is_writing).sealer)
        )
        self.audit: AuditTrail = SqlAuditTrail(session, is_writing=is_writing)


class SqlRegister:
    """The register in one database."""

    def __init__(
        self,
        database: Database,
        sealer: Callable[[], Sealer] = _no_keys,
        vault: Callable[[], CardVault] = _no_card_keys,
    ) -> None:
        """``sealer`` gives the register's keys; it is asked once, when the first member is read or written.

        ``vault`` gives the keys of production, asked for when cards are bound or given to stations. What concerns
        organisations or the audit trail alone needs no key.
        """
        self._database = database
        self._vault = vault
        self._keys = RegisterKeys(sealer)

    @contextlib.contextmanager
    def writing(self) -> Iterator[RegisterTransaction]:
        """One transaction: committed when the block ends, dropped when it raises."""
        with self._database.writing() as session:
            yield SqlRegisterTransaction(session, self._keys, is_writing=True, vault=self._vault)

    @contextlib.contextmanager
    def reading(self) -> Iterator[RegisterTransaction]:
        """One transaction that only reads."""
        with self._database.reading() as session:
            yield SqlRegisterTransaction(session, self._keys, is_writing=False, vault=self._vault)
