"""The fast way to a security object gives the bytes of the readable one, for any card."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm
from pki.keys.software import SoftwareSigner
from pki.signed.assembling import SecurityObjectTemplate
from pki.signed.security_object import (
    SecurityObject,
    StatusReference,
    prepare_security_object,
)

MOMENTS = st.datetimes(datetime(1951, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
INDICES = st.one_of(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 1, 127, 128, 255, 256, 2**15 - 1, 2**15, 2**31 - 1, 2**31, 2**32 - 1]),
)


class Fixture:
    def __init__(self, authority: Any, curve: ec.EllipticCurve) -> None:
        key = ec.generate_private_key(curve)
        self.signer = SoftwareSigner(key)
        self.parts: dict[str, Any] = {
            "algorithm": SignatureAlgorithm.for_curve(curve),
            "public_key": key.public_key(),
            "certificate_der": authority.issue(key=key),
        }
        self.template = SecurityObjectTemplate(**self.parts)
        self.digest_bytes = self.parts["algorithm"].hash_algorithm.digest_bytes


@pytest.fixture(scope="module")
def p256(authority: Any) -> Fixture:
    return Fixture(authority, ec.SECP256R1())


@given(data=st.data())
def test_the_bytes_are_those_of_the_readable_encoder(p256: Fixture, data: st.DataObject) -> None:
    numbers = data.draw(st.sets(st.integers(1, 16), min_size=2, max_size=16))
    card: dict[str, Any] = {
        "file_hashes": {
            number: data.draw(st.binary(min_size=32, max_size=32)) for number in numbers
        },
        "signing_time": data.draw(MOMENTS),
        "status_reference": StatusReference(
            list_id=data.draw(st.binary(min_size=8, max_size=8)), index=data.draw(INDICES)
        ),
    }
    reference = prepare_security_object(**p256.parts, **card)
    fast = p256.template.prepare(**card)
    assert fast.to_be_signed == reference.to_be_signed
    for length in (8, 70, 71, 72, data.draw(st.integers(1, 300))):
        signature = data.draw(st.binary(min_size=length, max_size=length))
        assert fast.finish(signature) == reference.finish(signature)


def test_what_is_signed_that_way_is_a_security_object(p256: Fixture) -> None:
    hashes = {1: bytes(32), 14: bytes(32)}
    status = StatusReference(list_id=bytes(8), index=0)
    moment = datetime(2026, 11, 21, 19, 0, 0, tzinfo=timezone(timedelta(hours=7)))
    fast = p256.template.prepare(file_hashes=hashes, signing_time=moment, status_reference=status)
    found = SecurityObject.from_bytes(fast.finish(p256.signer.sign(fast.to_be_signed)))
    found.verify_signature()
    assert found.file_hashes == hashes
    assert found.signing_time == moment
    assert found.status_reference == status


@pytest.mark.parametrize(
    "changes",
    [
        {"file_hashes": {1: bytes(32)}},
        {"file_hashes": {0: bytes(32), 1: bytes(32)}},
        {"file_hashes": {1: bytes(32), 2: bytes(31)}},
        {"file_hashes": {1: bytes(32), 2: bytes(48)}},
        {"signing_time": datetime(2026, 11, 21)},  # noqa: DTZ001 - the point of it
    ],
)
def test_what_the_readable_encoder_refuses_is_refused(
    p256: Fixture, changes: dict[str, Any]
) -> None:
    card: dict[str, Any] = {
        "file_hashes": {1: bytes(32), 2: bytes(32)},
        "signing_time": datetime(2026, 11, 21, tzinfo=UTC),
        "status_reference": StatusReference(list_id=bytes(8), index=0),
    }
    for prepare in (
        lambda: p256.template.prepare(**card | changes),
        lambda: prepare_security_object(**p256.parts, **card | changes),
    ):
        with pytest.raises(PkiRefusedError) as caught:
            prepare()
        assert caught.value.code == "signing.request-invalid"
