"""A synthetic register of a million members, made in minutes: sealed and indexed as the product does it, by bulk insert.

Nobody in it exists: numbers and dates are counted up, names are drawn from short lists. Its tree is a country in small:
provinces, communes, cells. A part of the members has requests in every state, and some rows of a list are questionable.
"""

import json
import random
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, Final, Self

import sqlalchemy as sa

from issuer.db.base import Base, Database
from issuer.db.bulk import bulk_insert
from issuer.db.import_tables import ImportRow, ImportRowRow
from issuer.db.member_rows import MemberRow
from issuer.db.member_seals import MemberSeals, SealedColumn
from issuer.db.organisation_rows import OrganisationRow, OrganisationVersionRow, words_of
from issuer.db.production_tables import CardEventRow, CardRow
from issuer.db.request_tables import RequestEventRow, RequestRow
from issuer.db.sealing import Sealer
from issuer.domain.vietnamese_text import name_key, search_key, sort_key
from tests.benchmarks.big_production import People, make_big_production
from tests.benchmarks.measure import Announce

__all__ = ["BigRegister", "make_big_register"]

_CHUNK: Final = 20_000
_COMMUNES_OF_PROVINCE: Final = 50
_CELLS_OF_COMMUNE: Final = 80
_MEMBERS_OF_CELL: Final = 25
"""As in the country: a commune has some 1,700 members in 90 cells and grassroots organisations."""

_NGUYEN: Final = 0.38
"""The share of the most frequent family name."""
_FAMILY: Final = (
    "Nguyễn",
    "Trần",
    "Lê",
    "Phạm",
    "Hoàng",
    "Phan",
    "Vũ",
    "Đặng",
    "Bùi",
    "Đỗ",
    "Hồ",
    "Ngô",
    "Dương",
    "Lý",
)
_MIDDLE: Final = (
    "Văn",
    "Thị",
    "Hữu",
    "Đức",
    "Ngọc",
    "Thanh",
    "Minh",
    "Quốc",
    "Xuân",
    "Kim",
    "Hồng",
    "Gia",
)
_GIVEN: Final = (
    "An", "Anh", "Bình", "Châu", "Chi", "Dũng", "Đạt", "Giang", "Hà", "Hải", "Hạnh", "Hòa", "Hùng", "Khánh", "Lan", "Linh", "Long",
    "Mai", "Nam", "Nga", "Phúc", "Phương", "Quý", "Sơn", "Tâm", "Thảo", "Thu", "Trang", "Tuấn", "Uyên", "Vân", "Yến",
)  # fmt: skip
_STATES: Final = ("draft", "proposed", "endorsed", "compiled", "tabled", "returned")
_RECORDED: Final = datetime(2026, 3, 1, tzinfo=UTC)
_BORN: Final = date(1940, 1, 1)


@dataclass(frozen=True, kw_only=True)
class BigRegister:
    """What was made: how many members, and what stands in addresses of things that are there."""

    members: int
    words: Mapping[str, str]

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The register whose description was kept."""
        return cls(**json.loads(text))

    def to_json(self) -> bytes:
        """What is kept beside it."""
        return json.dumps(asdict(self), indent=1).encode()


def make_big_register(
    database: Database, sealer: Sealer, *, members: int, trail: int, announce: Announce
) -> BigRegister:
    """Fill an upgraded, empty database; the count is a multiple of the members of a cell."""
    cells = [_code(number) for number in range(members // _MEMBERS_OF_CELL)]
    ids = _fill_tree(database, cells)
    with _without_indexes(database, announce):
        people = _people(sealer, cells, ids)
        done = 0
        while chunk := list(islice(people, _CHUNK)):
            with database.writing() as session:
                bulk_insert(session, MemberRow, chunk)
            done += len(chunk)
            if done % (10 * _CHUNK) == 0:
                announce(f"{done} members")
        _fill_requests(database, members, ids, cells)
        made = make_big_production(
            database, _communes(members, cells, ids), ids, announce, trail=trail
        )
    _fill_doubts(database, cells)
    if not database.is_sqlite:
        # As the server's own autovacuum leaves it; the product has SQLite keep no statistics.
        with database.engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    return BigRegister(
        members=members,
        words={
            "province": cells[0][:3],
            "commune": cells[0][:6],
            "cell": cells[0],
            "code": cells[0][:6],
            "member_id": str(_member_id(0)),
            "number": "1",
            "row": "1",
            **made,
        },
    )


def _code(cell: int) -> str:
    commune, number = divmod(cell, _CELLS_OF_COMMUNE)
    province, commune = divmod(commune, _COMMUNES_OF_PROVINCE)
    return f"P{province:02}-{commune:02}-{number:02}"


def _member_id(number: int) -> uuid.UUID:
    # Spread over the whole range, as drawn ones are, and the same in each run.
    return uuid.UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835 + 1) % (1 << 128))


def _fill_tree(database: Database, cells: list[str]) -> dict[str, uuid.UUID]:
    codes = [
        "VN",
        *sorted({each[:3] for each in cells}),
        *sorted({each[:6] for each in cells}),
        *cells,
    ]
    ids = {code: uuid.UUID(int=number + 1) for number, code in enumerate(codes)}
    parents = {
        code: None if code == "VN" else "VN" if len(code) == 3 else code.rpartition("-")[0]
        for code in codes
    }
    rows = [
        {
            "id": ids[code],
            "code": code,
            "name": f"Đảng bộ Mẫu {code}",
            "words": words_of(f"Đảng bộ Mẫu {code}"),
            "parent_id": None if (above := parents[code]) is None else ids[above],
            "level": None,
            "committee_number": code[1:3] if len(code) == 3 else None,
            "closed_on": None,
        }
        for code in codes
    ]
    versions = [
        {
            "organisation_id": row["id"], "number": 1, "valid_from": None, "valid_until": None, "change": "recorded",
            "name": row["name"], "parent_id": row["parent_id"], "level": None,
            "committee_number": row["committee_number"], "successor_id": None, "recorded_at": None, "account": None,
            "reason": "", "evidence": None,
        }
        for row in rows
    ]  # fmt: skip
    with database.writing() as session:
        bulk_insert(session, OrganisationRow, rows)
        bulk_insert(session, OrganisationVersionRow, versions)
    return ids


def _people(
    sealer: Sealer, cells: list[str], ids: dict[str, uuid.UUID]
) -> Iterator[dict[str, Any]]:
    seals = MemberSeals(sealer)
    random_name = random.Random(1)
    known: dict[str, tuple[bytes, bytes, bytes]] = {}
    for number in range(len(cells) * _MEMBERS_OF_CELL):
        family = _FAMILY[0] if random_name.random() < _NGUYEN else random_name.choice(_FAMILY[1:])
        rest = f"{random_name.choice(_MIDDLE)} {random_name.choice(_MIDDLE)} {random_name.choice(_GIVEN)}"
        name = f"{family} {rest}"
        if name not in known:
            known[name] = (sort_key(name), search_key(name).encode(), name_key(name).encode())
        sorting, searching, beginning = known[name]
        member_id = _member_id(number)
        key = member_id.bytes
        citizen = f"{number:012}"
        birth = _BORN + timedelta(days=(number * 7919) % 22_000)
        yield {
            "id": member_id,
            "version": 1,
            "earlier_card_number": f"{number:08}" if number % 3 else None,
            "record_number": f"{number % 1_000_000:06}{'ABCDEFGH'[number // 1_000_000]}",
            "citizen_number": seals.seal(SealedColumn.CITIZEN_NUMBER, citizen, key),
            "citizen_number_digest": seals.citizen_number_digest(citizen),
            "full_name": name,
            "primary_name": family,
            "secondary_name": rest,
            "sort_key": sorting,
            "search_key": searching,
            "name_key": beginning,
            "likeness_digest": seals.likeness_digest(name, birth),
            "birth_date": birth,
            "sex": "F" if number % 2 else "M",
            "place_of_birth": seals.seal(SealedColumn.PLACE_OF_BIRTH, "xã Mẫu, tỉnh Giả Định", key),
            "home_town": seals.seal(SealedColumn.HOME_TOWN, "xã Mẫu, tỉnh Giả Định", key),
            "residence": None
            if number % 5 == 0
            else seals.seal(SealedColumn.RESIDENCE, "phường Mẫu", key),
            "phone": seals.seal(SealedColumn.PHONE, "0912345678", key),
            "ethnic_group": "Kinh",
            "admission_date": birth + timedelta(days=9000),
            "recognition_date": birth + timedelta(days=9366),
            "organisation_id": ids[cells[number % len(cells)]],
            "served_in_id": None,
            "standing": "probationary" if number % 40 == 0 else "official",
            "standing_since": None,
            "portrait": bytes([1]) * 32,
            "portrait_source": bytes([1]) * 32,
            "recorded_at": _RECORDED,
            "erased_at": None,
        }


def _fill_requests(
    database: Database, members: int, ids: dict[str, uuid.UUID], cells: list[str]
) -> None:
    """Every tenth member has one, of all states that come before a number; with its time line."""
    numbers = range(0, members, 10)
    for start in range(0, len(numbers), _CHUNK):
        part = numbers[start : start + _CHUNK]
        rows = [
            {
                "id": uuid.UUID(int=number + (1 << 64)),
                "member_id": _member_id(number),
                "organisation_id": ids[cells[number % len(cells)]],
                "kind": "exchange",
                "reason": None,
                "ordinal": 1,
                "state": _STATES[number // 10 % len(_STATES)],
                "version": 1,
                "created_at": _RECORDED + timedelta(seconds=number),
                "card_number": None,
            }
            for number in part
        ]
        events = [
            {
                "request_id": row["id"],
                "at": row["created_at"],
                "account": "synthetic",
                "kind": "drafted",
                "remark": "",
            }
            for row in rows
        ]
        with database.writing() as session:
            bulk_insert(session, RequestRow, rows)
            bulk_insert(session, RequestEventRow, events)


def _communes(members: int, cells: list[str], ids: dict[str, uuid.UUID]) -> Iterator[People]:
    """Two of ten members of each commune, none of whom has another request."""
    of_commune: dict[str, list[tuple[uuid.UUID, uuid.UUID]]] = defaultdict(list)
    for number in range(members):
        # Numbers count cells up, so that the tens say nothing of a cell.
        if number // len(cells) % 10 in {3, 7} and number % 10:
            cell = cells[number % len(cells)]
            of_commune[cell[:6]].append((_member_id(number), ids[cell]))
    for commune, people in of_commune.items():
        yield People(commune=commune, province=commune[:3], members=people)


def _fill_doubts(database: Database, cells: list[str]) -> None:
    """One list, of which many rows were refused and wait."""
    count = min(2_000, len(cells))
    first = {
        "number": 1, "list_digest": bytes(32), "account": "everybody", "started_at": _RECORDED, "finished_at": _RECORDED,
        "row_count": count, "last_row": count, "taken": 0, "already_present": 0, "refused": count, "questionable": 0,
        "has_checked_faces": False,
    }  # fmt: skip
    finding = '[["portrait","portrait.too-small","the portrait is too small"]]'
    rows = [
        {
            "number": 1, "row": number + 1, "findings": finding, "state": None, "organisation_code": cells[number],
            "content": None, "content_digest": None, "decided_by": None, "decided_at": None, "reason": None,
            "member_id": None,
        }
        for number in range(count)
    ]  # fmt: skip
    with database.writing() as session:
        bulk_insert(session, ImportRow, [first])
        bulk_insert(session, ImportRowRow, rows)


class _without_indexes:  # noqa: N801 - it reads as the standard library's
    """Indexes of the large tables are made once at the end; on SQLite nothing waits for the disk meanwhile."""

    def __init__(self, database: Database, announce: Announce) -> None:
        self._database = database
        self._announce = announce
        self._indexes = [
            index
            for table in (MemberRow, RequestRow, RequestEventRow, CardRow, CardEventRow)
            for index in _table(table).indexes
            if not index.unique
        ]

    def __enter__(self) -> None:
        for index in self._indexes:
            index.drop(self._database.engine)

    def __exit__(self, *_: object) -> None:
        self._announce("indexes")
        for index in self._indexes:
            index.create(self._database.engine)


def _table(row: type[Base]) -> sa.Table:
    return row.metadata.tables[row.__tablename__]
