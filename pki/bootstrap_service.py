"""The composition root of the service: the database beside a home, requests, and what carries them out."""

import contextlib
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pki.certificates.operator_roles import OperatorRole
from pki.db.base import Database
from pki.db.projection import SqlProjection
from pki.db.request_ledger import SqlRequestLedger
from pki.db.schema import check_migrations, current_revision, latest_revision, upgrade
from pki.errors import PkiRefusedError, RecordError
from pki.home import Home
from pki.keys.open import open_keystore
from pki.record.journal_tail import JournalPosition
from pki.services.authority import AuthorityService
from pki.services.cv_issuer import CvIssuer
from pki.services.open_record import open_record
from pki.services.operator_identity import CallingOperator, identify_operator, require_role
from pki.services.operator_requests import OperatorRequest, RequestDesk, RequestState
from pki.services.operators import OperatorService
from pki.services.projection import catch_up
from pki.services.recorder import Recorder
from pki.services.request_execution import Outcome, RequestExecution
from pki.services.rule_linter import RuleLinter
from pki.services.service_authority import ServiceAuthorityService
from pki.services.terminals import TerminalService

__all__ = [
    "ServiceDatabase",
    "carry_out_request",
    "check_database",
    "open_service_database",
    "rebuild_projection",
    "require_current_schema",
    "upgrade_database",
]

_MAX_URL_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDatabase:
    """An open database with what is kept in it."""

    home: Home
    database: Database
    ledger: SqlRequestLedger
    projection: SqlProjection
    desk: RequestDesk

    def now(self) -> datetime:
        """The time, aware."""
        return _utc_now()

    def newest_requests(self, state: RequestState | None, *, limit: int) -> list[OperatorRequest]:
        """The newest requests, of one state where one is given."""
        return self.ledger.page(state=state, after=None, limit=limit, now=_utc_now())

    def operator(self, certificate: bytes, *, allowed: frozenset[OperatorRole]) -> CallingOperator:
        """The operator in good standing whose certificate this is, with one of the roles.

        Raises:
            PkiRefusedError: as ``identify_operator`` and ``require_role``.
        """
        self.catch_up()
        found = identify_operator(certificate, look_up=self.projection, now=_utc_now)
        require_role(found, allowed)
        return found

    def catch_up(self) -> JournalPosition:
        """Follow the home's journal to its end as of now; see ``pki.services.projection.catch_up``."""
        return catch_up(self.projection, self.home.journal)


@contextlib.contextmanager
def open_service_database(
    home: Home, *, url: str | None = None, url_file: Path | None = None
) -> Iterator[ServiceDatabase]:
    """The database of a home: the URL given, or the one in a file, or an SQLite file in the home.

    Raises:
        RecordError: ``home.missing``, ``database.url``, ``database.url-secret``: a password in the URL itself, which
            others can see; ``database.driver``.
    """
    home.settings()
    database = Database(_url(home, url, url_file))
    ledger = SqlRequestLedger(database)
    try:
        yield ServiceDatabase(
            home=home,
            database=database,
            ledger=ledger,
            projection=SqlProjection(database),
            desk=RequestDesk(ledger, now=_utc_now, new_id=uuid.uuid4),
        )
    finally:
        database.close()


def upgrade_database(service: ServiceDatabase) -> str | None:
    """Bring the schema up to date and the projection to the journal's end; give back the revision.

    Raises:
        RecordError: the database does not answer, is newer, or is of another journal.
    """
    upgrade(service.database)
    if service.database.is_sqlite:
        # The file is for the home's owner, as the journal is.
        Path(service.database.url.database or "").chmod(0o600)
    service.catch_up()
    return current_revision(service.database)


def check_database(service: ServiceDatabase | None) -> JournalPosition | None:
    """Check the migrations against the tables in code and, where a database is given, that one against the journal.

    Raises:
        PkiRefusedError: ``database.migrations-differ``.
        RecordError: ``database.not-upgraded``, ``database.other-journal``, ``record.damaged``.
    """
    check_migrations()
    if service is None:
        return None
    require_current_schema(service)
    return service.catch_up()


def require_current_schema(service: ServiceDatabase) -> None:
    """Whether the database has the tables of this version.

    Raises:
        RecordError: ``database.not-upgraded``; the database does not answer.
    """
    revision = current_revision(service.database)
    if revision != latest_revision():
        raise RecordError(
            f"the database is at revision {revision}, expected {latest_revision()}",
            code="database.not-upgraded",
            hint="membercard-pki --home DIR database upgrade",
        )


def rebuild_projection(service: ServiceDatabase) -> JournalPosition:
    """Throw the projection away and make it anew; requests and decisions stay as they are.

    Raises:
        RecordError: the journal or the database fails; the same command finishes it.
    """
    service.projection.clear()
    return service.catch_up()


def carry_out_request(
    service: ServiceDatabase, request_id: uuid.UUID, *, pin_file: Path | None
) -> Outcome:
    """Carry out an approved request; this process owns home and keys meanwhile.

    Raises:
        PkiRefusedError: ``request.unknown``, and as ``RequestExecution.carry_out``.
        RecordError: ``record.locked``, ``record.damaged``; the database fails.
        KeystoreError: the PIN or the keystore is wrong.
    """
    home = service.home
    request = service.desk.show(request_id)
    pin = home.read_pin(pin_file)
    with (
        open_record(home) as journal,
        contextlib.closing(open_keystore(home.keystore, pin=pin)) as keystore,
    ):
        recorder = Recorder(journal=journal, state=journal.state, now=_utc_now)
        authority = AuthorityService(
            keystore=keystore,
            recorder=recorder,
            publication=home,
            random_bytes=secrets.token_bytes,
            linter=RuleLinter(),
        )
        certification = ServiceAuthorityService(authority)
        execution = RequestExecution(
            recorder=recorder,
            authority=authority,
            terminals=TerminalService(
                CvIssuer(keystore=keystore, recorder=recorder, publication=home)
            ),
            operators=OperatorService(certification=certification, recorder=recorder),
        )
        outcome = execution.carry_out(request)
    service.catch_up()
    return outcome


def _url(home: Home, url: str | None, url_file: Path | None) -> str:
    if url is not None and url_file is not None:
        raise PkiRefusedError(
            "got a database's URL and a file with one, expected one of them", code="database.url"
        )
    if url is not None:
        if Database.has_password(url):
            raise RecordError(
                "the database URL holds a password, which others can see in the list of processes",
                code="database.url-secret",
                hint="write the URL to a file of mode 0600 and give --database-file FILE",
            )
        return url
    if url_file is not None:
        try:
            with url_file.open("rb") as file:
                return file.read(_MAX_URL_BYTES).decode().strip()
        except (OSError, ValueError) as error:
            raise RecordError(
                f"file {url_file} with the database's URL cannot be read", code="database.url"
            ) from error
    return f"sqlite:///{home.service_database.absolute()}"


def _utc_now() -> datetime:
    return datetime.now(UTC)
