"""The dated tree of organisations over both databases."""

import itertools
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.db.sealing import Sealer
from issuer.domain.card_number import CardNumber
from issuer.domain.list_row import ListRow
from issuer.domain.member import (
    Member,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
)
from issuer.domain.organisation import MAX_DEPTH, Organisation, OrganisationCode, OrganisationTree
from issuer.domain.organisation_acts import Closure, Merger, Move, Renaming
from issuer.domain.organisation_code import PRINTABLE_CODES
from issuer.domain.organisation_history import OrganisationChange, OrganisationVersion
from issuer.domain.organisation_list import OrganisationColumn
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.errors import ConflictError, IssuerError
from issuer.evidence.folder_store import FolderEvidenceStore
from issuer.services.add_organisations import AddingOfOrganisations
from issuer.services.change_members import Justification
from issuer.services.change_organisations import ChangeOfOrganisations
from issuer.services.import_organisations import import_organisations
from issuer.services.import_outcome import RowOutcome, RowResult
from issuer.services.weighed_organisations import Reach

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(range(32, 64)))
WHY = Justification(reason="Nghị quyết số 5", evidence=b"%PDF-1.7 resolution")
JULY, AUGUST = date(2026, 7, 1), date(2026, 8, 1)


def code(text: str) -> OrganisationCode:
    return OrganisationCode(text)


def organisation(text: str, parent: str | None = None) -> Organisation:
    return Organisation(
        code=code(text),
        name=f"Đảng ủy {text}",
        parent_code=None if parent is None else code(parent),
        committee_number="98" if parent is None else None,
    )


TREE = (
    organisation("P"),
    organisation("A", "P"),
    organisation("B", "P"),
    organisation("A1", "A"),
    organisation("A2", "A"),
    organisation("Q"),
)


def administrator(at: str | None = None) -> Actor:
    place = None if at is None else code(at)
    return Actor(
        account=AccountName("root"),
        assignments=(Assignment(role=Role.ADMINISTRATOR, organisation=place),),
    )


ROOT = administrator()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        opened = Database(f"sqlite:///{tmp_path / 'issuer.sqlite'}")
    else:
        opened = Database(request.getfixturevalue("postgresql_url"))
    schema.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def office(database: Database, tmp_path: Path) -> ChangeOfOrganisations:
    register = SqlRegister(database, lambda: SEALER)
    with register.writing() as transaction:
        transaction.organisations.add(TREE)
    return ChangeOfOrganisations(
        register=register,
        evidence=FolderEvidenceStore(tmp_path / "evidence", lambda: SEALER),
        clock=lambda: NOW,
    )


def tree(office: ChangeOfOrganisations, as_of: date | None = None) -> OrganisationTree:
    with office.register.reading() as transaction:
        return transaction.organisations.tree(as_of=as_of)


def place(office: ChangeOfOrganisations, text: str, as_of: date | None = None) -> str:
    return "/".join(tree(office, as_of).place(code(text)))


def history(office: ChangeOfOrganisations, text: str) -> tuple[OrganisationVersion, ...]:
    return office.history(code(text), actor=ROOT, limit=100)


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(IssuerError) as caught:
        work()
    return caught.value.code


def move(
    office: ChangeOfOrganisations, what: str, to: str, on: date = JULY, actor: Actor = ROOT
) -> OrganisationVersion:
    deed = Move(on=on, under=code(to))
    return office.take(code(what), deed, actor=actor, why=WHY).version


def test_a_new_name_begins_on_its_day_and_the_old_one_stays_in_the_past(
    office: ChangeOfOrganisations,
) -> None:
    deed = Renaming(on=JULY, name="Đảng ủy xã Mới", level="cơ sở")
    version = office.take(code("A"), deed, actor=ROOT, why=WHY).version
    assert tree(office).get(code("A")).name == "Đảng ủy xã Mới"
    assert tree(office).get(code("A")).level == "cơ sở"
    assert tree(office, date(2026, 6, 30)).get(code("A")).name == "Đảng ủy A"
    assert tree(office, JULY).get(code("A")).name == "Đảng ủy xã Mới"
    new, old = history(office, "A")
    assert new == version
    assert (old.valid_from, old.valid_until, old.act) == (None, JULY, None)
    assert new.act is not None
    assert (new.act.account, new.act.at, new.act.reason) == ("root", NOW, WHY.reason)
    assert new.act.evidence is not None
    assert office.evidence.get(new.act.evidence) == WHY.evidence
    with office.register.reading() as transaction:
        (record,) = transaction.audit.records()
    assert (record.action, record.subject_id) == ("organisation.renamed", "A")


def test_a_move_takes_all_below_along_and_leaves_the_past(office: ChangeOfOrganisations) -> None:
    move(office, "A", "B")
    assert place(office, "A1") == "P/B/A/A1"
    assert place(office, "A1", date(2026, 6, 30)) == "P/A/A1"
    with office.register.reading() as transaction:
        assert transaction.organisations.around([code("A1")]).place(code("A1")) == (
            "P", "B", "A", "A1",
        )  # fmt: skip


NO_TREE = (
    ("A", "A", JULY, "organisation.circle"),
    ("A", "A1", JULY, "organisation.circle"),
    ("P", "A2", JULY, "organisation.circle"),
    ("A", "P", JULY, "organisation.unchanged"),
    ("A", "X", JULY, "organisation.unknown"),
    ("X", "A", JULY, "organisation.unknown"),
    ("A", "B", date(2026, 11, 22), "organisation.future"),
)


def test_a_move_that_makes_no_tree_is_refused(office: ChangeOfOrganisations) -> None:
    for what, to, on, refusal in NO_TREE:
        with pytest.raises(IssuerError) as caught:
            move(office, what, to, on)
        assert (what, to, caught.value.code) == (what, to, refusal)
    assert tree(office).path(code("A1")) == tuple(
        tree(office).get(code(c)) for c in ("A1", "A", "P")
    )


def test_two_moves_recorded_late_make_no_circle_in_the_past(
    office: ChangeOfOrganisations,
) -> None:
    """A stood below B until July; putting B below A from June on would have closed a circle for a month."""
    move(office, "A", "B", date(2026, 5, 1))
    move(office, "A", "P", JULY)
    assert code_of(lambda: move(office, "B", "A", date(2026, 6, 1))) == "organisation.circle"
    move(office, "B", "A", JULY)
    for day in (date(2026, 4, 1), date(2026, 6, 1), JULY, NOW.date()):
        past = tree(office, day)
        assert all(past.path(each.code) for each in TREE)


def test_changes_of_one_organisation_follow_each_other_in_time(
    office: ChangeOfOrganisations,
) -> None:
    move(office, "A", "B", AUGUST)
    assert code_of(lambda: move(office, "A", "P", JULY)) == "organisation.order"
    # Twice on one day: the second is what counts.
    move(office, "A", "P", AUGUST)
    assert place(office, "A", AUGUST) == "P/A"


def test_a_tree_never_gets_too_deep(office: ChangeOfOrganisations) -> None:
    chain = [organisation("D0")] + [
        organisation(f"D{depth}", f"D{depth - 1}") for depth in range(1, MAX_DEPTH - 1)
    ]
    with office.register.writing() as transaction:
        transaction.organisations.add(chain)
    last = chain[-1].code
    assert code_of(lambda: move(office, "A", last)) == "organisation.too-deep"
    assert move(office, "A1", last).number == 2
    assert code_of(lambda: move(office, "D0", "Q")) == "organisation.too-deep"


def test_an_empty_organisation_is_closed_and_its_code_stays_its_own(
    office: ChangeOfOrganisations,
) -> None:
    close = lambda text: office.take(code(text), Closure(on=JULY), actor=ROOT, why=WHY)  # noqa: E731 - said four times
    assert code_of(lambda: close("A")) == "organisation.not-empty"
    close("A1")
    assert code("A1") not in tree(office)
    assert code("A1") not in tree(office, JULY)
    assert code("A1") in tree(office, date(2026, 6, 30))
    assert code_of(lambda: close("A1")) == "organisation.closed"
    assert code_of(lambda: move(office, "A1", "B")) == "organisation.closed"
    assert code_of(lambda: move(office, "A2", "A1")) == "organisation.unknown"
    with pytest.raises(ConflictError), office.register.writing() as transaction:
        transaction.organisations.add([organisation("A1", "B")])
    cells = {"code": "A1", "name": "x", "parent_code": "A"}
    (outcome,) = take([ListRow(number=2, cells=cells)], office)
    assert outcome.findings[0].code == "organisation.closed"


def take(
    rows: list[ListRow], office: ChangeOfOrganisations, actor: Actor = ROOT
) -> tuple[RowOutcome, ...]:
    return import_organisations(rows, register=office.register, actor=actor, now=NOW)


def test_an_imported_organisation_says_who_brought_it_and_since_when(
    office: ChangeOfOrganisations,
) -> None:
    cells = {
        "code": "N",
        "name": "Mới",
        "parent_code": "A",
        "level": "chi bộ",
        "valid_from": "1/7/2026",
    }
    rows = [ListRow(number=2, cells=cells)]
    with pytest.raises(IssuerError) as refusal:
        take(rows, office, administrator("B"))
    assert refusal.value.code == "right.missing"
    assert take(rows, office, administrator("A"))[0].result is RowResult.TAKEN
    (version,) = history(office, "N")
    assert (version.valid_from, version.organisation.level) == (JULY, "chi bộ")
    assert version.act is not None
    assert version.act.account == "root"
    assert code("N") not in tree(office, date(2026, 6, 30))
    without_level = {key: cells[key] for key in ("code", "name", "parent_code")}
    (again,) = take([ListRow(number=2, cells=without_level)], office)
    assert again.result is RowResult.PRESENT
    (other,) = take([ListRow(number=2, cells=cells | {"level": "khác"})], office)
    assert other.findings[0].code == "organisation.differs"
    with pytest.raises(IssuerError) as refusal:
        take([ListRow(number=2, cells={"code": "T", "name": "Top"})], office, administrator("A"))
    assert refusal.value.code == "right.missing"
    with office.register.reading() as transaction:
        (record,) = transaction.audit.records()
    assert record.action == "organisations.imported"


def test_an_import_after_a_change_is_still_told_what_differs(
    office: ChangeOfOrganisations,
) -> None:
    rows = [
        ListRow(number=2, cells={"code": "Q", "name": "Đảng ủy Q", "committee_number": "98"}),
        ListRow(number=3, cells={"code": "N", "name": "New", "parent_code": "Q"}),
    ]
    assert [each.result for each in take(rows, office)] == [
        RowResult.PRESENT,
        RowResult.TAKEN,
    ]
    again = take(rows, office)
    assert {each.result for each in again} == {RowResult.PRESENT}
    office.take(code("Q"), Renaming(on=JULY, name="Khác"), actor=ROOT, why=WHY)
    (refused,) = take(rows, office)
    assert refused.findings[0].code == "organisation.differs"


def member(number: int, recorded: str, served: str | None = None) -> Member:
    return Member(
        member_id=MemberId(uuid.UUID(int=number)),
        statement=MemberStatement(
            earlier_card_number=CardNumber(f"98{number:06}"),
            record_number=RecordNumber(f"{number:06}AB"),
            citizen_number=CitizenNumber(f"001090{number:06}"),
            name=MemberName(full="Nguyễn Văn An", primary="Nguyễn Văn An"),
            birth_date=date(1990, 2, 3),
            sex=Sex.MALE,
            place_of_birth="xã Mẫu",
            home_town="xã Mẫu",
            ethnic_group="Kinh",
            admission_date=date(2015, 2, 3),
            recognition_date=date(2016, 2, 3),
            organisation_code=code(recorded),
            served_in=None if served is None else code(served),
        ),
        portrait=PortraitDigest(bytes(32)),
        portrait_source=PortraitDigest(bytes(32)),
        recorded_at=NOW,
    )


def test_a_merger_moves_members_and_organisations_and_says_so_for_each(
    office: ChangeOfOrganisations,
) -> None:
    stored = (
        member(1, "A"),
        member(2, "A", served="B"),
        member(3, "B", served="A"),
        member(4, "Q", served="A"),
        member(5, "A1"),
    )
    with office.register.writing() as transaction:
        transaction.members.add(stored)
    merger = Merger(on=JULY, into=code("B"))
    weighed = office.weigh(code("A"), merger, actor=ROOT, version=1)
    assert len(tree(office)) == len(TREE), "what is weighed is not done"
    merged = office.take(code("A"), merger, actor=ROOT, why=WHY, version=1)
    assert merged.reach == weighed.reach == Reach(moved_organisations=2, moved_members=4)
    assert (merged.version.change, merged.version.successor) == (OrganisationChange.MERGED, "B")
    assert place(office, "A1") == "P/B/A1"
    assert code("A") not in tree(office)
    assert place(office, "A1", date(2026, 6, 30)) == "P/A/A1"
    with office.register.reading() as transaction:
        now = [transaction.members.get(each.member_id) for each in stored]
        lines = [
            [
                (each.change.column.value, each.change.old, each.change.new, each.effective)
                for each in transaction.members.history(each.member_id, limit=9).changes
            ]
            for each in stored
        ]
        assert transaction.members.count_in(code("A")) == 0
        assert transaction.members.count_in(code("B")) == 4
    assert [(each.statement.organisation_code, each.statement.served_in) for each in now] == [
        ("B", None),
        ("B", None),
        ("B", None),
        ("Q", "B"),
        ("A1", None),
    ]
    assert [each.version for each in now] == [2, 2, 2, 2, 1]
    recorded = ("organisation_code", "A", "B", JULY)
    assert lines == [
        [recorded],
        [("served_in", "B", None, JULY), recorded],
        [("served_in", "A", None, JULY)],
        [("served_in", "A", "B", JULY)],
        [],
    ]


def test_a_merger_into_itself_is_none(office: ChangeOfOrganisations) -> None:
    for what, into, refusal in (
        ("A", "A", "organisation.circle"),
        ("A", "A1", "organisation.circle"),
        ("A", "X", "organisation.unknown"),
    ):
        with pytest.raises(IssuerError) as caught:
            office.take(code(what), Merger(on=JULY, into=code(into)), actor=ROOT, why=WHY)
        assert caught.value.code == refusal
    assert len(tree(office)) == len(TREE)


def test_whoever_has_the_right_in_one_part_changes_that_part_only(
    office: ChangeOfOrganisations,
) -> None:
    local = administrator("A")
    assert move(office, "A1", "A2", actor=local).number == 2
    assert code_of(lambda: move(office, "A2", "B", actor=local)) == "right.missing"
    assert code_of(lambda: move(office, "B", "A", actor=local)) == "right.missing"
    merger = Merger(on=JULY, into=code("B"))
    assert code_of(lambda: office.take(code("A2"), merger, actor=local, why=WHY)) == "right.missing"
    nobody = Actor(account=AccountName("x"))
    assert code_of(lambda: office.history(code("A"), actor=nobody, limit=1)) == "right.missing"


def test_of_two_who_saw_the_same_version_the_second_changes_nothing(
    office: ChangeOfOrganisations,
) -> None:
    with office.register.reading() as transaction:
        seen = transaction.organisations.current(code("A"))
    move(office, "A", "B")
    second = replace(seen, number=2, change=OrganisationChange.RENAMED, valid_from=AUGUST, act=None)
    with pytest.raises(ConflictError) as refusal, office.register.writing() as transaction:
        transaction.organisations.change(second)
    assert refusal.value.code == "organisation.changed"


def test_pages_of_organisations_together_are_all_of_them(office: ChangeOfOrganisations) -> None:
    office.take(code("A2"), Closure(on=JULY), actor=ROOT, why=WHY)
    lists = ((None, ["A", "A1", "B", "P", "Q"]), ("P", ["A", "B"]), ("B", []))
    for limit, (under, expected) in itertools.product((1, 2, 100), lists):
        found: list[str] = []
        behind: OrganisationCode | None = None
        while True:
            with office.register.reading() as transaction:
                page = transaction.organisations.page(
                    limit=limit, behind=behind, under=None if under is None else code(under)
                )
            found += [each.code for each in page.organisations]
            behind = page.end
            if behind is None:
                break
        assert found == expected


def test_versions_are_paged_by_their_number(office: ChangeOfOrganisations) -> None:
    for number in range(4):
        office.take(code("A"), Renaming(on=JULY, name=f"Tên {number}"), actor=ROOT, why=WHY)
    first = office.history(code("A"), actor=ROOT, limit=2)
    rest = office.history(code("A"), actor=ROOT, limit=9, behind=first[-1].number)
    assert [each.number for each in first + rest] == [5, 4, 3, 2, 1]


def test_whoever_saw_an_earlier_version_changes_nothing_and_is_told_what_came_since(
    office: ChangeOfOrganisations,
) -> None:
    first = Renaming(on=JULY, level="cơ sở")
    office.take(code("A"), first, actor=ROOT, why=WHY, version=1)
    second = Renaming(on=AUGUST, name="Đảng ủy Mới")
    for late in (
        lambda: office.weigh(code("A"), second, actor=ROOT, version=1),
        lambda: office.take(code("A"), second, actor=ROOT, why=WHY, version=1),
        lambda: office.look(code("A"), actor=ROOT, version=9),
    ):
        assert code_of(late) == "organisation.changed"
    seen = office.look(code("A"), actor=ROOT, version=1)
    assert (seen.seen.organisation.level, seen.now.organisation.level) == (None, "cơ sở")
    assert [each.number for each in seen.meanwhile] == [2]
    office.take(code("A"), second, actor=ROOT, why=WHY, version=2)
    assert tree(office).get(code("A")).level == "cơ sở", "what one does not name stays"
    office.take(code("A"), Renaming(on=AUGUST, level=" "), actor=ROOT, why=WHY)
    assert tree(office).get(code("A")).level is None
    assert code_of(lambda: office.look(code("A"), actor=administrator("B"))) == "right.missing"


def test_the_document_of_what_is_refused_is_not_kept(
    office: ChangeOfOrganisations, tmp_path: Path
) -> None:
    for deed in (Move(on=JULY, under=code("A1")), Closure(on=JULY)):
        with pytest.raises(IssuerError):
            office.take(code("A"), deed, actor=ROOT, why=WHY)
    assert list((tmp_path / "evidence").rglob("*.sealed")) == []


def test_a_document_is_read_by_whoever_may_make_such_changes_and_at_no_other_organisation(
    office: ChangeOfOrganisations,
) -> None:
    moved = move(office, "A1", "B")
    assert moved.act is not None
    digest = moved.act.evidence
    assert digest is not None
    assert office.document(code("A1"), digest, actor=administrator("B")) == WHY.evidence
    with office.register.reading() as transaction:
        record = list(transaction.audit.records())[-1].record()
    assert (record.action, record.subject_id) == ("organisation.evidence-read", "A1")
    assert code_of(lambda: office.document(code("A2"), digest, actor=ROOT)) == "evidence.unknown"
    elsewhere = administrator("A")
    assert code_of(lambda: office.document(code("A1"), digest, actor=elsewhere)) == "right.missing"
    auditor = Actor(account=AccountName("x"), assignments=(Assignment(role=Role.AUDITOR),))
    assert code_of(lambda: office.document(code("A1"), digest, actor=auditor)) == "right.missing"


def adding(office: ChangeOfOrganisations) -> AddingOfOrganisations:
    return AddingOfOrganisations(
        register=office.register,
        evidence=office.evidence,
        scheme=PRINTABLE_CODES,
        clock=office.clock,
    )


def cells_of(text: str, parent: str, on: str = "1/7/2026") -> dict[OrganisationColumn, str]:
    return {
        OrganisationColumn.CODE: text,
        OrganisationColumn.NAME: "Chi bộ Mới",
        OrganisationColumn.PARENT_CODE: parent,
        OrganisationColumn.VALID_FROM: on,
    }


def test_one_organisation_is_added_with_its_day_its_reason_and_its_document(
    office: ChangeOfOrganisations,
) -> None:
    version = adding(office).add(cells_of("N", "A"), actor=administrator("A"), why=WHY)
    assert history(office, "N") == (version,)
    assert (version.number, version.valid_from, version.change) == (
        1, JULY, OrganisationChange.RECORDED,
    )  # fmt: skip
    assert version.act is not None
    assert version.act.reason == WHY.reason
    assert version.act.evidence is not None
    assert office.evidence.get(version.act.evidence) == WHY.evidence
    with office.register.reading() as transaction:
        (record,) = transaction.audit.records()
    assert (record.action, record.subject_id) == ("organisation.recorded", "N")
    assert code("N") not in tree(office, date(2026, 6, 30))
    top = {OrganisationColumn.CODE: "T", OrganisationColumn.NAME: "Tỉnh ủy"}
    assert adding(office).add(top, actor=ROOT, why=WHY).valid_from is None
    assert code_of(lambda: adding(office).add(top, actor=administrator("P"), why=WHY)) == (
        "right.missing"
    )


def test_an_organisation_that_fits_nowhere_is_not_added(
    office: ChangeOfOrganisations, tmp_path: Path
) -> None:
    office.take(code("A2"), Closure(on=JULY), actor=ROOT, why=Justification(reason="x"))
    chain = [organisation("D1", "P")] + [
        organisation(f"D{depth}", f"D{depth - 1}") for depth in range(2, MAX_DEPTH)
    ]
    with office.register.writing() as transaction:
        transaction.organisations.add([*chain, organisation("L")], valid_from={code("L"): AUGUST})
    count = len(tree(office))
    refusals = (
        (cells_of("N", "A"), administrator("B"), "right.missing"),
        (cells_of("A1", "A"), ROOT, "organisation.repeated"),
        (cells_of("A2", "A"), ROOT, "organisation.closed"),
        (cells_of("N", "A2"), ROOT, "organisation.unknown"),
        (cells_of("N", "X"), ROOT, "organisation.unknown"),
        (cells_of("N", "N"), ROOT, "organisation.unknown"),
        (cells_of("N", "A", "22/11/2026"), ROOT, "organisation.future"),
        (cells_of("N", "A", "31/02/2026"), ROOT, "date.impossible"),
        (cells_of("N", "L"), ROOT, "organisation.order"),
        (cells_of("N", chain[-1].code), ROOT, "organisation.too-deep"),
        (cells_of("<b>", "A"), ROOT, "organisation.code-malformed"),
    )
    for cells, actor, refusal in refusals:
        with pytest.raises(IssuerError) as caught:
            adding(office).add(cells, actor=actor, why=WHY)
        assert (refusal, caught.value.code) == (refusal, refusal)
    nothing = Justification(reason=" ")
    assert code_of(lambda: adding(office).add(cells_of("N", "A"), actor=ROOT, why=nothing)) == (
        "change.reason"
    )
    assert len(tree(office)) == count
    assert list((tmp_path / "evidence").rglob("*.sealed")) == []


def test_a_part_of_the_tree_of_a_day_is_what_the_tree_of_that_day_says(
    office: ChangeOfOrganisations,
) -> None:
    move(office, "A", "B", date(2026, 5, 1))
    move(office, "A2", "Q", date(2026, 6, 1))
    office.take(code("A1"), Closure(on=JULY), actor=ROOT, why=WHY)
    move(office, "A", "Q", AUGUST)
    office.take(code("A"), Renaming(on=AUGUST, name="Khác"), actor=ROOT, why=WHY)
    asked = 0
    for day in (date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 15), JULY, AUGUST):
        whole = tree(office, day)
        for up, down in itertools.product(("A2", "B", "Q"), (["A"], ["P", "A1"], ["X"])):
            with office.register.reading() as transaction:
                part = transaction.organisations.part(
                    up_from=code(up), down_from=[code(each) for each in down], as_of=day
                )
            expected = set(whole.place(code(up)))
            for each in (code(each) for each in down):
                if each in whole:
                    expected |= set(whole.below(each))
            found = {each.code for each in TREE if each.code in part}
            assert (len(part), found) == (len(expected), expected), (day, up, down)
            assert part.place(code(up)) == whole.place(code(up))
            asked += 1
    assert asked == 45


def test_only_days_on_which_the_tree_changed_are_looked_at_again(
    office: ChangeOfOrganisations,
) -> None:
    office.take(code("A1"), Renaming(on=JULY, name="Tên khác"), actor=ROOT, why=WHY)
    move(office, "A2", "B", AUGUST)
    move(office, "B", "Q", AUGUST)
    with office.register.reading() as transaction:
        assert transaction.organisations.days_of_change(since=date(2026, 1, 1)) == (AUGUST,)
