"""What will stand on the cards of a batch: read at the proposal, and not opened again where it is stored as it was."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from card_layout.profile import load_profile
from issuer.db.base import Database
from issuer.db.batch_tables import BatchRequestRow
from issuer.db.key_sets import among
from issuer.db.member_rows import MemberRow
from issuer.db.member_seals import MemberSeals, SealedColumn
from issuer.db.organisations import SqlOrganisationRepository
from issuer.db.production_tables import ChipRow
from issuer.db.proof_lines import SqlProofRepository
from issuer.db.request_tables import RequestRow
from issuer.db.schema import upgrade
from issuer.domain.batch import Batch
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.build_jobs import CardBuilding, CardPolicy
from issuer.services.committee_names import CommitteeNames, NamesOnCard
from issuer.services.proof_ports import CardDue, NamesOf
from tests.contract.batch_stage import CONTROLLER, PROFILE, BatchStage, people
from tests.contract.proven_cards import proof_line
from tests.contract.query_plans import explained
from tests.contract.requests_stage import CELL, SEALER

NAMES = NamesOnCard(organisation_name="Chi bộ Mẫu", issuing_committee="Đảng bộ tỉnh Mẫu")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("template") / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path.read_bytes()


@pytest.fixture(params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest, tmp_path: Path, template: bytes) -> Iterator[BatchStage]:
    if request.param == "sqlite":
        path = tmp_path / "issuer.sqlite"
        path.write_bytes(template)
        database = Database(f"sqlite:///{path}")
    else:
        database = Database(request.getfixturevalue("postgresql_url"))
        upgrade(database)
    made = BatchStage(database, tmp_path / "marks", members=people(4))
    made.initialise(1, 2, 3, 4)
    yield made
    database.close()


class OpenedError(Exception):
    """A record was opened."""


def nothing_opens() -> NoReturn:
    raise OpenedError


def names(_: object) -> NamesOnCard:
    return NAMES


def due(stage: BatchStage, batch: Batch) -> tuple[CardDue, ...]:
    with stage.register.reading() as transaction:
        return transaction.proofs.cards_due(
            batch.batch_id, CommitteeNames().within(transaction.organisations)
        )


def change(session: Session, column: Any, key: Any, value: object) -> None:
    statement = sa.update(column.class_).where(key).values({column.key: value})
    assert session.connection().execute(statement).rowcount == 1


def test_a_line_is_digested_as_a_json_array_of_all_that_the_card_shows(stage: BatchStage) -> None:
    batch = stage.open()
    with stage.register.reading() as transaction:
        everything = transaction.proofs.cards_due(batch.batch_id, names)
        parts = [
            transaction.proofs.part(batch.batch_id, names, first=first, count=3)
            for first in (1, 4, 7)
        ]
    # Parts of the sheet stand in the same order.
    assert [len(part) for part in parts] == [3, 1, 0]
    assert [(member_id, line.digest) for part in parts for member_id, line in part] == [
        (each.member_id, each.line_digest) for each in everything
    ]
    first = everything[0]
    person = people(4)[0]
    assert (first.member_id, first.ordinal) == (person.member_id, 1)
    with stage.register.reading() as transaction:
        request = transaction.requests.known([first.request_id])[first.request_id]
    assert request.card_number is not None
    fields = [
        first.request_id.hex,
        request.card_number,
        request.kind.value,
        1,
        person.statement.record_number,
        person.statement.citizen_number,
        "Nguyễn Văn An",
        "Nguyễn",
        "Văn An",
        "1990-02-03",
        "F",
        "xã Mẫu",
        "xã Mẫu",
        "Kinh",
        "2015-02-03",
        "2016-02-03",
        CELL,
        person.portrait.hex(),
        NAMES.organisation_name,
        NAMES.issuing_committee,
    ]
    text = json.dumps(fields, separators=(",", ":")).encode()
    expected = hashlib.sha256(b"membercard batch proof line v1\x00" + text).digest()
    assert first.line_digest == expected
    line = proof_line(
        person,
        request_id=first.request_id,
        ordinal=1,
        card_number=request.card_number,
        organisation_name=NAMES.organisation_name,
        kind=request.kind,
    )
    assert replace(line, issuing_committee=NAMES.issuing_committee).digest == expected
    assert "Nguyễn" not in repr(line)


def test_a_record_is_opened_again_only_where_it_is_not_stored_as_it_was(stage: BatchStage) -> None:
    batch = stage.open()
    batch_id = batch.batch_id
    seals = MemberSeals(SEALER)

    def found(session: Session, of: NamesOf = names) -> tuple[CardDue, ...]:
        return SqlProofRepository(session, lambda: seals).cards_due(batch_id, of)

    def opens(session: Session, of: NamesOf = names) -> bool:
        try:
            SqlProofRepository(session, nothing_opens).cards_due(batch_id, of)
        except OpenedError:
            return True
        return False

    with stage.database.writing() as session:
        assert opens(session)
        kept = found(session)
        SqlProofRepository(session, nothing_opens).keep(batch_id, kept)
        assert not opens(session)
        assert found(session) == kept
    assert len({each.line_digest for each in kept}) == len(kept) == 4
    last = kept[-1]
    member_key, request_key = MemberRow.id == last.member_id, RequestRow.id == last.request_id
    sealed_anew = seals.seal(SealedColumn.HOME_TOWN, "xã Mẫu", last.member_id.bytes)
    for column, key, value, is_same in (
        (MemberRow.full_name, member_key, "Nguyễn Văn Ân", False),
        (MemberRow.primary_name, member_key, "Nguyên", False),
        (MemberRow.secondary_name, member_key, "Văn Ân", False),
        (MemberRow.record_number, member_key, "999999AB", False),
        (MemberRow.birth_date, member_key, date(1990, 2, 4), False),
        (MemberRow.sex, member_key, "M", False),
        (MemberRow.ethnic_group, member_key, "Tày", False),
        (MemberRow.admission_date, member_key, date(2015, 2, 4), False),
        (MemberRow.recognition_date, member_key, None, False),
        (MemberRow.portrait, member_key, bytes(32), False),
        (RequestRow.card_number, request_key, "98999999", False),
        (RequestRow.ordinal, request_key, 2, False),
        # Another ciphertext of the same text is looked into, and says the same.
        (MemberRow.home_town, member_key, sealed_anew, True),
    ):
        # What is written in a transaction that reads is dropped again.
        with stage.database.reading() as session:
            change(session, column, key, value)
            assert opens(session), column
            *others, again = found(session)
        assert tuple(others) == kept[:-1]
        assert again.record_digest != last.record_digest
        assert (again.line_digest == last.line_digest) is is_same, column
    for of in (
        replace(NAMES, organisation_name="Chi bộ Khác"),
        replace(NAMES, issuing_committee="Đảng bộ tỉnh Khác"),
    ):
        with stage.database.reading() as session:
            assert opens(session, lambda _, of=of: of)
            lines = {each.line_digest for each in found(session, lambda _, of=of: of)}
        assert lines.isdisjoint(each.line_digest for each in kept)


def test_a_freeze_holds_by_what_the_sheet_said_and_not_by_what_is_kept_of_it(
    stage: BatchStage,
) -> None:
    batch = stage.open()
    proof = stage.propose(batch)
    first, second, *_ = due(stage, batch)
    line = BatchRequestRow.request_id == first.request_id
    with stage.database.writing() as session:
        change(session, BatchRequestRow.line_digest, line, bytes(32))
    # A line that was put in past the program serves as it is, and makes the proof another one.
    with pytest.raises(ConflictError) as caught:
        stage.freezing.confirm(batch.batch_id, proof, actor=CONTROLLER)
    assert caught.value.code == "batch.changed-since-proposal"
    sealed = MemberSeals(SEALER).seal(SealedColumn.HOME_TOWN, "xã Mẫu", second.member_id.bytes)
    with stage.database.writing() as session:
        change(session, BatchRequestRow.line_digest, line, first.line_digest)
        # As older versions left it.
        change(session, BatchRequestRow.record_digest, line, None)
        change(session, MemberRow.home_town, MemberRow.id == second.member_id, sealed)
    assert stage.freezing.confirm(batch.batch_id, proof, actor=CONTROLLER).bound == 4


def test_a_card_is_made_as_two_people_froze_it_or_not_at_all(stage: BatchStage) -> None:
    batch = stage.open()
    stage.freeze(batch)
    first, *_ = stage.lines(batch)
    assert first.reference is not None
    reference = first.reference
    member_key = MemberRow.id == first.member_id
    line_key = BatchRequestRow.request_id == first.request_id
    seals = MemberSeals(SEALER)
    sealed_anew = seals.seal(SealedColumn.HOME_TOWN, "xã Mẫu", first.member_id.bytes)
    sealed_other = seals.seal(SealedColumn.HOME_TOWN, "xã Khác", first.member_id.bytes)

    def differs(*changes: tuple[Any, Any, object]) -> bool:
        # What is written in a transaction that reads is dropped again.
        with stage.database.reading() as session:
            for column, key, value in changes:
                change(session, column, key, value)
            within = CommitteeNames().within(SqlOrganisationRepository(session))
            found = SqlProofRepository(session, lambda: seals).of_cards([reference], within)
            return found[reference].differs_from_proof

    assert not differs()
    assert differs((MemberRow.full_name, member_key, "Nguyễn Văn Ân"))
    assert differs((MemberRow.portrait, member_key, bytes(32)))
    assert differs((MemberRow.home_town, member_key, sealed_other))
    # Stored otherwise, it says the same.
    assert not differs((MemberRow.home_town, member_key, sealed_anew))
    # As older versions left it: the line alone is known, or nothing.
    without_record = (BatchRequestRow.record_digest, line_key, None)
    assert not differs(without_record)
    assert differs(without_record, (MemberRow.full_name, member_key, "Nguyễn Văn Ân"))
    assert differs(without_record, (BatchRequestRow.line_digest, line_key, None))
    with stage.database.writing() as session:
        change(session, MemberRow.full_name, member_key, "Nguyễn Văn Ân")
    building = CardBuilding(
        register=stage.register,
        portraits=stage.portraits,
        profile=load_profile(PROFILE),
        policy=CardPolicy(validity_years=10, personalisation_system="membercard"),
        clock=stage.clock,
    )
    [(_, refusal)] = building.build(stage.cards.to_sign([reference]))
    assert isinstance(refusal, IssuerRefusedError)
    assert refusal.code == "card.differs-from-proof"


def test_keys_that_are_asked_for_together_find_their_rows_and_no_others(stage: BatchStage) -> None:
    serials = [number.to_bytes(10, "big") for number in (2, 4, 9)]
    query = sa.select(ChipRow.serial).where(among(ChipRow.serial, serials))
    with stage.database.reading() as session:
        assert sorted(session.scalars(query)) == serials[:2]
        one = sa.select(ChipRow.serial).where(among(ChipRow.serial, serials[:1]))
        assert session.scalars(one).all() == serials[:1]
        plan = explained(session.connection(), query)
    assert "SCAN chips" not in plan
    assert "Seq Scan on chips" not in plan
