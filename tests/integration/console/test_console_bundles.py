"""A member database hands its file in over HTTP: once, in order, by whoever may; conflicts are shown and settled."""

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from issuer.db.base import Database
from issuer.db.schema import upgrade
from issuer.domain.bundle import Bundle, BundleMember
from issuer.domain.instances import ExchangeCertificates, InstanceName, Side
from issuer.domain.member import MemberId
from issuer.exchange.bundle_file import bundle_to_bytes
from issuer.services.collect_bundle import member_cells
from pki.signed.sealed_message import MessagePurpose, sign_and_seal
from tests.contract.bundle_stage import OPERATOR, WITNESS, Office, person
from tests.contract.requests_stage import NOW, PROVINCE
from tests.unit.pki.exchange_office import ExchangeOffice

PKI = ExchangeOffice()
SOURCE = PKI.party("csdl-dang-vien")


@pytest.fixture
def register(tmp_path: Path) -> Any:
    """A register beside the console's own, in which the member database is enrolled."""
    database = Database(f"sqlite:///{tmp_path / 'exchange.sqlite'}")
    upgrade(database)
    made = Office(
        database, PKI.party("tinh-uy"), PKI.root, organisation=PROVINCE, first_id=1_000_000,
        marks_folder=tmp_path / "marks",
    )  # fmt: skip
    made.fill([person(1), person(2)])
    made.instances.propose(
        InstanceName(SOURCE.name), side=Side.SOURCE, organisation=PROVINCE, actor=OPERATOR,
        certificates=ExchangeCertificates(
            signer=SOURCE.signer_certificate, receiver=SOURCE.certificate
        ),
    )  # fmt: skip
    made.instances.confirm(InstanceName(SOURCE.name), actor=WITNESS)
    yield made
    database.close()


def sealed(register: Office, sequence: int, residence: str) -> bytes:
    stated = person(1)
    bundle = Bundle(
        sender=InstanceName(SOURCE.name), receiver=register.own.name, sequence=sequence, created_at=NOW,
        members=(
            BundleMember(
                member_id=MemberId(uuid.UUID(int=7)), version=sequence, portrait=None, portrait_source=bytes(32),
                cells=member_cells(replace(stated.statement, residence=residence)),
            ),
        ),
    )  # fmt: skip
    return sign_and_seal(
        bundle_to_bytes(bundle), purpose=MessagePurpose.INSTANCE_BUNDLE, signer=SOURCE.signer,
        signer_certificate=SOURCE.signer_certificate, receiver_certificate=register.party.certificate,
        signing_time=NOW, random_bytes=bytes,
    )  # fmt: skip


def test_a_file_is_handed_in_once_and_what_differs_is_settled(
    office: Any, register: Office
) -> None:
    client = office.with_services(exchange=register.desk()).client("lan", is_program=True)
    hand_in = lambda content, **names: client.send(  # noqa: E731 - one of many alike
        "POST", "/v1/bundles", files={names.get("name", "bundle"): ("file", content)}
    )
    first = sealed(register, 1, "xã Đông")
    report = hand_in(first).json()
    assert "is_repeated" in report, report
    assert not report["is_repeated"]
    (found,) = report["conflicts"]
    assert (found["code"], found["columns"]) == ("bundle.records-differ", ["residence"])
    assert "Đông" not in str(report)
    assert hand_in(first).json()["is_repeated"]
    assert hand_in(sealed(register, 3, "xã Tây")).json()["code"] == "bundle.gap"
    assert hand_in(b"none").json()["code"] == "sealed-message.malformed"
    assert hand_in(first, name="other").json()["code"] == "api.request-invalid"
    (waiting,) = client.get("/v1/conflicts").json()["conflicts"]
    path = f"/v1/conflicts/{waiting['id']}"
    answer = client.send("POST", path, json={"choice": "theirs", "reason": "their file is right"})
    assert answer.json() == {"id": waiting["id"], "state": "taken", "requests_taken": 0}
    again = client.send("POST", path, json={"choice": "ours", "reason": "no"})
    assert again.json()["code"] == "conflict.settled"
    with register.register.reading() as transaction:
        known = transaction.members.get(MemberId(uuid.UUID(int=1)))
    assert known.statement.residence == "xã Đông"
    assert [each["sequence"] for each in client.get("/v1/bundles").json()["bundles"]] == [1]


def test_nobody_else_hands_one_in_and_nothing_is_there_without_a_name(office: Any) -> None:
    assert (
        office.client("lan", is_program=True).get("/v1/bundles").json()["code"]
        == "exchange.not-installed"
    )
    assert (
        office.client("tuan", is_program=True).get("/v1/conflicts").json()["code"]
        == "right.missing"
    )
    assert office.client(None).get("/v1/conflicts").status_code == 401
