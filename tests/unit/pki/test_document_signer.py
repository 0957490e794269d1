"""Signing cards: once each, within limits, recorded before the signature exists."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pki.errors import KeystoreError, PkiError, RecordError
from pki.keys.algorithms import HashAlgorithm, SignatureAlgorithm
from pki.keys.software import SoftwareSigner
from pki.record.journal import Journal, JournalEntry, Record, read_journal
from pki.services.document_signer import InProcessDocumentSigner, SigningLimits, SigningRequest
from pki.services.recorder import Recorder
from pki.services.state import PkiState
from pki.signed.security_object import SecurityObject, StatusReference

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time


class WatchingSigner:
    """A key that looks at the journal each time it is asked to sign."""

    def __init__(self, path: Path) -> None:
        self._inner = SoftwareSigner(KEY)
        self._path = path
        self.entries_at_signature: list[int] = []
        self.is_broken = False

    @property
    def algorithm(self) -> SignatureAlgorithm:
        return self._inner.algorithm

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._inner.public_key

    def sign(self, message: bytes) -> bytes:
        self.entries_at_signature.append(len(list(read_journal(self._path))))
        if self.is_broken:
            raise KeystoreError("the token failed")
        return self._inner.sign(message)


class House:
    """A signer with its journal in a directory; opening it again is a new process."""

    def __init__(self, path: Path, certificate: bytes) -> None:
        self.path = path
        self.certificate = certificate
        self.clock = Clock()
        self.key = WatchingSigner(path)
        with Journal.open(path, replay=PkiState().apply) as journal:
            journal.append_many(
                [
                    Record(
                        kind="signer-certificate.intended",
                        time=NOW,
                        fields={"signer": "ds-1", "serial": "ff", "digest": ""},
                    ),
                    Record(
                        kind="signer-certificate.issued",
                        time=NOW,
                        fields={"signer": "ds-1", "certificate": certificate.hex()},
                    ),
                ]
            )

    def open(self, *, limits: SigningLimits | None = None) -> InProcessDocumentSigner:
        state = PkiState()
        with ExitStack() as stack:
            journal = stack.enter_context(Journal.open(self.path, replay=state.apply))
            signer = InProcessDocumentSigner(
                record=state.signers["ds-1"],
                signer=self.key,
                recorder=Recorder(journal=journal, state=state, now=self.clock),
                limits=limits,
                on_close=journal.close,
            )
            stack.pop_all()
            return signer

    def entries(self) -> list[JournalEntry]:
        return [entry for entry in read_journal(self.path) if "reference" in entry.fields]


@pytest.fixture
def house(tmp_path: Path, authority: Any) -> House:
    return House(tmp_path / "journal.jsonl", authority.issue(key=KEY))


def request(number: int, **changes: Any) -> SigningRequest:
    return replace(
        SigningRequest(
            reference=number.to_bytes(16, "big"),
            file_hashes={1: bytes(32), 2: bytes((number % 256,)) * 32},
            status_reference=StatusReference(list_id=bytes(8), index=number),
            signing_time=NOW,
        ),
        **changes,
    )


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def test_a_card_is_signed_and_recorded(house: House) -> None:
    with house.open() as signer:
        assert signer.hash_algorithm is HashAlgorithm.SHA256
        signed = signer.sign(request(7))
    parsed = SecurityObject.from_bytes(signed)
    parsed.verify_signature()
    assert parsed.signing_time == NOW
    assert parsed.status_reference == StatusReference(list_id=bytes(8), index=7)
    (entry,) = house.entries()
    assert entry.kind == "security-object.signed"
    assert entry.time == NOW
    assert entry.fields == {
        "signer": "ds-1",
        "reference": (7).to_bytes(16, "big").hex(),
        "digest": HashAlgorithm.SHA256.digest(parsed.signed_attributes).hex(),
        "signing_time": "2026-11-21T12:00:00Z",
        "re_signing_of": None,
    }


def test_everything_is_on_record_before_the_first_signature(house: House) -> None:
    with house.open() as signer:
        signed = signer.sign_many([request(number) for number in range(5)])
    assert len(signed) == 5
    assert house.key.entries_at_signature == [7] * 5


def test_a_batch_comes_back_in_its_order(house: House) -> None:
    with house.open() as signer:
        signed = signer.sign_many([request(number) for number in (3, 1, 2)])
    indices = [SecurityObject.from_bytes(item).status_reference for item in signed]
    assert [item.index for item in indices if item] == [3, 1, 2]


def test_one_reference_is_signed_once_also_after_a_restart(house: House) -> None:
    with house.open() as signer:
        signer.sign(request(1))
        assert code_of(lambda: signer.sign(request(1))) == "signing.reference-used"
    with house.open() as signer:
        assert code_of(lambda: signer.sign(request(1))) == "signing.reference-used"
        batch = [request(2), request(1)]
        assert code_of(lambda: signer.sign_many(batch)) == "signing.reference-used"
        batch = [request(3), request(3)]
        assert code_of(lambda: signer.sign_many(batch)) == "signing.reference-used"
    assert len(house.entries()) == 1
    assert house.key.entries_at_signature == [3]


def test_a_re_signing_with_its_reason_is_recorded(house: House) -> None:
    with house.open() as signer:
        signer.sign(request(1))
        signer.sign(request(1, re_signing_of="the chip broke"))
        assert code_of(lambda: signer.sign(request(1))) == "signing.reference-used"
    assert [entry.fields["re_signing_of"] for entry in house.entries()] == [None, "the chip broke"]


def test_a_re_signing_of_nothing_or_without_a_reason_is_refused(house: House) -> None:
    with house.open() as signer:
        action = lambda: signer.sign(request(1, re_signing_of="why"))  # noqa: E731 - one of many alike
        assert code_of(action) == "signing.request-invalid"
        signer.sign(request(1))
        for reason in ("", "x" * 201):
            action = lambda reason=reason: signer.sign(request(1, re_signing_of=reason))  # noqa: E731 - the same
            assert code_of(action) == "signing.request-invalid"


def test_a_reference_counts_as_used_when_the_key_failed_after_the_record(house: House) -> None:
    house.key.is_broken = True
    with house.open() as signer:
        assert code_of(lambda: signer.sign(request(1))) == "keystore.failed"
    house.key.is_broken = False
    with house.open() as signer:
        assert code_of(lambda: signer.sign(request(1))) == "signing.reference-used"


def test_the_limit_counts_over_restarts_and_batches(house: House) -> None:
    limits = SigningLimits(max_objects=5)
    with house.open(limits=limits) as signer:
        signer.sign_many([request(number) for number in range(3)])
    with house.open(limits=limits) as signer:
        batch = [request(number) for number in range(3, 6)]
        assert code_of(lambda: signer.sign_many(batch)) == "signing.limit-reached"
        signer.sign_many(batch[:2])
        assert code_of(lambda: signer.sign(request(9))) == "signing.limit-reached"
    assert len(house.entries()) == 5


def test_the_default_limit_is_a_hundred_thousand() -> None:
    assert SigningLimits().max_objects == 100_000


@pytest.mark.parametrize(
    ("moment", "is_allowed"),
    [
        (datetime(2026, 10, 22, 12, tzinfo=UTC), True),
        (datetime(2026, 10, 22, 11, 59, 59, tzinfo=UTC), False),
        (datetime(2027, 1, 22, 12, tzinfo=UTC), True),
        (datetime(2027, 1, 22, 12, 0, 1, tzinfo=UTC), False),
    ],
)
def test_the_key_signs_within_its_usage_period_only(
    house: House, moment: datetime, *, is_allowed: bool
) -> None:
    house.clock.time = moment
    with house.open() as signer:
        action = lambda: signer.sign(request(1, signing_time=moment))  # noqa: E731 - used twice
        if is_allowed:
            action()
        else:
            assert code_of(action) == "signer.key-usage-period"


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_signing_time_of_another_day_is_refused(house: House, minutes: int) -> None:
    with house.open() as signer:
        other = request(1, signing_time=NOW + timedelta(minutes=minutes))
        assert code_of(lambda: signer.sign(other)) == "signing.time-differs"
        signer.sign(request(1, signing_time=NOW + timedelta(minutes=minutes // 2)))


@pytest.mark.parametrize(
    "changes",
    [
        {"reference": bytes(15)},
        {"file_hashes": {1: bytes(32)}},
        {"file_hashes": {1: bytes(32), 2: bytes(20)}},
        {"signing_time": datetime(2026, 11, 21, 12)},  # noqa: DTZ001 - the point of it
    ],
)
def test_a_request_that_does_not_fit_leaves_no_record(
    house: House, changes: dict[str, Any]
) -> None:
    with house.open() as signer:
        batch = [request(1), request(2, **changes)]
        assert code_of(lambda: signer.sign_many(batch)) == "signing.request-invalid"
    assert house.entries() == []
    assert house.key.entries_at_signature == []


def test_a_revoked_signer_signs_nothing(house: House) -> None:
    with Journal.open(house.path, replay=PkiState().apply) as journal:
        journal.append(
            Record(kind="signer.revoked", time=NOW, fields={"signer": "ds-1", "reason": "lost"})
        )
    with house.open() as signer:
        assert code_of(lambda: signer.sign(request(1))) == "signer.revoked"


def test_a_journal_that_fails_keeps_the_signature_back(house: House) -> None:
    class Failing:
        def append_many(self, records: Sequence[Record]) -> tuple[JournalEntry, ...]:
            raise RecordError(f"{len(records)} records cannot be written")

    state = PkiState()
    for entry in read_journal(house.path):
        state.apply(entry)
    signer = InProcessDocumentSigner(
        record=state.signers["ds-1"],
        signer=house.key,
        recorder=Recorder(journal=Failing(), state=state, now=house.clock),
    )
    assert code_of(lambda: signer.sign(request(1))) == "record.broken"
    assert house.key.entries_at_signature == []


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, authority: Any) -> None:
    house = House(tmp_path / "journal.jsonl", authority.issue())
    assert code_of(house.open) == "signing.key-mismatch"


def test_an_empty_batch_is_nothing_to_do(house: House) -> None:
    with house.open() as signer:
        assert signer.sign_many([]) == []
    assert house.entries() == []
