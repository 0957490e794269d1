"""What stands behind the members of a synthetic register: decisions, batches, cards, chips, stock, accounts, and a trail.

A fifth of the members has had a card made: each commune's cards are one batch by one decision, and batches stand at
every step. Rows are stored as the product stores them; what only a keystore could make (contents, keys of chips) is not there.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa

from issuer.db.audit import AuditHeadRow, AuditRecordRow, SqlAuditTrail
from issuer.db.base import Base, Database
from issuer.db.batch_tables import AcknowledgementRow, BatchEventRow, BatchRequestRow, BatchRow
from issuer.db.bulk import bulk_insert
from issuer.db.bundle_tables import BundleConflictRow, BundleRow, InstanceRow
from issuer.db.card_change_tables import CardChangeRow
from issuer.db.operations import OperationRow
from issuer.db.people_tables import AccountRow, AssignmentRow
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow, StatusListRow
from issuer.db.request_tables import (
    AllottedNumberRow,
    DecisionRequestRow,
    DecisionRow,
    NumberBlockRow,
    RequestEventRow,
    RequestRow,
)
from issuer.db.stock_tables import (
    DayCloseRow,
    DestructionChipRow,
    DestructionRow,
    StockMovementRow,
    StockSiteRow,
    StockStopRow,
)
from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_chain import link
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName

__all__ = ["People", "make_big_production"]

_CHUNK: Final = 20_000
_BEGUN: Final = datetime(2026, 4, 1, tzinfo=UTC)
_LIST_SIZE: Final = 131_072
_BATCH_STATES: Final = (
    *("handed-over",) * 10,
    "open", "freezing", "frozen", "signed", "producing", "controlled", "packed", "dispatched", "received", "cancelled",
)  # fmt: skip
_WITHOUT_CARDS: Final = {"open", "freezing", "cancelled"}
_CARD_STATES: Final = {"frozen": "bound", "signed": "signed", "producing": "issued", "handed-over": "handed-over"}  # fmt: skip
_PASSED: Final = {"controlled", "packed", "dispatched", "received", "handed-over"}
_EVENTS: Final = ("bound", "signed", "personalisation-begun", "personalised", "issued")


@dataclass(frozen=True, kw_only=True)
class People:
    """The members of one commune who have had a card made: row ids, and the organisation that each is recorded in."""

    commune: str
    province: str
    members: Sequence[tuple[uuid.UUID, uuid.UUID]]


def make_big_production(
    database: Database,
    communes: Iterable[People],
    ids: Mapping[str, uuid.UUID],
    announce: Callable[[str], None],
    *,
    trail: int,
) -> dict[str, str]:
    """Fill the tables of production behind a filled register; gives what stands in addresses of things that are there."""
    provinces = sorted(code for code in ids if len(code) == 3)
    _fill_sites(database, provinces, ids)
    words: dict[str, str] = {}
    made = 0
    for number, people in enumerate(communes):
        of_commune = _Commune(number=number, people=people, ids=ids, first_card=made)
        _store(database, of_commune.rows())
        made += len(people.members)
        words = words or of_commune.words()
    announce(f"{made} cards")
    _store(database, _stock_rows(made))
    _store(database, _people_rows(ids))
    _store(database, _exchange_rows(provinces, ids))
    _fill_trail(database, trail)
    announce(f"{trail} records of the trail")
    return words


def _id(space: int, number: int) -> uuid.UUID:
    return uuid.UUID(int=(space << 96) + number + 1)


def _store(database: Database, rows: Iterator[tuple[type[Base], dict[str, Any]]]) -> None:
    """In the order in which tables first come: what others refer to is said before them."""
    tables: dict[type[Base], list[dict[str, Any]]] = {}
    for table, row in rows:
        tables.setdefault(table, []).append(row)
    with database.writing() as session:
        for table, several in tables.items():
            each = iter(several)
            while chunk := list(islice(each, _CHUNK)):
                bulk_insert(session, table, chunk)


@dataclass(frozen=True, kw_only=True)
class _Commune:
    """One commune: a decision by its province, one batch, and its cards."""

    number: int
    people: People
    ids: Mapping[str, uuid.UUID]
    first_card: int

    @property
    def state(self) -> str:
        return _BATCH_STATES[self.number % len(_BATCH_STATES)]

    @property
    def at(self) -> datetime:
        return _BEGUN + timedelta(hours=self.number)

    def words(self) -> dict[str, str]:
        return {
            "batch_id": str(_id(2, self.number)),
            "decision_id": str(_id(1, self.number)),
            "request_id": str(_id(3, self.first_card)),
            "reference": self.reference(self.first_card).hex(),
            "serial": self.serial(self.first_card).hex(),
            "card_number": f"{self.card_number(self.first_card)[:2]}.{self.card_number(self.first_card)[2:]}",
            "site": "s1",
            "count_id": str(_id(5, 0)),
            "destruction_id": str(_id(6, 0)),
            "operation_id": str(_id(13, 0)),
            "name": "everybody",
        }

    @staticmethod
    def reference(number: int) -> bytes:
        return _id(4, number).bytes

    @staticmethod
    def serial(number: int) -> bytes:
        return b"\x00\x02" + number.to_bytes(8, "big")

    def card_number(self, number: int) -> str:
        block = int(self.people.province[1:]) + 50
        return f"{block:02}{number % 999_999 + 1:06}"

    def rows(self) -> Iterator[tuple[type[Base], dict[str, Any]]]:
        members = self.people.members
        numbers = range(self.first_card, self.first_card + len(members))
        has_cards = self.state not in _WITHOUT_CARDS
        yield DecisionRow, self._decision(len(members))
        block = _id(9, self.number)
        yield NumberBlockRow, {
            "id": block, "committee_id": self.ids[self.people.province],
            "first": int(self.card_number(numbers[0])), "last": int(self.card_number(numbers[-1])),
            "next": int(self.card_number(numbers[-1])) + 1,
            "granted_at": self.at, "granted_by": "synthetic", "held_by": None, "is_told": False,
        }  # fmt: skip
        yield BatchRow, self._batch(len(members))
        if self.number * 40_000 % _LIST_SIZE < 40_000 or not self.number:
            yield StatusListRow, {
                "list_id": self._list(), "size": _LIST_SIZE, "created_at": self.at, "is_shared": False
            }  # fmt: skip
        for place, (number, (member_id, organisation_id)) in enumerate(
            zip(numbers, members, strict=True)
        ):
            request_id = _id(3, number)
            is_over = has_cards and self.state == "handed-over"
            yield RequestRow, {
                "id": request_id, "member_id": member_id, "organisation_id": organisation_id, "kind": "exchange",
                "reason": None, "ordinal": 1, "state": "fulfilled" if is_over else "decided", "version": 7,
                "created_at": self.at, "card_number": self.card_number(number), "held_by": None,
            }  # fmt: skip
            for step in ("drafted", "proposed", "endorsed", "compiled", "tabled", "decided"):
                yield RequestEventRow, {
                    "request_id": request_id, "at": self.at, "account": "synthetic", "kind": step, "remark": ""
                }  # fmt: skip
            yield DecisionRequestRow, {"decision_id": _id(1, self.number), "request_id": request_id}
            yield AllottedNumberRow, {
                "number": self.card_number(number), "block_id": block, "request_id": request_id,
                "member_id": member_id, "at": self.at,
            }  # fmt: skip
            if self.state != "cancelled":
                yield BatchRequestRow, {
                    "batch_id": _id(2, self.number), "request_id": request_id, "position": place + 1, "is_live": True,
                    "line_digest": None,
                }  # fmt: skip
            yield ChipRow, self._chip(number, is_used=has_cards)
            if has_cards:
                yield CardRow, self._card(number, place, member_id, request_id)
                yield from self._history(number, is_over=is_over)
        for step, account in (
            ("opened", "an"),
            ("filled", "an"),
            ("freeze-proposed", "an"),
            ("frozen", "binh"),
        ):
            yield BatchEventRow, {
                "batch_id": _id(2, self.number), "at": self.at, "account": account, "kind": step,
                "count": len(members) if step == "filled" else None,
            }  # fmt: skip

    def _list(self) -> bytes:
        return (self.number * 40_000 // _LIST_SIZE).to_bytes(8, "big")

    def _decision(self, count: int) -> dict[str, Any]:
        return {
            "id": _id(1, self.number), "number": f"{self.number:05}-QD", "decided_on": self.at.date(),
            "committee_id": self.ids[self.people.province], "state": "confirmed", "document": bytes(32),
            "document_signature": "absent", "requests": count, "version": 2, "prepared_by": "an", "prepared_at": self.at,
            "confirmed_by": "binh", "confirmed_at": self.at, "dropped_by": None,
        }  # fmt: skip

    def _batch(self, count: int) -> dict[str, Any]:
        is_open = self.state in {"open", "cancelled"}
        is_frozen = self.state not in _WITHOUT_CARDS
        return {
            "id": _id(2, self.number), "receiver_id": self.ids[self.people.commune],
            "decision_id": _id(1, self.number), "follow_up_of": None, "state": self.state, "version": 5,
            "created_by": "an", "created_at": self.at, "proof": None if is_open else bytes(32),
            "cards": None if is_open else count, "proposed_by": None if is_open else "an",
            "proposed_at": None if is_open else self.at, "confirmed_by": "binh" if is_frozen else None,
            "confirmed_at": self.at if is_frozen else None, "carrier": None,
        }  # fmt: skip

    def _chip(self, number: int, *, is_used: bool) -> dict[str, Any]:
        site = f"s{number % 8}" if is_used else "store"
        return {
            "serial": self.serial(number), "state": "initialised", "key_curve": "1.2.840.10045.3.1.7",
            "key_point": b"\x04" + number.to_bytes(64, "big"), "held": None, "condemned_for": None,
            "delivery": f"D-{number // 10_000}", "received_at": self.at, "site": site, "sampled_at": None,
            "destroyed_at": None, "is_stolen": False,
        }  # fmt: skip

    def _card(
        self, number: int, place: int, member_id: uuid.UUID, request_id: uuid.UUID
    ) -> dict[str, Any]:
        state = _CARD_STATES.get(self.state, "issued")
        is_made = state in {"issued", "handed-over"}
        is_passed = self.state in _PASSED
        is_over = state == "handed-over"
        return {
            "reference": self.reference(number), "member_id": member_id, "request_id": request_id,
            "serial": self.serial(number), "state": state, "ordinal": 1, "profile": "synthetic",
            "status_list": self._list(), "status_index": self.number * 40_000 % _LIST_SIZE + place,
            "document_number_digest": b"\x01" + bytes(23) + number.to_bytes(8, "big"), "sealed_secrets": b"",
            "bound_at": self.at, "issued_at": self.at if is_made else None,
            "handed_over_at": self.at if is_over else None, "handed_over_to": "synthetic" if is_over else None,
            "condemned_for": None, "batch_id": _id(2, self.number), "produced_by": "chi" if is_made else None,
            "passed_by": "dung" if is_passed else None, "passed_at": self.at if is_passed else None,
            "box": place // 250 + 1 if is_passed else None, "received_at": self.at if is_over else None,
            "counts_as": 0 if is_over else 1, "published_as": 1 if number % 50 == 0 else 0 if is_over else 1,
            "ended_for": None, "report": None, "reported_by": None, "is_suspended": False, "is_member_barred": False,
            "is_collected": False, "is_stale": False, "valid_until": None,
        }  # fmt: skip

    def _history(
        self, number: int, *, is_over: bool
    ) -> Iterator[tuple[type[Base], dict[str, Any]]]:
        for kind in _EVENTS:
            yield CardEventRow, {
                "at": self.at + timedelta(seconds=number % 3600), "kind": kind, "serial": self.serial(number),
                "reference": self.reference(number), "code": None, "detail": None,
                "station": f"station-{number % 8}", "account": "chi",
            }  # fmt: skip
        if is_over:
            yield CardChangeRow, {
                "reference": self.reference(number), "at": self.at, "account": "an", "event": "handed-over",
                "reason": None, "before": 1, "after": 0, "remark": "",
            }  # fmt: skip
            yield AcknowledgementRow, {
                "reference": self.reference(number), "kind": "member", "minutes": None, "account": "an", "at": self.at,
            }  # fmt: skip


def _fill_sites(database: Database, provinces: Sequence[str], ids: Mapping[str, uuid.UUID]) -> None:
    _store(
        database,
        (
            (
                StockSiteRow,
                {
                    "code": f"s{number}",
                    "kind": "station",
                    "name": f"Trạm {number}",
                    "organisation_id": ids[provinces[number % len(provinces)]],
                    "opened_at": _BEGUN,
                },
            )
            for number in range(8)
        ),
    )


def _stock_rows(chips: int) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    """Deliveries and issues of a year, a count a site and day, destructions, and a stop list."""
    yield StockMovementRow, {
        "at": _BEGUN, "account": "kho", "kind": "delivered", "source": None, "target": "store", "chips": 1_000_000
    }  # fmt: skip
    for number in range(20_000):
        yield StockMovementRow, {
            "at": _BEGUN + timedelta(minutes=number), "account": "kho", "kind": "issued", "source": "store",
            "target": f"s{number % 8}", "chips": 20,
        }  # fmt: skip
    zeros = dict.fromkeys(
        (
            "counted_finished", "counted_spoiled", "counted_samples", "counted_left", "expected_finished",
            "expected_spoiled", "expected_samples", "expected_left", "received", "good", "spoiled", "samples",
            "left_over",
        ),
        0,
    )  # fmt: skip
    for number in range(9 * 300):
        at = _BEGUN + timedelta(days=number // 9)
        yield DayCloseRow, {
            "id": _id(5, number), "site": ("store", *(f"s{place}" for place in range(8)))[number % 9], "day": at.date(), "state": "closed", **zeros,
            "last_movement": 20_001, "counted_by": "an", "counted_at": at, "closed_by": "binh", "closed_at": at,
        }  # fmt: skip
    for number in range(min(1_000, chips)):
        at = _BEGUN + timedelta(hours=number)
        yield DestructionRow, {
            "id": _id(6, number), "site": f"s{number % 8}", "state": "destroyed", "manner": "shredded", "chips": 1,
            "digest": bytes(32), "first_witness": "an", "first_at": at, "second_witness": "binh", "second_at": at,
        }  # fmt: skip
        yield (
            DestructionChipRow,
            {"destruction_id": _id(6, number), "serial": _Commune.serial(number)},
        )
    for number in range(5_000):
        yield StockStopRow, {
            "serial": b"\x00\x09" + number.to_bytes(8, "big"), "reason": "stolen",
            "state": "reported" if number % 10 == 0 else "confirmed", "site": f"s{number % 8}", "reported_by": "an",
            "reported_at": _BEGUN, "concluded_by": None if number % 10 == 0 else "binh",
            "concluded_at": None if number % 10 == 0 else _BEGUN,
        }  # fmt: skip


def _people_rows(ids: Mapping[str, uuid.UUID]) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    """Two accounts a commune, and what each of them let run; most of it one person's."""
    for run in range(5_000):
        yield OperationRow, _operation(_id(13, run), "everybody", _BEGUN + timedelta(minutes=run))
    number = 0
    for code in (code for code in ids if len(code) == 6):
        for role in ("clerk", "endorser"):
            account_id = _id(7, number)
            name = f"{role}-{code.lower()}"
            yield AccountRow, {
                "id": account_id, "name": name, "state": "active", "password_hash": None, "password_set_at": None,
                "password_is_provisional": None, "created_at": _BEGUN,
            }  # fmt: skip
            yield AssignmentRow, {
                "id": _id(8, number), "account_id": account_id, "position": 0, "role": role, "organisation": code
            }  # fmt: skip
            for run in range(10):
                at = _BEGUN + timedelta(days=run)
                yield OperationRow, _operation(_id(10, number * 10 + run), name, at)
            number += 1


def _operation(operation_id: uuid.UUID, account: str, at: datetime) -> dict[str, Any]:
    return {
        "id": operation_id, "kind": "count-reports", "account": account, "state": "done", "inputs": "{}", "attempt": 1,
        "done": 1, "total": 1, "counts": "{}", "code": None, "sentence": None, "created_at": at, "changed_at": at,
    }  # fmt: skip


def _exchange_rows(
    provinces: Sequence[str], ids: Mapping[str, uuid.UUID]
) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    """An instance a province, its bundles, and what they disagree about."""
    for place, code in enumerate(provinces):
        name = code.lower()
        yield InstanceRow, {
            "name": name, "side": "below", "organisation_id": ids[code], "signer_certificate": b"", "state": "enrolled",
            "receiver_certificate": b"", "proposed_by": "an", "proposed_at": _BEGUN, "confirmed_by": "binh",
            "suspended_by": None, "sent": 1_000, "received": 1_000, "acknowledged": 1_000, "lost_since": None,
            "has_lost": False, "told_reports": None, "version": 1,
        }  # fmt: skip
        for sequence in range(1, 1_001):
            at = _BEGUN + timedelta(hours=sequence, minutes=place)
            yield BundleRow, {
                "instance": name, "direction": "in", "sequence": sequence, "digest": bytes(32), "at": at,
                "account": "an", "counts": json.dumps({"members": 1}),
            }  # fmt: skip
        for number in range(200):
            yield BundleConflictRow, {
                "id": _id(11, place * 200 + number), "instance": name, "sequence": 1, "kind": "decision",
                "subject_id": f"{number}", "member_id": None, "organisation_id": ids[code], "code": "bundle.synthetic",
                "sentence": "the two registers disagree", "columns": "[]", "sealed": b"", "found_at": _BEGUN,
                "state": "open", "settled_by": None, "settled_at": None, "reason": "",
            }  # fmt: skip


def _fill_trail(database: Database, records: int) -> None:
    """Records as pages leave them, chained as the product chains them."""
    with database.reading() as session:
        head = SqlAuditTrail(session, is_writing=False).head()
    done = 0
    while done < records:
        rows: list[dict[str, object]] = []
        for number in range(done, min(done + _CHUNK, records)):
            record = AuditRecord(
                at=_BEGUN + timedelta(seconds=number),
                account=AccountName(f"clerk-p{number % 10:02}-{number // 10 % 50:02}"),
                action="member.read",
                subject=AuditSubject.MEMBER,
                subject_id=_id(12, number).hex,
                organisation=OrganisationCode(f"P{number % 10:02}-{number // 10 % 50:02}-00"),
            )
            chained, head = link(head, record)
            rows.append({name: getattr(chained, name) for name in chained.__slots__})
        with database.writing() as session:
            bulk_insert(session, AuditRecordRow, rows)
            session.execute(
                sa.update(AuditHeadRow).values(sequence=head.sequence, digest=head.digest)
            )
        done += len(rows)
