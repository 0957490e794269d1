"""Lists and search of members over both databases: who is found, in which order, and that nothing is sorted."""

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib import import_module

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from issuer.db import directory as directory_module
from issuer.db import schema
from issuer.db.base import Database
from issuer.db.directory import _FEW_ORGANISATIONS, SqlMemberDirectory
from issuer.db.register import SqlRegister
from issuer.db.sealing import Sealer
from issuer.domain.audit_reads import members_shown
from issuer.domain.card_number import CardNumber, CommitteeBlockScheme
from issuer.domain.member import (
    Member,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
    Standing,
)
from issuer.domain.member_search import NameQuestion
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.errors import IssuerError
from issuer.services.directory_ports import DirectoryPosition, MemberLine, MemberSelection
from issuer.services.read_members import ReadingOfMembers
from tests.contract.query_plans import explained

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(range(32, 64)))
COMMUNES = tuple(f"C{number}" for number in range(_FEW_ORGANISATIONS + 6))
PEOPLE = (
    # Name, organisation, standing.
    ("Trần An", "C0", Standing.OFFICIAL),
    ("Lê Thị Hòa", "C0", Standing.OFFICIAL),
    ("Nguyễn Thị Hoà", "C1", Standing.SUSPENDED),
    ("Nguyễn Văn Hoàng", "C1", Standing.OFFICIAL),
    ("Vũ Hoa", "C2", Standing.PROBATIONARY),
    ("Nguyễn Hòa", "Q", Standing.OFFICIAL),
    ("Đỗ Đạt", "C2", Standing.OFFICIAL),
    ("H'Hen Niê", "C3", Standing.OFFICIAL),
    ("Trần An", "C1", Standing.OFFICIAL),
)


def clerk(*places: str) -> Actor:
    return Actor(
        account=AccountName("lan"),
        assignments=tuple(
            Assignment(role=Role.CLERK, organisation=OrganisationCode(each)) for each in places
        ),
    )


EVERYWHERE = Actor(account=AccountName("lan"), assignments=(Assignment(role=Role.CLERK),))


def person(number: int, name: str, organisation: str, standing: Standing) -> Member:
    is_official = standing is not Standing.PROBATIONARY
    return Member(
        member_id=MemberId(uuid.UUID(int=number)),
        statement=MemberStatement(
            record_number=RecordNumber(f"{number:06}AB"),
            citizen_number=CitizenNumber(f"001090{number:06}"),
            name=MemberName(full=name, primary=name),
            birth_date=date(1990, 2, 3),
            sex=Sex.FEMALE,
            place_of_birth="xã Mẫu",
            home_town="xã Mẫu",
            ethnic_group="Kinh",
            admission_date=date(2015, 2, 3),
            recognition_date=date(2016, 2, 3) if is_official else None,
            organisation_code=OrganisationCode(organisation),
            standing=standing,
            earlier_card_number=CardNumber(f"97{number:06}"),
        ),
        portrait=PortraitDigest(bytes(32)),
        portrait_source=PortraitDigest(bytes(32)),
        recorded_at=NOW,
    )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """One database for all tests of this file, which only read (and leave audit records)."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("directory") / "issuer.sqlite"
        opened = Database(f"sqlite:///{path}")
        yield from prepared(opened)
        return
    url = sa.engine.make_url(request.getfixturevalue("postgresql_server"))
    name = f"membercard_{uuid.uuid4().hex}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(name))
    inside = url.update_query_dict({"options": f"-csearch_path={name}"})
    yield from prepared(Database(inside.render_as_string(hide_password=False)))
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(name, cascade=True))
    engine.dispose()


def prepared(database: Database) -> Iterator[Database]:
    schema.upgrade(database)
    with SqlRegister(database, lambda: SEALER).writing() as transaction:
        transaction.organisations.add(
            [
                Organisation(code=OrganisationCode("P"), name="P", committee_number="98"),
                Organisation(code=OrganisationCode("Q"), name="Q", committee_number="98"),
                *(
                    Organisation(
                        code=OrganisationCode(each), name=each, parent_code=OrganisationCode("P")
                    )
                    for each in COMMUNES
                ),
            ]
        )
        transaction.members.add([person(n, *each) for n, each in enumerate(PEOPLE, start=1)])
    yield database
    database.close()


@pytest.fixture
def reading(database: Database) -> ReadingOfMembers:
    return ReadingOfMembers(
        register=SqlRegister(database, lambda: SEALER),
        scheme=CommitteeBlockScheme(),
        clock=lambda: NOW,
    )


def walk(
    reading: ReadingOfMembers, selection: MemberSelection, actor: Actor, limit: int
) -> list[MemberLine]:
    lines: list[MemberLine] = []
    behind: DirectoryPosition | None = None
    while True:
        page = reading.page(selection, actor=actor, limit=limit, behind=behind)
        assert len(page.lines) <= limit
        lines += page.lines
        behind = page.end
        if behind is None:
            return lines


def names(lines: list[MemberLine] | tuple[MemberLine, ...]) -> list[str]:
    return [each.full_name for each in lines]


HOA = ["Lê Thị Hòa", "Nguyễn Hòa", "Nguyễn Thị Hoà", "Vũ Hoa", "Nguyễn Văn Hoàng"]
IN_ORDER = [
    "Trần An",
    "Trần An",
    "Đỗ Đạt",
    "Vũ Hoa",
    "Nguyễn Thị Hoà",
    "Lê Thị Hòa",
    "Nguyễn Hòa",
    "Nguyễn Văn Hoàng",
    "H'Hen Niê",
]


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
@pytest.mark.parametrize(
    ("roots", "expected"),
    [
        (None, IN_ORDER),
        (("P",), [each for each in IN_ORDER if each != "Nguyễn Hòa"]),
        (("P", "Q"), IN_ORDER),
        (("C0", "C1"), ["Trần An", "Trần An", "Nguyễn Thị Hoà", "Lê Thị Hòa", "Nguyễn Văn Hoàng"]),
        (("C5",), []),
    ],
)
def test_pages_of_any_part_of_the_tree_are_in_vietnamese_order(
    reading: ReadingOfMembers, limit: int, roots: tuple[str, ...] | None, expected: list[str]
) -> None:
    chosen = None if roots is None else [OrganisationCode(each) for each in roots]
    lines = walk(reading, MemberSelection(roots=chosen), EVERYWHERE, limit)
    assert names(lines) == expected
    assert len({each.member_id for each in lines}) == len(expected)


@pytest.mark.parametrize("roots", [None, ("P",), ("C0", "C1")])
def test_a_list_can_be_of_one_standing(
    reading: ReadingOfMembers, roots: tuple[str, ...] | None
) -> None:
    chosen = None if roots is None else [OrganisationCode(each) for each in roots]
    selection = MemberSelection(roots=chosen, standing=Standing.SUSPENDED)
    assert names(walk(reading, selection, EVERYWHERE, 2)) == ["Nguyễn Thị Hoà"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hoa", HOA),
        ("Hòa", HOA),
        ("hoang", ["Nguyễn Văn Hoàng"]),
        ("nguyễn thị hoà", ["Nguyễn Thị Hoà"]),
        ("thi hoa", ["Lê Thị Hòa", "Nguyễn Thị Hoà"]),
        ("ng hoa", ["Nguyễn Hòa", "Nguyễn Thị Hoà", "Nguyễn Văn Hoàng"]),
        ("do dat", ["Đỗ Đạt"]),
        ("nguyen", ["Nguyễn Hòa", "Nguyễn Thị Hoà", "Nguyễn Văn Hoàng"]),
        ("Nguyễn V", ["Nguyễn Văn Hoàng"]),
        ("nguyễn", ["Nguyễn Hòa", "Nguyễn Thị Hoà", "Nguyễn Văn Hoàng"]),
        ("Trần", ["Trần An", "Trần An"]),
        ("H", [*HOA, "H'Hen Niê"]),
        ("van", []),
        ("hhen nie", ["H'Hen Niê"]),
        ("xyz", []),
        ("oa", []),
        ("97.000005", ["Vũ Hoa"]),
        ("000002ab", ["Lê Thị Hòa"]),
        ("001090000004", ["Nguyễn Văn Hoàng"]),
        ("001090000099", []),
    ],
)
def test_members_are_found_by_name_and_number(
    reading: ReadingOfMembers, text: str, expected: list[str]
) -> None:
    found = reading.search(text, actor=EVERYWHERE, limit=50)
    assert names(found.lines) == expected
    assert found.end is None


@pytest.mark.parametrize("actor", [EVERYWHERE, clerk("P"), clerk("C0", "C1")])
@pytest.mark.parametrize("text", ["h", "nguyen"])
@pytest.mark.parametrize("limit", [1, 3])
def test_what_is_found_comes_in_pages(
    reading: ReadingOfMembers, limit: int, text: str, actor: Actor
) -> None:
    found: list[MemberLine] = []
    page = reading.search(text, actor=actor, limit=limit)
    found += page.lines
    while page.end is not None:
        page = reading.search(text, actor=actor, limit=limit, behind=page.end)
        assert page.lines
        found += page.lines
    assert found == list(reading.search(text, actor=actor, limit=50).lines)
    assert len({each.member_id for each in found}) == len(found)


def test_who_is_found_by_the_given_name_comes_first(reading: ReadingOfMembers) -> None:
    """Whose family name begins so comes behind, and nobody comes twice."""
    found = names(reading.search("h", actor=clerk("P"), limit=50).lines)
    assert found == [*(each for each in HOA if each != "Nguyễn Hòa"), "H'Hen Niê"]


@pytest.mark.parametrize("text", ["", "  ", "12", "%", "a%", "x" * 321, "a " * 13, "'"])
def test_what_is_neither_name_nor_number_is_refused(reading: ReadingOfMembers, text: str) -> None:
    with pytest.raises(IssuerError) as refusal:
        reading.search(text, actor=EVERYWHERE, limit=1)
    assert refusal.value.code == "search.malformed"


def test_an_actor_sees_the_members_of_their_part_of_the_tree_only(
    reading: ReadingOfMembers,
) -> None:
    local = clerk("C1")
    everything = MemberSelection()
    mine = ["Trần An", "Nguyễn Thị Hoà", "Nguyễn Văn Hoàng"]
    assert names(walk(reading, everything, local, 2)) == mine
    assert names(reading.search("hoa", actor=local, limit=9).lines) == mine[1:]
    assert reading.search("97.000005", actor=local, limit=9).lines == ()
    assert names(reading.search("97.000003", actor=local, limit=9).lines) == ["Nguyễn Thị Hoà"]
    for roots, actor in ((["C0"], local), (["P"], local), (None, Actor(account=AccountName("x")))):
        chosen = None if roots is None else [OrganisationCode(each) for each in roots]
        with pytest.raises(IssuerError) as refusal:
            reading.page(MemberSelection(roots=chosen), actor=actor, limit=1)
        assert refusal.value.code == "right.missing"
    with pytest.raises(IssuerError) as refusal:
        reading.show(MemberId(uuid.UUID(int=1)), actor=local)
    assert refusal.value.code == "right.missing"


def test_whose_data_was_shown_stands_in_the_trail(reading: ReadingOfMembers) -> None:
    reading.show(MemberId(uuid.UUID(int=2)), actor=EVERYWHERE)
    page = reading.page(MemberSelection(), actor=EVERYWHERE, limit=3)
    with reading.register.reading() as transaction:
        one, many = list(transaction.audit.records())[-2:]
    assert members_shown(one.record()) == (MemberId(uuid.UUID(int=2)),)
    assert members_shown(many.record()) == tuple(each.member_id for each in page.lines)


SELECTIONS = {
    "everybody": MemberSelection(),
    "a few organisations": MemberSelection(roots=[OrganisationCode("C0"), OrganisationCode("Q")]),
    "a standing in an organisation": MemberSelection(
        roots=[OrganisationCode("C0")], standing=Standing.ABROAD
    ),
    "a large part": MemberSelection(roots=[OrganisationCode("P")]),
    "a standing": MemberSelection(standing=Standing.ABROAD),
    "a name": MemberSelection(name=NameQuestion(given="hoa", others=("thi",))),
    "a name in a part": MemberSelection(
        roots=[OrganisationCode("P")], name=NameQuestion(given="hoa")
    ),
}


POSITIONS = {
    "first": None,
    "next": DirectoryPosition(b"\x20", MemberId(uuid.UUID(int=3))),
    "found by the beginning": DirectoryPosition(b"\xffnguyen", MemberId(uuid.UUID(int=3))),
}


@pytest.fixture
def every_part_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_module, "_SMALL_PART", 0)
    monkeypatch.setattr(directory_module, "_SMALL_JUDGED_PART", 0)


def plans(database: Database, selection: MemberSelection, where: str) -> list[str]:
    with database.reading() as session:
        directory = SqlMemberDirectory(session, pytest.fail)
        stretches = list(directory.stretches(selection, limit=51, behind=POSITIONS[where]))
        return [
            explained(session.connection(), query) for _, queries in stretches for query in queries
        ]


@pytest.mark.usefixtures("every_part_is_large")
@pytest.mark.parametrize("where", POSITIONS)
@pytest.mark.parametrize("which", SELECTIONS)
def test_every_page_walks_an_index_and_sorts_no_list(
    database: Database, which: str, where: str
) -> None:
    selection = SELECTIONS[which]
    found = plans(database, selection, where)
    assert found
    if selection.name is not None:
        # Who is found by the beginning of the name is looked for behind the others, and alone behind one of them.
        assert len(found) == (1 if where == "found by the beginning" else 2)
        assert "ix_members_name_key_id" in found[-1]
    for plan in found:
        require_walk(plan, is_sqlite=database.is_sqlite)


@pytest.mark.parametrize("where", POSITIONS)
@pytest.mark.parametrize("which", [each for each in SELECTIONS if SELECTIONS[each].roots])
def test_of_a_small_part_its_own_members_alone_are_read(
    database: Database, which: str, where: str
) -> None:
    """Along an index of the country, everybody between two members of the part would be looked at."""
    found = plans(database, SELECTIONS[which], where)
    assert found
    for plan in found:
        assert "ix_members_organisation_id" in plan
        assert not re.search(
            r"ix_members_(search|name|sort|standing)|SCAN members|Seq Scan on members", plan
        )


@pytest.mark.usefixtures("every_part_is_large")
@pytest.mark.parametrize("text", ["hoa", "h", "nguyen", "thi hoa", "xyz"])
def test_a_large_part_shows_what_a_small_one_does(
    reading: ReadingOfMembers, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    actor = clerk("P")
    standing = MemberSelection(standing=Standing.OFFICIAL)
    large = [walk(reading, each, actor, 2) for each in (MemberSelection(), standing)]
    large.append(list(reading.search(text, actor=actor, limit=50).lines))
    monkeypatch.undo()
    small = [walk(reading, each, actor, 2) for each in (MemberSelection(), standing)]
    small.append(list(reading.search(text, actor=actor, limit=50).lines))
    assert large == small
    assert large[0]


def test_who_was_recorded_before_the_upgrade_is_found_by_the_beginning_of_the_name(
    database: Database, reading: ReadingOfMembers
) -> None:
    found = names(reading.search("nguyen", actor=EVERYWHERE, limit=50).lines)
    migration = import_module("issuer.db.migrations.versions.0027_name_key")
    with (
        database.engine.begin() as connection,
        Operations.context(MigrationContext.configure(connection)),
    ):
        migration.downgrade()
        columns = {each["name"] for each in sa.inspect(connection).get_columns("members")}
        assert "name_key" not in columns
        migration.upgrade()
    assert found
    assert names(reading.search("nguyen", actor=EVERYWHERE, limit=50).lines) == found


def require_walk(plan: str, *, is_sqlite: bool) -> None:
    if is_sqlite:
        assert not re.search(r"SCAN members(?! USING (COVERING )?INDEX)", plan)
        assert "TEMP B-TREE FOR ORDER BY" not in plan
    else:
        assert "Seq Scan on members" not in plan
        assert "Sort" not in plan
        # Joined by a loop, the part of the tree would be gone through for each member.
        assert "Semi Join" not in plan
    assert re.search(r"ix_members_(sort_key|search_key|name_key|standing|organisation_id)", plan)
