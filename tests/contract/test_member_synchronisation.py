"""The register is kept in step with a member database: full statements and changes, in order, each once."""

import secrets
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from issuer.db import schema
from issuer.db.base import Database
from issuer.domain.bundle import Bundle, BundleMember
from issuer.domain.instances import ExchangeCertificates, InstanceName, Side
from issuer.domain.member import Member, MemberId
from issuer.errors import IssuerError
from issuer.exchange.bundle_file import bundle_to_bytes
from issuer.services.collect_bundle import member_cells
from issuer.services.import_bundle import ImportReport
from issuer.services.settle_conflicts import ConflictChoice
from pki.signed.sealed_message import MessagePurpose, sign_and_seal
from tests.contract.bundle_stage import OPERATOR, PROVINCE_CLERK, WITNESS, Office, person
from tests.contract.requests_stage import NOW, ORGANISATIONS, PROVINCE
from tests.unit.pki.exchange_office import ExchangeOffice

PKI = ExchangeOffice()
SOURCE = PKI.party("csdl-dang-vien")


class Source:
    """A member database: what it states of whom, and how often it has sent something."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.sequence = 0

    def send(
        self,
        *members: Member,
        full_since: int | None = None,
        is_full_end: bool = False,
        **cells: str,
    ) -> bytes:
        self.sequence += 1
        bundle = Bundle(
            sender=InstanceName(SOURCE.name), receiver=self.office.own.name, sequence=self.sequence,
            created_at=NOW, full_since=full_since, is_full_end=is_full_end,
            members=tuple(
                BundleMember(
                    member_id=MemberId(uuid.UUID(int=each.member_id.int + 5000)), version=1,
                    cells={**member_cells(each.statement), **cells}, portrait=None, portrait_source=bytes(32),
                )
                for each in members
            ),
        )  # fmt: skip
        return sign_and_seal(
            bundle_to_bytes(bundle), purpose=MessagePurpose.INSTANCE_BUNDLE, signer=SOURCE.signer,
            signer_certificate=SOURCE.signer_certificate,
            receiver_certificate=self.office.party.certificate, signing_time=NOW,
            random_bytes=secrets.token_bytes,
        )  # fmt: skip

    def told(
        self,
        *members: Member,
        full_since: int | None = None,
        is_full_end: bool = False,
        **cells: str,
    ) -> ImportReport:
        sealed = self.send(*members, full_since=full_since, is_full_end=is_full_end, **cells)
        return self.office.importing.take(sealed, actor=PROVINCE_CLERK)


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    url = (
        f"sqlite:///{tmp_path / 'province.sqlite'}"
        if getattr(request, "param", "sqlite") == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    database = Database(url)
    schema.upgrade(database)
    office = Office(
        database, PKI.party("tinh-uy"), PKI.root, organisation=PROVINCE, first_id=1_000_000,
        marks_folder=tmp_path / "marks",
    )  # fmt: skip
    office.fill([person(number) for number in range(1, 5)])
    office.instances.propose(
        InstanceName(SOURCE.name), side=Side.SOURCE, organisation=PROVINCE,
        certificates=ExchangeCertificates(
            signer=SOURCE.signer_certificate, receiver=SOURCE.certificate
        ),
        actor=OPERATOR,
    )  # fmt: skip
    office.instances.confirm(InstanceName(SOURCE.name), actor=WITNESS)
    yield Source(office)
    database.close()


def residence(source: Source, number: int) -> str | None:
    with source.office.register.reading() as transaction:
        return transaction.members.get(MemberId(uuid.UUID(int=number))).statement.residence


def codes(report: ImportReport) -> list[str]:
    return [each.code for each in report.conflicts]


@pytest.mark.parametrize("source", ["sqlite", "postgresql"], indirect=True)
def test_a_full_statement_and_changes_are_taken_and_what_differs_waits(source: Source) -> None:
    # 1. Who is alike in both is linked, and a part of a full statement alone says nothing about who is missing.
    report = source.told(person(1), person(2), full_since=1)
    assert report.record.counts == {"members-unchanged": 2, "conflicts": 0}
    report = source.told(person(3), full_since=1, is_full_end=True)
    assert report.record.counts == {"members-unchanged": 1, "conflicts": 0}
    # 2. A change of theirs is taken; repeated, the file changes nothing.
    changed = source.send(person(1), residence="xã Đông")
    take = source.office.importing.take
    assert take(changed, actor=PROVINCE_CLERK).record.counts["members-changed"] == 1
    assert take(changed, actor=PROVINCE_CLERK).is_repeated
    assert residence(source, 1) == "xã Đông"
    # 3. A change on both sides waits for a person.
    with source.office.register.writing() as transaction:
        ours = transaction.members.get(MemberId(uuid.UUID(int=1)))
        after = replace(
            ours, statement=replace(ours.statement, residence="xã Tây"), version=ours.version + 1
        )
        transaction.members.change(after, [])
    assert codes(source.told(person(1), residence="xã Bắc")) == ["bundle.both-changed"]
    assert residence(source, 1) == "xã Tây"
    source.office.settle("bundle.both-changed", ConflictChoice.OURS, by=PROVINCE_CLERK)
    assert residence(source, 1) == "xã Tây"
    assert codes(source.told(person(1), residence="xã Bắc")) == []
    assert residence(source, 1) == "xã Tây"
    # 4. Who is in no part of a full statement any more is listed, and stays.
    assert codes(
        source.told(person(1), person(2), full_since=6, is_full_end=True, residence="xã Bắc")
    ) == ["bundle.gone"]
    assert source.office.members_held() == 4
    source.office.settle("bundle.gone", ConflictChoice.OURS, by=PROVINCE_CLERK)


def test_nobody_new_is_recorded_without_a_picture_and_nothing_but_members_is_taken(
    source: Source,
) -> None:
    assert codes(source.told(person(9))) == ["bundle.no-portrait"]
    assert source.office.members_held() == 4
    with pytest.raises(IssuerError) as caught:
        source.office.exporting.export(InstanceName(SOURCE.name), actor=PROVINCE_CLERK)
    assert caught.value.code == "instance.wrong-place"
    with source.office.register.writing() as transaction:
        transaction.organisations.add([replace(ORGANISATIONS[0], code="Q", committee_number="97")])
    elsewhere = person(3, organisation_code="Q")
    with pytest.raises(IssuerError) as caught:
        source.told(elsewhere)
    assert caught.value.code == "bundle.not-theirs"
