"""The desk: each order by itself, all good ones recorded with one write, signed only then."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pki.errors import KeystoreError, PkiError, RecordError
from pki.keys.software import SoftwareSigner
from pki.record.journal import JournalEntry, Record
from pki.services.document_signer import InProcessDocumentSigner, SigningLimits, SigningRequest
from pki.services.recorder import Recorder
from pki.services.state import EntryKind, PkiState
from pki.signed.security_object import SecurityObject, StatusReference
from pki.signer_service.desk import Desk, Order
from pki.signer_service.protocol import SignRequest

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
BATCH = bytes(range(16))
KEY = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))


class Memory:
    """A journal in memory that counts writes, and fails when told to."""

    def __init__(self) -> None:
        self.writes: list[int] = []
        self.entries: list[JournalEntry] = []
        self.fails = False

    def append_many(self, records: Sequence[Record]) -> tuple[JournalEntry, ...]:
        if self.fails:
            raise RecordError("the disk is full", code="record.write-failed")
        self.writes.append(len(records))
        new = tuple(
            JournalEntry(
                sequence=len(self.entries) + number, time=each.time, kind=each.kind,
                fields=each.fields, previous=bytes(32), hash=bytes(32),
            )
            for number, each in enumerate(records, start=1)
        )  # fmt: skip
        self.entries += new
        return new


class Keys:
    """Signs when asked to collect; remembers how much was on record when it was asked to sign."""

    def __init__(self, journal: Memory) -> None:
        self.journal = journal
        self.jobs: list[list[bytes]] = []
        self.recorded_before: list[int] = []
        self.error: KeystoreError | None = None

    def submit(self, key_id: str, messages: Sequence[bytes]) -> None:
        assert key_id == "ds-1"
        self.recorded_before.append(len(self.journal.entries))
        self.jobs.append(list(messages))

    def collect(self) -> list[bytes]:
        messages = self.jobs.pop(0)
        if self.error is not None:
            raise self.error
        return [KEY.sign(message) for message in messages]


class House:
    def __init__(self, certificate: bytes, *, cards: int = 100, limit: int = 1000) -> None:
        self.journal = Memory()
        self.state = PkiState()
        self.now = NOW
        recorder = Recorder(journal=self.journal, state=self.state, now=lambda: self.now)
        recorder.record(EntryKind.SIGNER_INTENDED, signer="ds-1", serial="ff", digest="")
        recorder.record(EntryKind.SIGNER_ISSUED, signer="ds-1", certificate=certificate.hex())
        for name in ("an", "binh"):
            recorder.record(EntryKind.OPERATOR_INTENDED, operator=name, serial="1", digest="")
        recorder.record(
            EntryKind.AUTHORISATION_ACCEPTED, batch=BATCH.hex(), digest="00", signer="ds-1",
            cards=cards, until="2026-11-22T12:00:00Z", operators="an,binh",
        )  # fmt: skip
        self.journal.writes.clear()
        self.before = len(self.journal.entries)
        signer = InProcessDocumentSigner(
            record=self.state.signers["ds-1"], signer=KEY, recorder=recorder,
            limits=SigningLimits(max_objects=limit),
        )  # fmt: skip
        self.keys = Keys(self.journal)
        self.desk = Desk(recorder=recorder, signers={"ds-1": signer}, keys=self.keys)

    def finish(self) -> None:
        while self.desk.is_working:
            self.desk.collect()


@pytest.fixture
def make_house(authority: Any) -> Callable[..., House]:
    certificate = authority.issue(key=KEY._private_key)
    return lambda **limits: House(certificate, **limits)


def order(*references: int, batch: bytes = BATCH, **changes: Any) -> Order:
    card = SigningRequest(
        reference=bytes(16), file_hashes={1: secrets.token_bytes(32), 2: bytes(32)},
        status_reference=StatusReference(list_id=bytes(8), index=1), signing_time=NOW,
    )  # fmt: skip
    cards = [
        replace(card, reference=number.to_bytes(16, "big"), **changes) for number in references
    ]
    return Order(request=SignRequest(batch=batch, cards=cards))


def outcome(asked: Order) -> str | int:
    assert asked.answer is not None
    return asked.answer.code if isinstance(asked.answer, PkiError) else len(asked.answer)


def test_many_orders_are_recorded_with_one_write_before_any_is_signed(
    make_house: Callable[..., House],
) -> None:
    house = make_house()
    orders = [order(1, 2, 3), order(4), order(5, 6)]
    house.desk.record(orders)
    assert house.journal.writes == [6]
    house.finish()
    assert [outcome(each) for each in orders] == [3, 1, 2]
    assert house.keys.recorded_before == [house.before + 6] * 3
    for each in orders:
        assert isinstance(each.answer, list)
        for card, signed in zip(each.request.cards, each.answer, strict=True):
            found = SecurityObject.from_bytes(signed)
            found.verify_signature()
            assert found.file_hashes == card.file_hashes


def test_a_refused_order_stops_no_other_and_leaves_no_record(
    make_house: Callable[..., House],
) -> None:
    house = make_house(cards=4)
    orders = [
        order(1), order(1), order(2, 3, 4, 5), order(2, 3, re_signing_of="x"),
        order(2, batch=bytes(16)), order(2, 3), order(6, 7), order(8),
    ]  # fmt: skip
    house.desk.record(orders)
    house.finish()
    assert [outcome(each) for each in orders] == [
        1, "signing.reference-used", "authorisation.overdrawn", "signing.request-invalid",
        "authorisation.unknown", 2, "authorisation.overdrawn", 1,
    ]  # fmt: skip
    assert house.journal.writes == [4]
    assert house.state.authorisations.batches[BATCH].signed == 4


def test_the_signers_own_limit_counts_what_is_recorded_together(
    make_house: Callable[..., House],
) -> None:
    house = make_house(limit=3)
    orders = [order(1, 2), order(3, 4), order(5), order(6)]
    house.desk.record(orders)
    house.finish()
    assert [outcome(each) for each in orders] == [
        2, "signing.limit-reached", 1, "signing.limit-reached",
    ]  # fmt: skip


def test_an_authorisation_that_ends_while_the_signer_runs_signs_no_more(
    make_house: Callable[..., House],
) -> None:
    house = make_house()
    house.now = NOW + timedelta(days=1, seconds=1)
    asked = order(1, signing_time=house.now)
    house.desk.record([asked])
    assert outcome(asked) == "authorisation.expired"


def test_a_journal_that_fails_signs_nothing(make_house: Callable[..., House]) -> None:
    house = make_house()
    house.journal.fails = True
    with pytest.raises(RecordError):
        house.desk.record([order(1)])
    assert house.keys.jobs == []
    assert not house.desk.is_working


def test_a_key_that_fails_fails_one_order_and_its_references_stay_used(
    make_house: Callable[..., House],
) -> None:
    house = make_house()
    house.keys.error = KeystoreError("the token failed")
    first, again = order(1), order(1)
    house.desk.record([first])
    house.finish()
    assert outcome(first) == "keystore.failed"
    house.keys.error = None
    house.desk.record([again])
    assert outcome(again) == "signing.reference-used"


def test_keys_that_are_gone_end_the_desk(make_house: Callable[..., House]) -> None:
    house = make_house()
    house.keys.error = KeystoreError("gone", code="keystore.process-failed")
    asked = order(1)
    house.desk.record([asked])
    with pytest.raises(KeystoreError):
        house.desk.collect()
    assert outcome(asked) == "keystore.process-failed"
    with pytest.raises(KeystoreError):
        house.desk.collect()


def test_the_keys_hold_two_jobs_at_most_and_the_next_orders_are_collected_meanwhile(
    make_house: Callable[..., House],
) -> None:
    house = make_house()
    house.desk.record([order(number) for number in range(1, 6)])
    assert len(house.keys.jobs) == 2
    assert not house.desk.wants_orders
    house.desk.collect()
    assert len(house.keys.jobs) == 2
    house.finish()
    assert house.desk.wants_orders


def test_a_signer_of_no_test_authority_signs_nothing_without_an_authorisation(
    make_authority: Any,
) -> None:
    authority = make_authority(is_test=False, common_name="Authority")
    house = House(authority.issue(key=KEY._private_key))
    signer = house.desk._signers["ds-1"]
    with pytest.raises(PkiError) as caught:
        signer.sign(order(1).request.cards[0])
    assert caught.value.code == "authorisation.missing"
    asked = order(1)
    house.desk.record([asked])
    house.finish()
    assert outcome(asked) == 1
