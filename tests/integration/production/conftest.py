"""A workshop: one database, one drawer of virtual chips, and everything that makes cards of them."""

import contextlib
import hashlib
import io
import itertools
import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from PIL import Image

from card_layout import tlv
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.profile import CardProfile, PersonalisationProfile, load_profile
from issuer.db.base import Database
from issuer.db.card_ledger import SqlCardLedger
from issuer.db.card_vault import CardVault
from issuer.db.register import SqlRegister
from issuer.db.schema import upgrade
from issuer.db.sealing import Sealer
from issuer.domain.card import CardReference
from issuer.domain.card_files import CardFacts, build_card_data
from issuer.domain.card_job import CardJob
from issuer.domain.card_number import CardNumber
from issuer.domain.chip import Serial
from issuer.domain.chip_keys import ChipKeySet, key_label
from issuer.domain.member import (
    Member,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
)
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.stock_account import FIRST_STORE, SiteCode
from issuer.errors import IssuerRefusedError
from issuer.personalisation.dialects import dialect_of, quality_control_of
from issuer.services.production_ports import StationLedger
from issuer.services.status_ports import StatusMarkStore
from issuer.services.visit_chip import StationTask, Visit, VisitOutcome, Workbench
from issuer.storage.status_mark_files import FileStatusMarkStore
from simulators.blank import blank_image, derive_card_key
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.faults import Fault
from tests.contract.bound_cards import bind_cards
from tests.contract.decided_requests import decide_for
from tests.contract.proven_cards import proof_line
from tests.contract.sql_station_ledger import SqlStationLedger
from tests.contract.stock_stage import OfficeStock
from tests.integration.production.station_stage import Stations

TRANSPORT_KEY = bytes(range(32))
PERSONALISATION_KEY = bytes(range(32, 64))
NOW = datetime(2026, 11, 22, 9, 0, 0, tzinfo=UTC)


def portrait() -> bytes:
    picture = Image.effect_noise((30, 40), 60).convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=50)
    return buffer.getvalue()


PORTRAIT = portrait()


class DerivedKeys:
    """The keys that the master keys of the test give, derived as the chip maker's side derives them."""

    personalisation_version = 0x30

    def __init__(self, lengths: PersonalisationProfile) -> None:
        self._lengths = lengths

    def key_set(self, serial: Serial, key_version: int) -> ChipKeySet:
        label = key_label(key_version).decode()
        master = TRANSPORT_KEY if key_version == 0xFF else PERSONALISATION_KEY
        lengths = self._lengths
        size = lengths.transport_key_bytes if key_version == 0xFF else lengths.key_bytes
        enc, mac, dek = (
            derive_card_key(master, label=f"{label} {name}", serial=serial, key_bytes=size)
            for name in ("enc", "mac", "dek")
        )
        return ChipKeySet(key_version=key_version, enc=enc, mac=mac, dek=dek)


class OnePortrait:
    """A store that holds one picture, under whatever digest; ``None`` where it was lost."""

    def __init__(self, image: bytes | None) -> None:
        self.image = image
        self.lost: set[PortraitDigest] = set()

    def put(self, image: bytes) -> PortraitDigest:
        raise AssertionError(image)

    def remove(self, digest: PortraitDigest) -> None:
        raise AssertionError(digest)

    def get(self, digest: PortraitDigest) -> bytes:
        if self.image is None or digest in self.lost:
            raise IssuerRefusedError("the portrait is not there", code="portrait.lost")
        return self.image


@dataclass(kw_only=True)
class Workshop:
    database: Database
    profile: CardProfile
    stock: OfficeStock
    cards: SqlCardLedger
    station: SqlStationLedger
    sealer: Callable[[], Sealer]
    """The keys of the register."""
    vault: CardVault
    marks: StatusMarkStore
    portraits: OnePortrait
    portrait: bytes = PORTRAIT
    trust_points: Mapping[bytes, bytes] = field(default_factory=dict)
    """CVCA certificates by their reference, the newest first."""

    def bench(self, task: StationTask, ledger: StationLedger | None = None) -> Workbench:
        return Workbench(
            task=task,
            profile=self.profile,
            ledger=ledger or self.station,
            chip_keys=DerivedKeys(self.profile.personalisation),
            dialect=dialect_of(self.profile),
            quality_control=quality_control_of(self.profile),
            trust_points=self.trust_points,
            clock=lambda: NOW,
        )

    def add_members(self, count: int) -> None:
        register = SqlRegister(self.database, self.sealer)
        with register.writing() as transaction:
            transaction.organisations.add(
                [Organisation(code=OrganisationCode("A"), name="Đảng bộ tỉnh A")]
            )
            transaction.members.add([member(index) for index in range(count)])
            decide_for(
                transaction,
                [member(index).member_id for index in range(count)],
                organisation=OrganisationCode("A"),
                at=NOW,
            )

    def blank(self, number: int = 1, *, challenge_bytes: int = 8) -> VirtualCard:
        serial = number.to_bytes(10, "big")
        return VirtualCard(
            blank_image(
                self.profile,
                serial=serial,
                transport_master_key=TRANSPORT_KEY,
                challenge_bytes=challenge_bytes,
            ),
            random=random.Random(number).randbytes,
        )

    def receive(self, *numbers: int, site: str = FIRST_STORE) -> None:
        """Take blanks in, at the site of the station that will work with them."""
        self.stock.receive(
            [Serial(number.to_bytes(10, "big")) for number in numbers],
            delivery="test",
            site=SiteCode(site),
        )

    def bind_and_sign(self) -> list[CardReference]:
        report = bind_cards(
            ledger=self.cards,
            profile=self.profile,
            random_bytes=random.Random(7).randbytes,
            marks=self.marks,
        )
        for reference in report.bound:
            self.sign(reference)
        return list(report.bound)

    def sign(self, reference: CardReference) -> None:
        """As the signing service does, with a security object that nobody judges."""
        card = next(card for card in self.cards.cards() if card.reference == reference)
        record = self.station.find(card.serial)
        assert record is not None
        chip_key = record.chip.public_key
        assert chip_key is not None
        index = next(i for i in range(100) if member(i).member_id == card.member_id)
        secrets = self.cards.secrets(reference)
        data = build_card_data(
            self.profile,
            CardFacts(
                line=proof_line(
                    member(index),
                    request_id=card.request_id,
                    ordinal=card.ordinal,
                    card_number=CardNumber(f"98{index + 1:06d}"),
                    organisation_name="Đảng bộ tỉnh A",
                ),
                portrait=self.portrait,
                secrets=secrets,
                chip_key=chip_key,
                valid_from=date(2026, 11, 21),
                valid_until=date(2036, 11, 21),
                personalised_at=NOW,
                personalisation_system="membercard",
                trust_points=tuple(self.trust_points),
            ),
        )
        self.cards.prepare_signing(
            CardJob(
                reference=reference,
                serial=card.serial,
                profile=self.profile.name,
                secrets=secrets,
                mrz_information=data.mrz_information,
                contents=data.contents,
                chip_key=chip_key,
            ),
            valid_until=date(2036, 11, 21),
        )
        digest = hashlib.sha256(b"".join(data.data_groups.values())).digest()
        self.cards.record_signed(
            reference,
            SecurityObjectFile(content_info=tlv.encode(0x30, tlv.encode(0x04, digest))).to_bytes(),
        )

    def visit(
        self,
        card: VirtualCard,
        task: StationTask,
        *,
        faults: tuple[Fault, ...] = (),
        ledger: StationLedger | None = None,
    ) -> tuple[VisitOutcome, int]:
        """One visit, and how many APDUs it took."""
        reader = SimulatedReader(card, faults=faults, sleep=lambda _seconds: None)
        connection = reader.connect()
        try:
            outcome = Visit(self.bench(task, ledger), connection).run()
        finally:
            connection.close()
        return outcome, reader.next_command_number - 1


def member(index: int) -> Member:
    return Member(
        member_id=MemberId(uuid.UUID(int=index + 1)),
        statement=MemberStatement(
            record_number=RecordNumber(f"{index + 1:06d}AB"),
            citizen_number=CitizenNumber(f"{index + 1:012d}"),
            name=MemberName(full="Nguyễn Thị Hòa", primary="Nguyễn", secondary="Thị Hòa"),
            birth_date=date(1980, 2, 29),
            sex=Sex.FEMALE,
            place_of_birth="Hà Nội",
            home_town="Huế",
            ethnic_group="Kinh",
            admission_date=date(2005, 5, 19),
            recognition_date=date(2006, 5, 19),
            organisation_code=OrganisationCode("A"),
        ),
        portrait=PortraitDigest(hashlib.sha256(PORTRAIT).digest()),
        portrait_source=PortraitDigest(hashlib.sha256(b"source" + bytes([index])).digest()),
        recorded_at=NOW,
    )


def _small_profile(name: str = "membercard-1-icao") -> CardProfile:
    """The profile with a portrait that takes one command, so that a card takes few."""
    return replace(load_profile(name), portrait_min_bytes=1)


@pytest.fixture
def small_profile() -> Callable[[str], CardProfile]:
    return _small_profile


@pytest.fixture
def portrait_image() -> bytes:
    return PORTRAIT


@pytest.fixture(scope="session")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture
def make_workshop(tmp_path: Path, template_database: Path) -> Iterator[Callable[..., Workshop]]:
    opened: list[Database] = []
    numbers = itertools.count()

    def make(profile: CardProfile | None = None, *, url: str | None = None) -> Workshop:
        number = next(numbers)
        if url is None:
            path = tmp_path / f"issuer{number}.sqlite"
            path.write_bytes(template_database.read_bytes())
            url = f"sqlite:///{path}"
        database = Database(url)
        opened.append(database)
        if not database.is_sqlite:
            upgrade(database)
        sealer = Sealer(encryption_key=bytes(32), digest_key=bytes(range(32)))

        def clock() -> datetime:
            return NOW

        portraits = OnePortrait(PORTRAIT)
        vault = CardVault(sealer=sealer, portraits=portraits)
        return Workshop(
            database=database,
            profile=profile or _small_profile(),
            stock=OfficeStock(database, clock),
            cards=SqlCardLedger(database, clock, vault),
            station=SqlStationLedger(database, clock, vault),
            sealer=lambda: sealer,
            vault=vault,
            portraits=portraits,
            marks=FileStatusMarkStore(tmp_path / f"marks{number}"),
        )

    yield make
    for database in opened:
        database.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Modules that say ``ON_BOTH_DATABASES`` are run on PostgreSQL, too, in the slow set."""
    if getattr(metafunc.module, "ON_BOTH_DATABASES", False) and "workshop" in metafunc.fixturenames:
        databases = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
        metafunc.parametrize("workshop", databases, indirect=True)


@pytest.fixture
def workshop(request: pytest.FixtureRequest, make_workshop: Callable[..., Workshop]) -> Workshop:
    if getattr(request, "param", "sqlite") == "sqlite":
        return make_workshop()
    return make_workshop(url=request.getfixturevalue("postgresql_url"))


@pytest.fixture
def stations(workshop: Workshop, tmp_path: Path) -> Iterator[Stations]:
    with contextlib.ExitStack() as stack:
        yield Stations(workshop, tmp_path, stack)
