"""The import of members, over ports that live in memory."""

import contextlib
import copy
import hashlib
import itertools
import re
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from issuer.domain.audit import AuditRecord
from issuer.domain.card_number import CardNumber, CommitteeBlockScheme
from issuer.domain.data_subjects import RetiredNumber
from issuer.domain.list_row import Cell, ListRow
from issuer.domain.member import (
    Member,
    MemberId,
    MemberStatement,
    PortraitDigest,
)
from issuer.domain.member_change import MemberChange
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import Organisation, OrganisationCode, OrganisationTree
from issuer.domain.portrait import NormalisedPortrait
from issuer.domain.record_number import RecordNumber
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.domain.vietnamese_text import likeness
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.import_members import ImportProgress, MemberImport
from issuer.services.import_organisations import import_organisations
from issuer.services.import_outcome import ImportSummary, RowOutcome, RowResult
from issuer.services.import_ports import (
    DoubtState,
    ImportChunk,
    ImportNumber,
    ImportRecord,
    Likeness,
)
from issuer.services.register_ports import (
    HistoryPage,
    HistoryPosition,
    MemberNumbers,
    MemberPage,
    PagePosition,
    SealedMembers,
)

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
PROVINCE = Organisation(code=OrganisationCode("P"), name="Tỉnh ủy Giả Định", committee_number="98")


class MemoryRegister:
    """Both repositories over two dictionaries; a transaction that raises restores them."""

    def __init__(self, *organisations: Organisation) -> None:
        self.by_code = {each.code: each for each in organisations}
        self.by_id: dict[MemberId, Member] = {}
        self.members = self
        self.numbers = self
        self.numbers_given: frozenset[CardNumber] = frozenset()
        self.imports = MemoryImports()
        self.acts: list[AuditRecord] = []
        self.audit = self
        self.subjects = self
        self.retired_numbers: set[RetiredNumber] = set()
        self.organisations = _MemoryOrganisations(self)
        self.checks = self
        self.checked: list[RecordNumber] = []
        self.conflicts = 0
        self.transactions = 0

    @contextlib.contextmanager
    def writing(self) -> Iterator["MemoryRegister"]:
        kept = dict(self.by_code), dict(self.by_id)
        kept_imports = copy.deepcopy(self.imports)
        self.transactions += 1
        try:
            yield self
            if self.by_id != kept[1]:
                self._lose_races()
        except BaseException:
            self.by_code, self.by_id = kept
            self.imports = kept_imports
            raise

    def _lose_races(self) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise ConflictError("somebody else was faster")

    def reading(self) -> contextlib.AbstractContextManager["MemoryRegister"]:
        return contextlib.nullcontext(self)

    def given_out(self, numbers: Collection[CardNumber]) -> frozenset[CardNumber]:
        return self.numbers_given & set(numbers)

    def note_numbered(
        self, numbers: Collection[RecordNumber], *, account: AccountName, at: datetime
    ) -> int:
        del account, at
        self.checked += numbers
        return len(numbers)

    def get(self, member_id: MemberId) -> Member:
        return self.by_id[member_id]

    def several(self, member_ids: Collection[MemberId]) -> tuple[Member, ...]:
        return tuple(self.by_id[each] for each in member_ids if each in self.by_id)

    def retired(self, numbers: Iterable[RetiredNumber]) -> list[RetiredNumber]:
        return [each for each in numbers if each in self.retired_numbers]

    def find_by_card_number(self, card_number: CardNumber) -> Member | None:
        return next(
            (
                each
                for each in self.by_id.values()
                if each.statement.earlier_card_number == card_number
            ),
            None,
        )

    def holders_of(self, numbers: Collection[MemberNumbers]) -> tuple[Member, ...]:
        wanted = {value for each in numbers for value in _numbers_of(each)}
        return tuple(each for each in self.by_id.values() if wanted & set(_numbers(each)))

    def alike(self, likenesses: Collection[Likeness]) -> tuple[Member, ...]:
        wanted = {(likeness(each.full_name), each.birth_date) for each in likenesses}
        return tuple(
            each
            for each in self.by_id.values()
            if (likeness(each.statement.name.full), each.statement.birth_date) in wanted
        )

    def append(self, record: AuditRecord) -> None:
        self.acts.append(record)

    def sealed(self, members: Sequence[Member]) -> SealedMembers:
        return SealedMembers(members=members)

    def add(self, members: Sequence[Member] | SealedMembers) -> None:
        taken = {number for each in self.by_id.values() for number in _numbers(each)}
        for member in members.members if isinstance(members, SealedMembers) else members:
            if taken & set(_numbers(member)):
                raise ConflictError("a number is taken")
            taken |= set(_numbers(member))
            self.by_id[member.member_id] = member

    def page(
        self,
        *,
        limit: int,
        behind: PagePosition | None = None,
        organisation_code: OrganisationCode | None = None,
    ) -> MemberPage:
        del organisation_code
        rows = sorted(
            self.by_id.values(),
            key=lambda each: each.member_id,
        )
        if behind is not None:
            rows = [each for each in rows if each.member_id > behind.member_id]
        if len(rows) <= limit:
            return MemberPage(members=tuple(rows), end=None)
        return MemberPage(
            members=tuple(rows[:limit]), end=PagePosition(b"", rows[limit - 1].member_id)
        )

    def change(self, member: Member, changes: Sequence[MemberChange]) -> None:
        raise NotImplementedError

    def history(
        self, member_id: MemberId, *, limit: int, behind: HistoryPosition | None = None
    ) -> HistoryPage:
        raise NotImplementedError

    def count(self) -> int:
        return len(self.by_id)


class MemoryImports:
    """As much of the ledger as an import needs that asks no person."""

    def __init__(self) -> None:
        self.records: dict[int, ImportRecord] = {}
        self.chunks: list[tuple[int, ImportChunk]] = []

    def unfinished(self, list_digest: bytes) -> ImportRecord | None:
        return next(
            (
                each
                for each in self.records.values()
                if each.list_digest == list_digest and each.finished_at is None
            ),
            None,
        )

    def begin(
        self, *, list_digest: bytes, account: AccountName, at: datetime, row_count: int
    ) -> ImportRecord:
        record = ImportRecord(
            number=ImportNumber(len(self.records) + 1),
            list_digest=list_digest,
            account=account,
            started_at=at,
            finished_at=None,
            row_count=row_count,
            last_row=0,
            summary=ImportSummary(),
            has_checked_faces=True,
        )
        self.records[record.number] = record
        return record

    def store(self, record: ImportRecord, chunk: ImportChunk) -> ImportRecord:
        assert self.records[record.number] == record
        self.chunks.append((record.number, chunk))
        changed = replace(
            record,
            last_row=chunk.outcomes[-1].row,
            summary=record.summary.with_results([each.result for each in chunk.outcomes]),
        )
        self.records[record.number] = changed
        return changed

    def finish(self, record: ImportRecord, *, at: datetime) -> ImportRecord:
        self.records[record.number] = replace(record, finished_at=at)
        return self.records[record.number]

    def outcomes(self, number: int) -> Iterator[RowOutcome]:
        return (each for own, chunk in self.chunks if own == number for each in chunk.outcomes)

    def holding(self, number: int) -> Iterator[int]:
        return (each for own, chunk in self.chunks if own == number for each in chunk.holding)

    def decided_before(self, contents: object) -> dict[int, DoubtState]:
        del contents
        return {}


class _MemoryOrganisations:
    def __init__(self, register: MemoryRegister) -> None:
        self._register = register

    def tree(self) -> OrganisationTree:
        return OrganisationTree(self.all())

    def get(self, code: OrganisationCode) -> Organisation:
        return self.tree().get(code)

    def around(self, codes: Collection[OrganisationCode]) -> OrganisationTree:
        del codes
        return self.tree()

    def below(self, codes: Collection[OrganisationCode]) -> frozenset[OrganisationCode]:
        tree = self.tree()
        return frozenset(
            each.code for each in self.all() if set(codes).intersection(tree.place(each.code))
        )

    def issuing_committee(self, code: OrganisationCode) -> Organisation:
        return self.tree().issuing_committee(code)

    def all(self) -> tuple[Organisation, ...]:
        return tuple(self._register.by_code[code] for code in sorted(self._register.by_code))

    def closed(self, codes: Collection[OrganisationCode]) -> frozenset[OrganisationCode]:
        del codes
        return frozenset()

    def add(self, organisations: Sequence[Organisation], **_since: object) -> None:
        for each in organisations:
            assert each.parent_code is None or each.parent_code in self._register.by_code
            self._register.by_code[each.code] = each


def _numbers(member: Member) -> tuple[str, ...]:
    return _numbers_of(member.statement)


def _numbers_of(holder: MemberNumbers | MemberStatement) -> tuple[str, ...]:
    numbers = (holder.record_number, holder.citizen_number)
    earlier = holder.earlier_card_number
    return numbers if earlier is None else (*numbers, f"earlier {earlier}")


class MemoryPortraits:
    """Source, normaliser and store in one; a picture named in ``broken`` cannot be decoded."""

    def __init__(self) -> None:
        self.kept: dict[PortraitDigest, bytes] = {}
        self.normalised = 0
        self.missing: set[str] = set()
        self.broken: set[str] = set()
        self.edition = b""

    def read(self, name: str) -> bytes:
        if name in self.missing:
            raise IssuerDataError("no such file", code="portrait.missing")
        return name.encode() + self.edition

    def normalise(self, picture: bytes) -> NormalisedPortrait:
        self.normalised += 1
        if picture.decode() in self.broken:
            raise IssuerDataError("not a picture", code="portrait.unreadable")
        return NormalisedPortrait(image=b"JPEG " + picture, has_checked_faces=True)

    def put(self, image: bytes) -> PortraitDigest:
        digest = PortraitDigest(hashlib.sha256(image).digest())
        self.kept[digest] = image
        return digest

    def remove(self, digest: PortraitDigest) -> None:
        self.kept.pop(digest, None)

    def get(self, digest: PortraitDigest) -> bytes:
        if digest not in self.kept:
            raise IssuerRefusedError("not there", code="portrait.lost")
        return self.kept[digest]


def row(number: int, person: int | None = None, **changes: Cell) -> ListRow:
    person = number if person is None else person
    cells: dict[str, Cell] = {
        "earlier_card_number": f"98.{person:06}",
        "record_number": f"{person:06}AB",
        "citizen_number": f"001090{person:06}",
        "full_name": "Nguyễn Văn An",
        # Nobody has the name and the date of birth of another.
        "birth_date": (date(1960, 1, 1) + timedelta(days=person)).isoformat(),
        "sex": "M",
        "place_of_birth": "xã Mẫu",
        "home_town": "xã Mẫu",
        "ethnic_group": "Kinh",
        "admission_date": "2015-02-03",
        "recognition_date": "2016-02-03",
        "organisation_code": "P",
        "portrait": f"{person}.jpg",
    }
    return ListRow(number=number, cells=cells | changes)


CLERK = Actor(account=AccountName("clerk"), assignments=(Assignment(role=Role.CLERK),))


class MemoryList:
    """Rows that are there already."""

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


class Office:
    """An import and an approval over the same memory."""

    def __init__(self, *, chunk_rows: int = 3) -> None:
        self.register = MemoryRegister(PROVINCE)
        self.portraits = MemoryPortraits()
        ids = (MemberId(uuid.UUID(int=number)) for number in itertools.count(1))
        self.importing = MemberImport(
            register=self.register,
            portraits=self.portraits,
            normaliser=self.portraits,
            store=self.portraits,
            scheme=CommitteeBlockScheme(),
            clock=lambda: NOW,
            new_member_ids=lambda count: list(itertools.islice(ids, count)),
            chunk_rows=chunk_rows,
        )

    def take(self, *rows: ListRow) -> list[RowOutcome]:
        record = self.importing.run(MemoryList(rows), actor=CLERK)
        return list(self.importing.outcomes(record))


def ends(outcomes: Sequence[RowOutcome]) -> list[object]:
    """Per row: what was refused with which code, else the result."""
    return [
        [(each.column, each.code) for each in outcome.findings] or outcome.result
        for outcome in outcomes
    ]


TAKEN, PRESENT = RowResult.TAKEN, RowResult.PRESENT


def test_rows_are_taken_in_chunks_and_reported_in_their_order() -> None:
    office = Office()
    outcomes = office.take(*(row(number) for number in range(2, 10)))
    assert [outcome.row for outcome in outcomes] == list(range(2, 10))
    assert set(ends(outcomes)) == {TAKEN}
    assert len(office.register.imports.chunks) == 3
    member = office.register.find_by_card_number(CardNumber("98000002"))
    assert member is not None
    assert member.recorded_at == NOW
    assert office.portraits.kept[member.portrait] == b"JPEG 2.jpg"


def test_the_same_list_again_changes_nothing_and_decodes_nothing() -> None:
    office = Office()
    rows = [row(number) for number in range(2, 7)]
    office.take(*rows)
    before = dict(office.register.by_id)
    office.portraits.normalised = 0
    assert not office.register.checked
    assert set(ends(office.take(*rows))) == {PRESENT}
    assert office.register.by_id == before
    # Whoever brings it says of everybody in it that all is so.
    assert sorted(office.register.checked) == sorted(
        each.statement.record_number for each in before.values()
    )
    assert office.portraits.normalised == 0


def test_wrong_rows_do_not_hold_up_the_others() -> None:
    office = Office()
    office.portraits.missing.add("4.jpg")
    office.portraits.broken.add("5.jpg")
    outcomes = office.take(row(2), row(3, sex="x"), row(4), row(5), row(6))
    assert ends(outcomes) == [
        TAKEN,
        [("sex", "sex.unknown")],
        [("portrait", "portrait.missing")],
        [("portrait", "portrait.unreadable")],
        TAKEN,
    ]
    assert office.register.count() == 2


def test_numbers_that_stand_twice_in_a_list_are_refused_the_second_time() -> None:
    office = Office()
    rows = (
        row(2),
        row(3, person=2),
        row(4),
        row(5, earlier_card_number="98.000002"),
        row(6, person=2),
    )
    wanted = [
        TAKEN,
        [
            (f"{each}_number", f"{each.replace('_', '-')}-number.repeated")
            for each in ("record", "citizen", "earlier_card")
        ],
        TAKEN,
        [("earlier_card_number", "earlier-card-number.repeated")],
        [
            (f"{each}_number", f"{each.replace('_', '-')}-number.repeated")
            for each in ("record", "citizen", "earlier_card")
        ],
    ]
    assert ends(office.take(*rows)) == wanted
    again = ends(office.take(*rows))
    assert again == [PRESENT if each is TAKEN else each for each in wanted]


def test_a_number_of_a_refused_row_may_stand_again_in_the_corrected_one() -> None:
    office = Office()
    assert ends(office.take(row(2, sex="x"), row(3, person=2))) == [[("sex", "sex.unknown")], TAKEN]


def test_numbers_of_other_members_are_taken() -> None:
    office = Office()
    office.take(row(2), row(3))
    assert ends(office.take(row(2, person=9, citizen_number="001090000002"))) == [
        [("citizen_number", "citizen-number.taken")]
    ]
    assert ends(office.take(row(2, record_number="000003AB"))) == [
        [
            (f"{each}_number", f"{each.replace('_', '-')}-number.taken")
            for each in ("record", "citizen", "earlier_card")
        ]
    ]


def test_a_number_of_somebody_who_was_deleted_is_nobodys_else() -> None:
    office = Office()
    office.register.retired_numbers = {RetiredNumber(kind="record-number", number="000003AB")}
    assert ends(office.take(row(2), row(3), row(4))) == [
        TAKEN,
        [("record_number", "number.retired")],
        TAKEN,
    ]


def test_a_member_who_is_stated_otherwise_now_is_refused() -> None:
    office = Office()
    office.take(row(2))
    assert ends(office.take(row(2, home_town="xã khác", sex="F"))) == [[("sex", "member.differs")]]
    office.portraits.edition = b" another picture"
    assert ends(office.take(row(2))) == [[("portrait", "member.differs")]]


def test_a_chunk_is_tried_again_where_somebody_else_was_faster() -> None:
    office = Office()
    office.register.conflicts = 2
    assert ends(office.take(row(2), row(3))) == [TAKEN, TAKEN]
    office.register.conflicts = 3
    with pytest.raises(ConflictError):
        office.take(row(4))
    assert office.register.count() == 2


def test_an_import_that_broke_off_goes_on_behind_what_was_stored() -> None:
    office = Office(chunk_rows=2)
    rows = [row(number) for number in range(2, 8)]

    def stop(told: ImportProgress) -> None:
        if told.rows_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        office.importing.run(MemoryList(rows), actor=CLERK, progress=stop)
    assert office.register.count() == 2
    office.portraits.normalised = 0
    assert ends(office.take(*rows)) == [TAKEN] * 6
    assert office.portraits.normalised == 4
    assert [each.action for each in office.register.acts] == [
        "import.begun", "import.rows-ended",
        "import.resumed", "import.rows-ended", "import.rows-ended", "import.finished",
    ]  # fmt: skip


def test_who_may_not_import_takes_nobody() -> None:
    office = Office()
    auditor = Actor(account=AccountName("a"), assignments=(Assignment(role=Role.AUDITOR),))
    with pytest.raises(IssuerRefusedError) as refusal:
        office.importing.run(MemoryList([row(2)]), actor=auditor)
    assert refusal.value.code == "right.missing"
    elsewhere = Actor(
        account=AccountName("c"),
        assignments=(Assignment(role=Role.CLERK, organisation=OrganisationCode("X")),),
    )
    record = office.importing.run(MemoryList([row(2)]), actor=elsewhere)
    assert ends(list(office.importing.outcomes(record))) == [
        [("organisation_code", "organisation.not-yours")]
    ]
    assert office.register.count() == 0


def test_outcomes_are_counted() -> None:
    summary = ImportSummary()
    for result in (TAKEN, TAKEN, PRESENT, RowResult.REFUSED):
        summary = summary.with_outcome(RowOutcome(row=2, result=result))
    assert summary == ImportSummary(taken=2, already_present=1, refused=1)


def test_a_number_that_a_decision_gave_to_somebody_is_no_earlier_number_of_another() -> None:
    office = Office()
    office.register.numbers_given = frozenset({CardNumber("98000003")})
    assert ends(office.take(row(2), row(3))) == [
        TAKEN,
        [("earlier_card_number", "earlier-card-number.taken")],
    ]


def test_dates_with_two_readings_wait_for_a_person_where_others_have_the_month_first() -> None:
    rows = [
        row(2, birth_date="03/04/1981"),
        row(3, birth_date="24/03/1981"),
        row(4, birth_date="03/03/1981"),
        row(5, birth_date="03/24/1981"),
        row(6, birth_date="1981-05-06"),
        row(7, recognition_date="05/04/2016", admission_date="03/04/2015"),
    ]
    doubt = (MemberColumn.BIRTH_DATE, "date.order-doubtful")
    assert ends(Office(chunk_rows=1).take(*rows)) == [
        [doubt], TAKEN, TAKEN, [(MemberColumn.BIRTH_DATE, "date.impossible")], TAKEN,
        [(MemberColumn.ADMISSION_DATE, doubt[1]), (MemberColumn.RECOGNITION_DATE, doubt[1])],
    ]  # fmt: skip
    assert ends(Office().take(*rows[:3])) == [TAKEN] * 3


def test_rows_are_judged_while_the_rows_before_them_are_stored() -> None:
    office = Office(chunk_rows=1)
    is_judged = threading.Event()
    normalise, add = office.portraits.normalise, office.register.add

    def note(picture: bytes) -> NormalisedPortrait:
        if picture == b"3.jpg":
            is_judged.set()
        return normalise(picture)

    def wait_for_the_next_row(members: Sequence[Member] | SealedMembers) -> None:
        assert is_judged.wait(60)
        add(members)

    office.portraits.normalise = note  # type: ignore[method-assign]
    office.register.add = wait_for_the_next_row  # type: ignore[method-assign]
    assert ends(office.take(row(2), row(3))) == [TAKEN] * 2


def test_an_import_that_cannot_store_says_so_and_goes_on_later() -> None:
    rows = [row(number) for number in range(2, 12)]
    office = Office(chunk_rows=2)
    add = office.register.add

    def fail(members: Sequence[Member] | SealedMembers) -> None:
        if office.register.count() == 4:
            raise IssuerUnavailableError("the disk is full", code="database.unavailable")
        add(members)

    office.register.add = fail  # type: ignore[method-assign]
    told: list[int] = []
    with pytest.raises(IssuerUnavailableError, match="the disk is full"):
        office.importing.run(
            MemoryList(rows), actor=CLERK, progress=lambda come: told.append(come.rows_done)
        )
    assert told == [0, 2, 4]
    assert office.register.count() == 4
    office.register.add = add  # type: ignore[method-assign]
    assert ends(office.take(*rows)) == [TAKEN] * 10


def test_chunks_grow_while_they_are_quick_and_shrink_where_they_are_slow() -> None:
    office = Office(chunk_rows=8)
    # What each of the chunks takes: 5, 5, 0.5, 0.5, 1.5 and 0 seconds.
    times = iter([0.0, 5.0, 10.0, 10.5, 11.0, 12.5, 12.5, 12.5])
    told: list[int] = []
    replace(office.importing, stopwatch=lambda: next(times)).run(
        MemoryList([row(number) for number in range(2, 40)]),
        actor=CLERK,
        progress=lambda come: told.append(come.rows_done),
    )
    assert told == [0, 8, 12, 14, 18, 26, 34, 38]


def test_a_chunk_ends_where_its_pictures_take_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("issuer.services.import_members._PICTURE_BYTES", 11)
    office = Office(chunk_rows=100)
    told: list[int] = []
    office.importing.run(
        MemoryList([row(number) for number in range(2, 9)]),
        actor=CLERK,
        progress=lambda come: told.append(come.rows_done),
    )
    # Three pictures called "2.jpg" and so on are the first that have more than eleven bytes.
    assert told == [0, 3, 6, 7]


def test_those_who_are_chosen_among_sealed_members_keep_their_own_values() -> None:
    members = [
        Member(
            member_id=MemberId(uuid.UUID(int=number)),
            statement=office_statement(),
            portrait=PortraitDigest(bytes(32)),
            portrait_source=PortraitDigest(bytes(32)),
            recorded_at=NOW,
        )
        for number in (1, 2, 3)
    ]
    sealed = SealedMembers(members=members, columns={"a": [10, 20, 30], "b": "xyz"})
    chosen = sealed.only({members[2].member_id, members[0].member_id})
    assert chosen.members == [members[0], members[2]]
    assert chosen.columns == {"a": [10, 30], "b": ["x", "z"]}
    assert sealed.only({each.member_id for each in members}) is sealed
    assert not sealed.only(set()).members


def office_statement() -> MemberStatement:
    office = Office()
    office.take(row(2))
    (found,) = office.register.by_id.values()
    return found.statement


def organisation_row(
    number: int, code: Cell, parent: Cell = None, name: Cell = "Chi bộ"
) -> ListRow:
    return ListRow(number=number, cells={"code": code, "name": name, "parent_code": parent})


def take_organisations(rows: Sequence[ListRow], register: MemoryRegister) -> tuple[RowOutcome, ...]:
    administrator = Actor(
        account=AccountName("root"), assignments=(Assignment(role=Role.ADMINISTRATOR),)
    )
    return import_organisations(rows, register=register, actor=administrator, now=NOW)


def test_organisations_are_taken_whatever_their_order() -> None:
    register = MemoryRegister(PROVINCE)
    rows = [organisation_row(2, "C", "B"), organisation_row(3, "B", "P"), organisation_row(4, "D")]
    assert ends(take_organisations(rows, register)) == [TAKEN] * 3
    assert ends(take_organisations(rows, register)) == [PRESENT] * 3
    assert register.organisations.issuing_committee(OrganisationCode("C")) == PROVINCE


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        ([organisation_row(2, "A", name="")], [("name", "cell.empty")]),
        ([organisation_row(2, "A"), organisation_row(3, "A")], [("code", "organisation.repeated")]),
        ([organisation_row(2, "A", "X")], [("parent_code", "organisation.parent-unknown")]),
        ([organisation_row(2, "A", "A")], [("parent_code", "organisation.circle")]),
        ([organisation_row(2, "P", name="Tên khác")], [("code", "organisation.differs")]),
    ],
)
def test_one_wrong_organisation_refuses_the_whole_list(
    rows: list[ListRow], refused: list[tuple[str, str]]
) -> None:
    register = MemoryRegister(PROVINCE)
    outcomes = take_organisations([organisation_row(9, "Z"), *rows], register)
    assert ends(outcomes) == [refused]
    assert list(register.by_code) == ["P"]
