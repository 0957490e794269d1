"""A member database hands its file in over HTTP: once, in order, by whoever may; conflicts are shown and settled."""

import uuid
from dataclasses import replace
from datetime import timedelta
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
from issuer.services.operation_ports import OperationId, OperationKind
from issuer.services.operations import SILENCE, OperationWork
from pki.signed.sealed_message import MessagePurpose, sign_and_seal
from tests.contract.bundle_stage import (
    OPERATOR,
    PROVINCE_CLERK,
    WITNESS,
    Office,
    person,
)
from tests.contract.requests_stage import NOW, PROVINCE
from tests.integration.console.exchange_console import take_bundle_work
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


class Hand:
    """A program that hands files in; what its operations ask for is done when the test says so."""

    def __init__(self, office: Any, register: Office) -> None:
        self.console = office.with_services(exchange=register.desk())
        self.client = self.console.client("lan", is_program=True)
        self.register = register

    def send(self, content: bytes, *, key: str = "", name: str = "bundle") -> Any:
        return self.client.send(
            "POST", "/v1/bundles", files={name: ("file", content)},
            headers={"Idempotency-Key": key or uuid.uuid4().hex},
        )  # fmt: skip

    def work(self, operation: str, *, silent: timedelta = timedelta()) -> dict[str, Any]:
        """Do it as a worker does; how it ended."""
        desk = self.console.services.operations
        work = OperationWork(
            ledger=desk.ledger,
            works={OperationKind.TAKE_BUNDLE: take_bundle_work(self.console, self.register)},
            clock=lambda: desk.clock() + silent,
        )
        work.work(operation)
        answer: dict[str, Any] = self.client.get(f"/v1/operations/{operation}").json()
        return answer

    def taken(self, content: bytes) -> dict[str, Any]:
        """Hand it in, and have it done."""
        answer = self.send(content)
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == f"/v1/operations/{answer.json()['id']}"
        return self.work(answer.json()["id"])

    def uploads(self) -> int:
        return sum(1 for _ in self.console.services.uploads._directory.glob("*"))


def test_a_file_is_handed_in_once_and_what_differs_is_settled(
    office: Any, register: Office
) -> None:
    hand = Hand(office, register)
    client = hand.client
    first = sealed(register, 1, "xã Đông")
    done = hand.taken(first)
    assert (done["kind"], done["state"], done["total"]) == ("take-bundle", "done", 1)
    assert (done["counts"]["conflicts"], done["counts"]["sequence"]) == (1, 1)
    assert done["counts"]["repeated"] == 0
    assert hand.taken(first)["counts"] == {**done["counts"], "repeated": 1}
    assert hand.taken(sealed(register, 3, "xã Tây"))["code"] == "bundle.gap"
    assert hand.taken(b"none")["code"] == "sealed-message.malformed"
    assert hand.send(first, name="other").json()["code"] == "api.request-invalid"
    assert hand.uploads() == 0
    (waiting,) = client.get("/v1/conflicts").json()["conflicts"]
    assert (waiting["code"], waiting["columns"]) == ("bundle.records-differ", ["residence"])
    assert "Đông" not in str(waiting)
    path = f"/v1/conflicts/{waiting['id']}"
    answer = client.send("POST", path, json={"choice": "theirs", "reason": "their file is right"})
    assert answer.json() == {"id": waiting["id"], "state": "taken", "requests_taken": 0}
    again = client.send("POST", path, json={"choice": "ours", "reason": "no"})
    assert again.json()["code"] == "conflict.settled"
    with register.register.reading() as transaction:
        known = transaction.members.get(MemberId(uuid.UUID(int=1)))
    assert known.statement.residence == "xã Đông"
    assert [each["sequence"] for each in client.get("/v1/bundles").json()["bundles"]] == [1]


def test_the_same_file_under_the_same_key_is_one_operation(office: Any, register: Office) -> None:
    hand = Hand(office, register)
    first, key = sealed(register, 1, "xã Đông"), uuid.uuid4().hex
    operation = hand.send(first, key=key).json()["id"]
    assert hand.send(first, key=key).json()["id"] == operation
    assert hand.uploads() == 1
    other = hand.send(sealed(register, 2, "xã Tây"), key=key)
    assert other.json()["code"] == "idempotency.key-reused"
    assert hand.uploads() == 1
    assert hand.work(operation)["state"] == "done"


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_worker_that_is_killed_leaves_the_file_to_the_next_one(
    office: Any, register: Office, *, is_committed: bool
) -> None:
    """Nothing of the dead one's own runs: what it leaves is its claim, the file, and perhaps what it had committed."""
    hand = Hand(office, register)
    first = sealed(register, 1, "xã Đông")
    operation = hand.send(first).json()["id"]
    desk = hand.console.services.operations
    claimed = desk.ledger.claim(
        OperationId(uuid.UUID(operation)), at=desk.clock(), silent_since=desk.clock()
    )
    assert claimed is not None
    if is_committed:
        register.importing.take(first, actor=PROVINCE_CLERK)
    assert hand.work(operation)["state"] == "running"
    done = hand.work(operation, silent=2 * SILENCE)
    assert (done["state"], done["counts"]["repeated"]) == ("done", int(is_committed))
    with register.register.reading() as transaction:
        known = transaction.exchange.find_instance(InstanceName(SOURCE.name))
    assert known is not None
    assert known.received == 1
    assert hand.uploads() == 0


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
