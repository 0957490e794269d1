"""Rows that a person decides on: what makes them questionable, and what comes of either decision."""

import hashlib
import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from issuer.bootstrap import draw_member_ids
from issuer.db import schema
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.db.sealing import Sealer
from issuer.domain.card_number import CardNumber, CommitteeBlockScheme
from issuer.domain.list_row import Cell, ListRow
from issuer.domain.member import Member, MemberId, PortraitDigest
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.portrait import NormalisedPortrait, PortraitDoubt
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.decide_doubts import DoubtDesk
from issuer.services.import_members import ImportProgress, MemberImport
from issuer.services.import_outcome import ImportSummary, RowOutcome, RowResult
from issuer.services.import_ports import DoubtState, ImportNumber, ImportRecord, RowReference

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(range(32, 64)))
CLERK = Actor(account=AccountName("clerk"), assignments=(Assignment(role=Role.CLERK),))
ORGANISATIONS = (
    Organisation(code=OrganisationCode("P"), name="Tỉnh ủy Giả Định", committee_number="98"),
    Organisation(code=OrganisationCode("P-1"), name="Xã Một", parent_code=OrganisationCode("P")),
    Organisation(code=OrganisationCode("P-2"), name="Xã Hai", parent_code=OrganisationCode("P")),
)
TAKEN, PRESENT, QUESTIONABLE, REFUSED = (
    RowResult.TAKEN, RowResult.PRESENT, RowResult.QUESTIONABLE, RowResult.REFUSED,
)  # fmt: skip


def clerk_of(code: str) -> Actor:
    return Actor(
        account=AccountName(f"clerk-{code}"),
        assignments=(Assignment(role=Role.CLERK, organisation=OrganisationCode(code)),),
    )


class Portraits:
    """Source, normaliser and store in one; pictures are named by what is doubted about them."""

    def __init__(self) -> None:
        self.kept: dict[PortraitDigest, bytes] = {}
        self.calls = 0

    def read(self, name: str) -> bytes:
        return name.encode()

    def normalise(self, picture: bytes) -> NormalisedPortrait:
        self.calls += 1
        name = picture.decode()
        doubts = (PortraitDoubt(code="portrait.blurred", sentence="not sharp"),)
        return NormalisedPortrait(
            image=b"JPEG " + picture,
            doubts=doubts if name.startswith("blurred") else (),
            has_checked_faces=not name.startswith("unchecked"),
        )

    def put(self, image: bytes) -> PortraitDigest:
        digest = PortraitDigest(hashlib.sha256(image).digest())
        self.kept[digest] = image
        return digest

    def get(self, digest: PortraitDigest) -> bytes:
        return self.kept[digest]

    def remove(self, digest: PortraitDigest) -> None:
        self.kept.pop(digest, None)


class RowsInMemory:
    """A list that is there already."""

    def __init__(self, rows: Sequence[ListRow]) -> None:
        self._rows = rows
        self.row_count = len(rows)
        self.digest = hashlib.sha256(repr([(r.number, r.cells) for r in rows]).encode()).digest()

    def rows(self) -> Iterator[ListRow]:
        return iter(self._rows)

    def may_hold(self, pattern: re.Pattern[bytes]) -> bool:
        return any(
            pattern.search(cell.encode())
            for each in self._rows
            for cell in each.cells.values()
            if isinstance(cell, str)
        )


def row(number: int, person: int | None = None, **changes: Cell) -> ListRow:
    person = number if person is None else person
    cells: dict[str, Cell] = {
        "earlier_card_number": f"98.{person:06}",
        "record_number": f"{person:06}AB",
        "citizen_number": f"001090{person:06}",
        "full_name": "Nguyễn Thị Hòa",
        "birth_date": date(1960, 1, 1) + timedelta(days=person),
        "sex": "F",
        "place_of_birth": "xã Mẫu",
        "home_town": "xã Mẫu",
        "ethnic_group": "Kinh",
        "admission_date": "2015-02-03",
        "recognition_date": "2016-02-03",
        "organisation_code": "P-1",
        "portrait": "portrait.jpg",
    }
    return ListRow(number=number, cells=cells | changes)


class Office:
    """An import and a desk over one register in SQLite."""

    def __init__(self, register: SqlRegister, *, chunk_rows: int = 3) -> None:
        self.register = register
        self.portraits = Portraits()
        self.importing = MemberImport(
            register=register,
            portraits=self.portraits,
            normaliser=self.portraits,
            store=self.portraits,
            scheme=CommitteeBlockScheme(),
            clock=lambda: NOW,
            new_member_ids=draw_member_ids,
            chunk_rows=chunk_rows,
        )
        self.desk = DoubtDesk(
            register=register,
            store=self.portraits,
            scheme=CommitteeBlockScheme(),
            clock=lambda: NOW,
            new_member_id=lambda: MemberId(uuid.uuid4()),
        )

    def take(self, *rows: ListRow, actor: Actor = CLERK) -> ImportRecord:
        return self.importing.run(RowsInMemory(rows), actor=actor)

    def ends(self, *rows: ListRow) -> list[object]:
        return [
            [each.code for each in outcome.findings] or outcome.result
            for outcome in self.importing.outcomes(self.take(*rows))
        ]

    def waiting(self, actor: Actor = CLERK) -> list[RowReference]:
        return [each.reference for each in self.desk.waiting(actor=actor)]

    def count(self) -> int:
        with self.register.reading() as transaction:
            return transaction.members.count()

    def member(self, person: int) -> Member | None:
        with self.register.reading() as transaction:
            return transaction.members.find_by_card_number(CardNumber(f"98{person:06}"))

    def acts(self) -> list[tuple[str, str]]:
        with self.register.reading() as transaction:
            return [
                (each.record().action, each.record().subject_id)
                for each in transaction.audit.records()
            ]


@pytest.fixture(scope="module")
def made_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("register") / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    with SqlRegister(database, lambda: SEALER).writing() as transaction:
        transaction.organisations.add(ORGANISATIONS)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path.read_bytes()


@pytest.fixture
def database(made_database: bytes, tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "issuer.sqlite").write_bytes(made_database)
    opened = Database(f"sqlite:///{tmp_path / 'issuer.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture
def office(database: Database) -> Office:
    return Office(SqlRegister(database, lambda: SEALER))


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"full_name": "\u00d0ỗ Thị Hòa"}, ["name.look-alike-read"]),
        ({"full_name": "Nguyễn \u0189ào"}, ["name.look-alike-read"]),
        ({"home_town": "xã \u00f0á"}, ["text.look-alike-read"]),
        ({"place_of_birth": "München"}, ["text.foreign-letter"]),
        ({"portrait": "blurred.jpg"}, ["portrait.blurred"]),
        (
            {"portrait": "blurred.jpg", "full_name": "\u00d0ỗ Hòa"},
            ["name.look-alike-read", "portrait.blurred"],
        ),
    ],
)
def test_a_doubt_makes_a_row_wait_and_not_a_member(
    office: Office, changes: dict[str, Cell], codes: list[str]
) -> None:
    assert office.ends(row(2, **changes)) == [codes]
    assert office.count() == 0
    assert office.portraits.kept == {}
    assert office.waiting() == [RowReference(ImportNumber(1), 2)]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Nguyễn Sĩ\u00d0ạt", "name.old-font"),
        ("Ngu\u0189n An", "name.look-alike"),
        ("NguyÔn V¨n An", "name.old-font"),
        ("Hå ChÝ An", "name.old-font"),
    ],
)
def test_letters_that_may_stand_for_anything_are_refused(
    office: Office, name: str, code: str
) -> None:
    assert office.ends(row(2, full_name=name)) == [[code]]
    assert office.waiting() == []


def test_names_of_minorities_raise_no_doubt(office: Office) -> None:
    names = ("H'Hen Niê", "K' Tem", "Y Bhăm Êban", "Giàng A Páo", "Đỗ Thị Đào")
    rows = [row(number, full_name=name) for number, name in enumerate(names, start=2)]
    assert office.ends(*rows) == [TAKEN] * len(names)


def test_a_look_alike_is_read_as_the_letter_once_a_person_accepts(office: Office) -> None:
    office.take(row(2, full_name="\u00d0ỗ Thị Hòa"))
    (reference,) = office.waiting()
    member_id = office.desk.accept(reference, actor=CLERK, reason="font of an old machine")
    member = office.member(2)
    assert member is not None
    assert member.member_id == member_id
    assert member.statement.name.full == "Đỗ Thị Hòa"
    assert office.portraits.kept[member.portrait] == b"JPEG portrait.jpg"
    assert office.acts()[-1] == ("import.row-accepted", "1:2")
    assert office.waiting() == []


def test_likely_duplicates_are_found_whatever_the_marks(office: Office) -> None:
    birth = date(1970, 5, 6)
    office.take(row(2, birth_date=birth))
    first, second = office.ends(
        row(2, 3, birth_date=birth, full_name="Nguyễn Thị Hoà"),
        row(3, 4, birth_date=birth, full_name="Nguyen Thi Hoa"),
    )
    assert first == ["member.alike"]
    assert second == ["member.alike-in-list"]


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 10])
def test_where_chunks_are_cut_does_not_matter(database: Database, chunk_rows: int) -> None:
    office = Office(SqlRegister(database, lambda: SEALER), chunk_rows=chunk_rows)
    birth = date(1970, 5, 6)
    rows = [
        row(2, birth_date=birth), row(3, birth_date=birth, full_name="Nguyễn Thị Hoà"),
        row(5, 2), row(6, sex="?"), row(7, 6), row(8, portrait="blurred.jpg"), row(9, 8),
        row(10, birth_date=birth),
    ]  # fmt: skip
    assert office.ends(*rows) == [
        TAKEN, ["member.alike-in-list"],
        [
            "record-number.repeated",
            "citizen-number.repeated",
            "earlier-card-number.repeated",
        ],
        ["sex.unknown"], TAKEN, ["portrait.blurred"],
        [
            "record-number.repeated",
            "citizen-number.repeated",
            "earlier-card-number.repeated",
        ],
        ["member.alike-in-list"],
    ]  # fmt: skip


def test_a_known_member_with_tone_marks_elsewhere_is_asked_about_and_never_changed(
    office: Office,
) -> None:
    office.take(row(2, full_name="Nguyễn Thị Hòa"))
    variant = row(2, full_name="Nguyễn Thị Hoà")
    assert office.ends(variant) == [["name.tone-marks"]]
    (reference,) = office.waiting()
    assert office.desk.accept(reference, actor=CLERK, reason="both spellings are in use") is None
    member = office.member(2)
    assert member is not None
    assert member.statement.name.full == "Nguyễn Thị Hòa"
    # Nobody is asked twice about the same thing.
    assert office.ends(variant) == [PRESENT]
    assert office.ends(row(2, full_name="Nguyễn Thị Hoạ")) == [["member.differs"]]


@pytest.mark.parametrize("decide", ["accept", "refuse"])
def test_whom_a_waiting_row_resembles_has_an_open_doubt_until_somebody_decides(
    office: Office, decide: str
) -> None:
    birth = date(1970, 5, 6)
    office.take(row(2, birth_date=birth), row(3))

    def doubts(person: int) -> int:
        member = office.member(person)
        assert member is not None
        with office.register.reading() as transaction:
            return transaction.requests.candidates([member.member_id])[member.member_id].open_doubts

    assert (doubts(2), doubts(3)) == (0, 0)
    alike = row(2, 4, birth_date=birth, full_name="Nguyễn Thị Hoà")
    assert office.ends(alike) == [["member.alike"]]
    assert (doubts(2), doubts(3)) == (1, 0)
    # The same row in another list waits once.
    assert office.ends(alike) == [["member.alike"]]
    assert doubts(2) == 1
    (reference,) = office.waiting()
    if decide == "accept":
        office.desk.accept(reference, actor=CLERK, reason="twins")
    else:
        office.desk.refuse(reference, actor=CLERK, reason="the same person")
    assert doubts(2) == 0


def test_a_refused_row_leaves_nothing_and_is_refused_at_once_when_it_comes_again(
    office: Office, database: Database
) -> None:
    doubted = row(2, portrait="blurred.jpg")
    office.take(doubted)
    (reference,) = office.waiting()
    office.desk.refuse(reference, actor=CLERK, reason="chụp lại ảnh")
    assert office.count() == 0
    assert office.portraits.kept == {}
    with database.engine.connect() as connection:
        left = connection.exec_driver_sql("SELECT content, reason FROM import_rows").all()
    assert left == [(None, "chụp lại ảnh")]
    assert office.ends(doubted) == [["row.refused-before"]]
    assert office.ends(row(2)) == [TAKEN]


def test_a_row_that_comes_again_waits_once(office: Office) -> None:
    doubted = row(2, portrait="blurred.jpg")
    office.take(doubted)
    office.take(doubted)
    assert office.waiting() == [RowReference(ImportNumber(2), 2)]
    with pytest.raises(IssuerRefusedError) as refusal:
        office.desk.accept(RowReference(ImportNumber(1), 2), actor=CLERK, reason="x")
    assert refusal.value.code == "questionable.decided"


def test_what_waits_is_sealed(office: Office, database: Database) -> None:
    office.take(row(2, portrait="blurred.jpg", full_name="Lê Thị Bí Mật"))
    with database.engine.connect() as connection:
        stored = repr(connection.exec_driver_sql("SELECT * FROM import_rows").all())
    assert "portrait.blurred" in stored
    for secret in ("Bí Mật", "001090000002", "98.000002", "JPEG"):
        assert secret not in stored
    content = office.desk.look(RowReference(ImportNumber(1), 2), actor=CLERK)
    assert content.cells["full_name"] == "Lê Thị Bí Mật"
    assert content.cells["birth_date"] == date(1960, 1, 3)
    assert content.portrait == b"JPEG blurred.jpg"
    assert office.acts()[-1] == ("import.row-read", "1:2")


def test_a_decision_needs_the_right_for_the_row_and_a_reason(office: Office) -> None:
    office.take(
        row(2, portrait="blurred.jpg"), row(3, portrait="blurred.jpg", organisation_code="P-2")
    )
    mine, other = RowReference(ImportNumber(1), 2), RowReference(ImportNumber(1), 3)
    clerk = clerk_of("P-1")
    assert office.waiting(clerk) == [mine]
    assert office.waiting(clerk_of("P")) == [mine, other]
    for act in (office.desk.accept, office.desk.refuse):
        with pytest.raises(IssuerRefusedError) as refusal:
            act(other, actor=clerk, reason="x")
        assert refusal.value.code == "right.missing"
        for reason in ("", "  ", "a\nb", "x" * 501):
            with pytest.raises(IssuerDataError) as wrong:
                act(mine, actor=clerk, reason=reason)
            assert wrong.value.code == "questionable.reason"
    auditor = Actor(account=AccountName("a"), assignments=(Assignment(role=Role.AUDITOR),))
    with pytest.raises(IssuerRefusedError):
        office.waiting(auditor)
    with pytest.raises(IssuerRefusedError):
        office.desk.look(mine, actor=auditor)
    assert office.waiting() == [mine, other]


def test_a_row_whose_numbers_were_taken_meanwhile_is_not_accepted(office: Office) -> None:
    office.take(row(2, portrait="blurred.jpg"))
    (reference,) = office.waiting()
    office.take(row(2, 9, earlier_card_number="98.000002"))
    with pytest.raises(IssuerRefusedError) as refusal:
        office.desk.accept(reference, actor=CLERK, reason="x")
    assert refusal.value.code == "earlier-card-number.taken"
    assert office.waiting() == [reference]
    with pytest.raises(IssuerRefusedError) as unknown:
        office.desk.accept(RowReference(ImportNumber(7), 2), actor=CLERK, reason="x")
    assert unknown.value.code == "questionable.unknown"


def test_an_import_tells_where_faces_were_not_counted(office: Office) -> None:
    assert office.take(row(2)).has_checked_faces
    assert not office.take(row(3, portrait="unchecked.jpg")).has_checked_faces


class Killed(BaseException):
    """As far as the code can tell, the process ends here."""


ROWS = [
    row(2), row(3, sex="?"), row(5, portrait="blurred.jpg"), row(6, 2), row(7),
    row(8, birth_date=date(1960, 1, 8)), row(9, full_name="\u00d0ỗ An"), row(12), row(13, 5),
    row(14, 3),
]  # fmt: skip
"""Row 8 is alike to row 7, row 13 repeats a questionable one, row 14 a refused one."""


def _told(office: Office, record: ImportRecord) -> tuple[list[RowOutcome], ImportSummary]:
    return list(office.importing.outcomes(record)), record.summary


@pytest.mark.parametrize(
    ("kill_after", "is_within"),
    [*((chunk, False) for chunk in range(6)), *((chunk, True) for chunk in range(4))],
)
def test_an_import_killed_anywhere_ends_as_one_that_ran_through(
    database: Database, made_database: bytes, tmp_path: Path, *, kill_after: int, is_within: bool
) -> None:
    through = Database(f"sqlite:///{tmp_path / 'through.sqlite'}")
    (tmp_path / "through.sqlite").write_bytes(made_database)
    whole = Office(SqlRegister(through, lambda: SEALER), chunk_rows=2)
    expected = _told(whole, whole.take(*ROWS))
    through.close()

    office = Office(SqlRegister(database, lambda: SEALER), chunk_rows=2)

    def kill(_: ImportProgress) -> None:
        nonlocal kill_after
        kill_after -= 1
        if kill_after < 0:
            if is_within:
                # The chunk behind the one that is about to be stored is in the middle of its pictures.
                office.portraits.normalise = _kill  # type: ignore[method-assign]
            else:
                raise Killed

    with pytest.raises(Killed):
        office.importing.run(RowsInMemory(ROWS), actor=CLERK, progress=kill)
    count = office.count()
    again = Office(SqlRegister(database, lambda: SEALER), chunk_rows=2)
    record = again.take(*ROWS)
    assert _told(again, record) == expected
    assert again.count() == expected[1].taken >= count
    assert record.number == ImportNumber(1)
    assert record.finished_at == NOW


def _kill(picture: bytes) -> NormalisedPortrait:
    raise Killed(len(picture))


def test_two_processes_do_not_both_go_on_with_one_import(office: Office) -> None:
    def meanwhile(told: ImportProgress) -> None:
        if told.rows_done == 3:
            Office(office.register).take(*ROWS)

    with pytest.raises(ConflictError) as refusal:
        office.importing.run(RowsInMemory(ROWS), actor=CLERK, progress=meanwhile)
    assert refusal.value.code == "import.elsewhere"
    assert office.count() == 4


def test_waiting_rows_are_walked_page_by_page(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("issuer.services.decide_doubts._PAGE_ROWS", 2)
    office.take(*(row(number, portrait="blurred.jpg") for number in range(2, 7)))
    assert [each.row for each in office.waiting()] == [2, 3, 4, 5, 6]
    office.desk.refuse(office.waiting()[1], actor=CLERK, reason="x")
    decided = list(office.desk.waiting(actor=CLERK, state=DoubtState.REFUSED))
    assert [each.reference.row for each in decided] == [3]
    assert decided[0].decision is not None
    assert decided[0].decision.reason == "x"
