"""A register with a small tree and the console over it, for people whom the tests name."""

import asyncio
import contextlib
import functools
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from issuer.api.app import bounded, create_app
from issuer.api.cursors import Cursors
from issuer.api.gate import SESSION_COOKIE
from issuer.api.metrics import Metrics
from issuer.api.ports import ApiServices, Readiness
from issuer.bootstrap_cards import cards_of
from issuer.bootstrap_people import log_in_of, terminals_of
from issuer.bootstrap_reports import merged_report_file, production_file, report_file
from issuer.bootstrap_requests import office_of_requests
from issuer.bootstrap_second_factors import second_factors_of
from issuer.bootstrap_stock import stock_of
from issuer.bootstrap_stock_report import stock_file
from issuer.db.base import Database
from issuer.db.browsing import SqlBrowsing
from issuer.db.instance_reports import SqlInstanceFigures
from issuer.db.operations import SqlIdempotencyLedger, SqlOperationLedger
from issuer.db.production_figures import SqlProductionFigures
from issuer.db.register import SqlRegister
from issuer.db.reports import SqlReportFigures
from issuer.db.schema import upgrade
from issuer.db.sealing import Sealer
from issuer.domain.account import Account, AccountId, PasswordHash
from issuer.domain.audit import AuditRecord
from issuer.domain.card_number import CardNumber, find_card_number_scheme
from issuer.domain.member import (
    Member,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
)
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.organisation_code import PRINTABLE_CODES
from issuer.domain.portrait import NormalisedPortrait, PortraitDoubt
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.request_policy import RequestPolicy
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.domain.session import Face, LoginMethod
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.evidence.folder_store import FolderEvidenceStore
from issuer.identity.argon2_passwords import Argon2Parameters, Argon2Passwords
from issuer.identity.memory_rates import MemoryRequestRates
from issuer.imports.finding_texts import in_vietnamese
from issuer.imports.organisation_table import open_organisations, organisation_template
from issuer.jobs.in_process import InProcessJobs
from issuer.papers.subject_extract_pdf import extract_pdf
from issuer.portraits.folder_store import FolderPortraitStore
from issuer.services.add_organisations import AddingOfOrganisations
from issuer.services.audit_office import AuditOffice
from issuer.services.batch_desk import BatchDesk
from issuer.services.batch_operations import BatchOperations
from issuer.services.batch_services import BatchServices
from issuer.services.bring_organisations import BringingOfOrganisations
from issuer.services.change_members import ChangeOfMembers
from issuer.services.change_organisations import ChangeOfOrganisations
from issuer.services.check_members import CheckingOfMembers
from issuer.services.confirm_accounts import ConfirmationOfAccounts
from issuer.services.confirm_deletions import ConfirmationOfDeletions
from issuer.services.control_batches import BatchControl
from issuer.services.data_subjects import SubjectOffice
from issuer.services.decide_doubts import DoubtDesk
from issuer.services.decision_operations import DecisionOperations
from issuer.services.delete_subjects import DeletionOffice
from issuer.services.deliver_batches import BatchDelivery
from issuer.services.fill_batches import BatchFilling
from issuer.services.freeze_batches import BatchFreezing
from issuer.services.import_uploads import Imports
from issuer.services.look_at_organisations import LookingAtOrganisations
from issuer.services.look_at_stations import LookingAtStations
from issuer.services.member_record import MemberRecords
from issuer.services.merged_reports import MergedReports
from issuer.services.open_batches import BatchOpening
from issuer.services.operations import OPERATIONS, OperationDesk
from issuer.services.overviews import Overviews
from issuer.services.people import People
from issuer.services.production_reports import ProductionReports
from issuer.services.read_batches import ReadingOfBatches
from issuer.services.read_members import ReadingOfMembers
from issuer.services.record_member import MemberRecording
from issuer.services.replace_portraits import PortraitDesk
from issuer.services.reports import Reports
from issuer.services.request_office import RequestOffice
from issuer.services.request_operations import RequestOperations
from issuer.services.request_rates import RateKind
from issuer.services.sign_batches import BatchSigning
from issuer.services.write_batch_papers import BatchPapers
from issuer.settings import PeopleSettings
from issuer.storage.document_folder import FolderDocumentStore
from issuer.storage.number_mark_file import FileNumberMarkStore
from issuer.storage.status_mark_files import FileStatusMarkStore
from issuer.uploads.folder_uploads import FolderUploads
from issuer.uploads.sealed_corrections import SealedCorrections
from issuer.uploads.sealed_portraits import SealedPortraits
from issuer.uploads.sealed_proofs import SealedProofs
from tests.integration.console.batch_console import BatchConsole, waiting_members
from tests.integration.console.exchange_console import Desk, province_and_commune

ORIGIN = "https://console.example"
PASSWORD = "mật khẩu của cô Lan"
MADE_AT = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
HASHER = Argon2Passwords(Argon2Parameters(memory_kib=64, passes=1, lanes=1, at_once=2))
SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(range(32, 64)))
PORTRAIT = b"\xff\xd8 a portrait"
SCHEME = find_card_number_scheme("NN.NNNNNN")
PEOPLE = {
    "lan": (Assignment(role=Role.CLERK),),
    "hoa": (Assignment(role=Role.CLERK, organisation=OrganisationCode("P-01")),),
    "minh": (Assignment(role=Role.DECIDER),),
    "tuan": (Assignment(role=Role.AUDITOR),),
    "van": (Assignment(role=Role.ADMINISTRATOR),),
    "nobody": (),
    "newcomer": (Assignment(role=Role.CLERK),),
}
TREE = (
    Organisation(code=OrganisationCode("T"), name="Tỉnh ủy Mẫu", committee_number="98"),
    Organisation(code=OrganisationCode("P-01"), name="Đảng ủy xã Một", parent_code=OrganisationCode("T")),
    Organisation(code=OrganisationCode("P-02"), name="Đảng ủy xã Hai", parent_code=OrganisationCode("T")),
    Organisation(code=OrganisationCode("C-011"), name="Chi bộ Một", parent_code=OrganisationCode("P-01")),
)  # fmt: skip


def now() -> datetime:
    return datetime.now(UTC)


def member(number: int, name: str, organisation: str) -> Member:
    return Member(
        member_id=MemberId(uuid.UUID(int=number)),
        statement=MemberStatement(
            earlier_card_number=CardNumber(f"97{number:06}"),
            record_number=RecordNumber(f"{number:06}AB"),
            citizen_number=CitizenNumber(f"001090{number:06}"),
            name=MemberName(full=name, primary=name),
            birth_date=date(1990, 2, 3),
            sex=Sex.FEMALE,
            place_of_birth="xã Mẫu",
            home_town="xã Mẫu, tỉnh Giả Định",
            ethnic_group="Kinh",
            admission_date=date(2015, 2, 3),
            recognition_date=date(2016, 2, 3),
            organisation_code=OrganisationCode(organisation),
        ),
        portrait=PortraitDigest(hashlib.sha256(PORTRAIT).digest()),
        portrait_source=PortraitDigest(hashlib.sha256(b"source").digest()),
        recorded_at=MADE_AT,
    )


class PlainNormaliser:
    """Takes a JPEG as it is, and finds a doubt in what says that it is doubtful."""

    def normalise(self, picture: bytes) -> NormalisedPortrait:
        if not picture.startswith(b"\xff\xd8"):
            raise IssuerDataError("the picture is no JPEG", code="portrait.unreadable")
        doubt = PortraitDoubt(code="portrait.blurred", sentence="the portrait is not sharp")
        return NormalisedPortrait(
            image=picture + b" made", doubts=(doubt,) if b"doubtful" in picture else ()
        )


class NoWork:
    """Nobody works; a test that wants an operation done does it itself."""

    def waiting(self, *, limit: int) -> Sequence[str]:
        del limit
        return ()

    def work(self, key: str) -> None:
        raise AssertionError(key)


class Office:
    """Services of one database, and clients of named people."""

    def __init__(self, services: ApiServices, register: SqlRegister) -> None:
        self.services = services
        self.register = register
        self.app = create_app(services)
        self._members = 0

    def with_services(self, **changes: object) -> "Office":
        return Office(replace(self.services, **changes), self.register)  # type: ignore[arg-type]

    def add_members(
        self, count: int = 0, *, names: Sequence[str] = (), organisation: str = "P-01"
    ) -> list[str]:
        """Members of these names, or so many; their identifiers."""
        wanted = names or [f"Nguyễn Văn {'ABCDEFGH'[number % 8]}n" for number in range(count)]
        first = self._members + 1
        self._members += len(wanted)
        made = [member(first + number, name, organisation) for number, name in enumerate(wanted)]
        with self.register.writing() as transaction:
            transaction.members.add(made)
        return [str(each.member_id) for each in made]

    def add_organisation(self, name: str) -> str:
        with self.register.writing() as transaction:
            transaction.organisations.add([Organisation(code=OrganisationCode("X"), name=name)])
        return "X"

    def add_person(self, name: str, *roles: Role, organisation: str | None = None) -> str:
        """One more account that logs in without a password."""
        code = None if organisation is None else OrganisationCode(organisation)
        with self.register.writing() as transaction:
            transaction.people.add(
                Account(
                    account_id=AccountId(uuid.uuid4()),
                    name=AccountName(name),
                    assignments=tuple(Assignment(role=role, organisation=code) for role in roles),
                    created_at=MADE_AT,
                )
            )
        return name

    def trail(self) -> list[AuditRecord]:
        with self.register.reading() as transaction:
            return [each.record() for each in transaction.audit.records()]

    def client(self, account: str | None, *, is_program: bool = False) -> "Client":
        token = None
        if account is not None:
            opened = self.services.log_in.log_in_as(
                AccountName(account),
                method=LoginMethod.OIDC,
                face=Face.COMMAND_LINE if is_program else Face.CONSOLE,
            )
            token = opened.token.text
        return Client(self.app, token, is_program=is_program)


class Client:
    """One person's browser or program, as far as HTTP goes."""

    def __init__(self, app: FastAPI, token: str | None, *, is_program: bool) -> None:
        self._app = bounded(app)
        self.headers = {"accept-language": "en"}
        self.cookies = httpx.Cookies()
        if token is not None and is_program:
            self.headers["authorization"] = f"Bearer {token}"
        elif token is not None:
            self.cookies.set(SESSION_COOKIE, token, domain="console.example", path="/")

    def send(self, method: str, path: str, **values: Any) -> httpx.Response:
        headers = httpx.Headers(self.headers | dict(values.pop("headers", {})))
        # A header that is to stand twice is given as a pair of its own.
        repeated = values.pop("repeated", ())
        more = [(name.encode(), value.encode()) for name, value in repeated]
        headers = httpx.Headers([*headers.raw, *more])

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url=ORIGIN, cookies=self.cookies
            ) as client:
                response = await client.request(method, path, headers=headers, **values)
                self.cookies = client.cookies
                return response

        return asyncio.run(go())

    def get(self, path: str, **headers: str | bytes) -> httpx.Response:
        return self.send("GET", path, headers=headers)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """What a form of the console sends."""
        return self.send("POST", path, data=fields, headers=headers)


@pytest.fixture(scope="session")
def console_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("console") / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    fill_with_people(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


def fill_with_people(database: Database) -> None:
    """The tables, the organisations, and everybody's account."""
    upgrade(database)
    encoded = HASHER.hash(PASSWORD)
    with SqlRegister(database).writing() as transaction:
        transaction.organisations.add(TREE)
        for name, assignments in PEOPLE.items():
            transaction.people.add(
                Account(
                    account_id=AccountId(uuid.uuid4()),
                    name=AccountName(name),
                    assignments=assignments,
                    password=PasswordHash(
                        encoded=encoded, set_at=MADE_AT, is_provisional=name == "newcomer"
                    ),
                    created_at=MADE_AT,
                )
            )


def request_office(
    register: SqlRegister, portraits: FolderPortraitStore, directory: Path
) -> RequestOffice:
    """Requests as the settings have them, with documents and the mark of numbers under a directory."""
    return office_of_requests(
        register,
        portraits=portraits,
        documents=FolderDocumentStore(directory / "documents"),
        marks=FileNumberMarkStore(directory / "numbers"),
        scheme=SCHEME,
        policy=RequestPolicy(),
    )


class NoSigner:
    """An office whose settings name no signer process."""

    def require(self) -> None:
        raise IssuerRefusedError("there is no signer", code="signing.no-signer")

    def signing(self) -> BatchSigning:
        raise IssuerRefusedError("there is no signer", code="signing.no-signer")


def batch_services(
    register: SqlRegister, directory: Path, operations: OperationDesk
) -> BatchServices:
    """Batches of cards of the first profile."""
    desk = BatchDesk(register=register, clock=now)
    return BatchServices(
        opening=BatchOpening(desk=desk),
        operations=BatchOperations(desk=desk, operations=operations, signer=NoSigner()),
        filling=BatchFilling(desk=desk),
        freezing=BatchFreezing(
            desk=desk,
            profile="membercard-1",
            random_bytes=os.urandom,
            marks=FileStatusMarkStore(directory / "status-marks"),
        ),
        reading=ReadingOfBatches(desk=desk),
        control=BatchControl(desk=desk),
        delivery=BatchDelivery(desk=desk),
        papers=BatchPapers(desk=desk),
    )


@pytest.fixture
def office(console_template: Path, tmp_path: Path) -> Iterator[Office]:
    path = tmp_path / "issuer.sqlite"
    path.write_bytes(console_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    yield office_over(database, tmp_path)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def office_on_either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """The same over both kinds of database, for what depends on how they take values."""
    if request.param == "sqlite":
        yield request.getfixturevalue("office")
        return
    database = Database(request.getfixturevalue("postgresql_url"))
    fill_with_people(database)
    yield office_over(database, tmp_path)
    database.close()


def office_over(database: Database, tmp_path: Path) -> Office:
    """The services as they are served, over a database that is filled, with folders of their own."""
    register = SqlRegister(database, lambda: SEALER)
    browsing = SqlBrowsing(database)
    portraits = FolderPortraitStore(tmp_path / "portraits")
    portraits.put(PORTRAIT)
    uploads = FolderUploads(tmp_path / "uploads")
    operations = OperationDesk(
        ledger=SqlOperationLedger(database),
        jobs=InProcessJobs({OPERATIONS: NoWork()}),
        clock=now,
    )
    requests = request_office(register, portraits, tmp_path)
    people = PeopleSettings(console_origin=ORIGIN)
    log_in = log_in_of(register, people, passwords=HASHER)
    reports = Reports(register=register, figures=SqlReportFigures(database), clock=now)
    merged = MergedReports(
        register=register,
        figures=SqlReportFigures(database),
        production=SqlProductionFigures(database),
        instances=SqlInstanceFigures(database),
        own="tinh-uy",
        clock=now,
    )
    production = ProductionReports(
        reports=reports, figures=SqlProductionFigures(database), deadline=date(2100, 1, 1)
    )
    changes = ChangeOfMembers(
        register=register,
        evidence=FolderEvidenceStore(tmp_path / "evidence", lambda: SEALER),
        scheme=SCHEME,
        clock=now,
    )
    services = ApiServices(
        log_in=log_in,
        rates=MemoryRequestRates(dict.fromkeys(RateKind, 1_000_000)),
        second_factors=second_factors_of(register, people, log_in=log_in),
        terminals=terminals_of(register, log_in=log_in),
        oidc=None,
        members=ReadingOfMembers(register=register, scheme=SCHEME, clock=now),
        records=MemberRecords(register=register, clock=now),
        changes=changes,
        new_portraits=PortraitDesk(
            changes=changes,
            open_normaliser=lambda: contextlib.nullcontext(PlainNormaliser()),
            waiting=SealedPortraits(tmp_path / "portraits-waiting", lambda: SEALER, now),
            store=portraits,
        ),
        checking=CheckingOfMembers(register=register, clock=now),
        recording=MemberRecording(
            register=register,
            open_normaliser=lambda: contextlib.nullcontext(PlainNormaliser()),
            store=portraits,
            scheme=SCHEME,
            clock=now,
            new_member_id=lambda: MemberId(uuid.uuid4()),
        ),
        portraits=portraits,
        subjects=SubjectOffice(register=register, portraits=portraits, changes=changes, clock=now),
        deletions=ConfirmationOfDeletions(
            deleting=DeletionOffice(
                register=register,
                portraits=portraits,
                evidence=changes.evidence,
                clock=now,
                random_bytes=os.urandom,
                forget_old_versions=database.forget_old_versions,
            ),
            proofs=SealedProofs(tmp_path / "deletion-proofs", lambda: SEALER, now),
        ),
        extract_file=extract_pdf,
        organisations=LookingAtOrganisations(register=register, browsing=browsing),
        organisation_changes=ChangeOfOrganisations(
            register=register, evidence=changes.evidence, clock=now
        ),
        organisation_adding=AddingOfOrganisations(
            register=register, evidence=changes.evidence, scheme=PRINTABLE_CODES, clock=now
        ),
        organisation_lists=BringingOfOrganisations(
            register=register,
            uploads=uploads,
            open_list=open_organisations,
            scheme=PRINTABLE_CODES,
            clock=now,
        ),
        organisation_template=organisation_template,
        requests=requests,
        request_operations=RequestOperations(operations=operations),
        decision_operations=DecisionOperations(
            operations=operations,
            preparing=requests.preparing,
            confirming=requests.confirming,
        ),
        overview=Overviews(browsing=browsing, requests=requests.reading, clock=now),
        scheme=SCHEME,
        operations=operations,
        imports=Imports(
            register=register,
            uploads=uploads,
            operations=operations,
            corrections=SealedCorrections(tmp_path / "corrections", lambda: SEALER, now),
            clock=now,
        ),
        doubts=DoubtDesk(
            register=register,
            store=portraits,
            scheme=SCHEME,
            clock=now,
            new_member_id=lambda: MemberId(uuid.uuid4()),
        ),
        people=People(register=register, passwords=HASHER, clock=now),
        account_confirmation=ConfirmationOfAccounts(register=register, passwords=HASHER, clock=now),
        audit=AuditOffice(register=register, clock=now),
        finding_in_vietnamese=in_vietnamese,
        uploads=uploads,
        stations=None,
        station_list=LookingAtStations(room=stock_of(register, clock=now).room),
        exchange=None,
        member_template=lambda: b"PK template",
        batches=batch_services(register, tmp_path, operations),
        cards=cards_of(register, SCHEME, clock=now),
        stock=stock_of(register, clock=now),
        stock_file=functools.partial(stock_file, stock_of(register, clock=now)),
        reports=reports,
        report_file=functools.partial(report_file, reports),
        merged_reports=merged,
        merged_report_file=functools.partial(merged_report_file, merged),
        production=production,
        production_file=functools.partial(production_file, production),
        idempotency=SqlIdempotencyLedger(database),
        cursors=Cursors(bytes(32)),
        metrics=Metrics(),
        readiness=lambda: Readiness(database=None, migrations=None, keystore=None),
        now=now,
    )
    return Office(services, register)


@pytest.fixture
def call(office: Office) -> Callable[[str | None], Client]:
    """A client of a person, by cookie."""
    return office.client


@pytest.fixture(scope="session")
def migrated_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables and nothing in them."""
    path = tmp_path_factory.mktemp("exchange") / "empty.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture
def desk(office: Office, migrated_template: Path, tmp_path: Path) -> Iterator[Desk]:
    """The console of a province that exchanges bundles with one of its communes."""
    with province_and_commune(migrated_template, tmp_path) as exchange:
        yield Desk(office, exchange)


@pytest.fixture
def batches(office: Office, tmp_path: Path) -> Iterator[BatchConsole]:
    """The console of a production unit."""
    with waiting_members(office, tmp_path) as console:
        yield console
