"""Files between instances: what comes out is what went in, and nothing that was touched or meant for others comes out."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from hypothesis import given
from hypothesis import strategies as st

from pki.certificates.exchange_certificates import judge_exchange_certificate
from pki.certificates.profile import ProfileKind
from pki.certificates.public_keys import key_identifier
from pki.errors import PkiDataError, PkiError
from pki.signed.sealed_envelope import receiver_of, sealed_to, unsealed
from pki.signed.sealed_message import MessagePurpose, open_sealed, sign_and_seal
from tests.unit.pki.exchange_office import NOW, ExchangeOffice, Party

OFFICE = ExchangeOffice()
SENDER, RECEIVER, OTHER = (OFFICE.party(name) for name in ("xa-mau", "tinh-uy", "other"))
BUNDLE = MessagePurpose.INSTANCE_BUNDLE


def sealed(
    content: bytes = b"requests", *, to: Party = RECEIVER, purpose: MessagePurpose = BUNDLE
) -> bytes:
    return sign_and_seal(
        content, purpose=purpose, signer=SENDER.signer, signer_certificate=SENDER.signer_certificate,
        receiver_certificate=to.certificate, signing_time=NOW, random_bytes=secrets.token_bytes,
    )  # fmt: skip


def opened(file: bytes, *, by: Party = RECEIVER, purpose: MessagePurpose = BUNDLE) -> Any:
    return open_sealed(file, purpose=purpose, own_certificate=by.certificate, agree=by.agree)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        act()
    return caught.value.code


FILE = sealed()


@given(content=st.binary(max_size=300))
def test_the_receiver_gets_what_was_signed(content: bytes) -> None:
    found = opened(sealed(content))
    assert (found.content, found.signer_certificate, found.signing_time) == (
        content, SENDER.signer_certificate, NOW,
    )  # fmt: skip
    judge_exchange_certificate(
        found.signer_certificate, kind=ProfileKind.INSTANCE_SIGNER, root=OFFICE.root, name="xa-mau", now=NOW
    )  # fmt: skip


def test_everybody_sees_whose_it_is_and_nothing_else() -> None:
    secret = b"Nguyen Van An" * 20
    file = sealed(secret)
    assert receiver_of(file) == key_identifier(RECEIVER.key.public_key())
    assert secret[:13] not in file
    assert SENDER.signer_certificate not in file
    enveloped = cms.ContentInfo.load(file)["content"]
    assert enveloped["auth_encrypted_content_info"]["content_type"].native == "data"


@given(place=st.integers(0, len(FILE) - 1), bit=st.integers(0, 7))
def test_no_bit_can_be_changed(place: int, bit: int) -> None:
    touched = bytearray(FILE)
    touched[place] ^= 1 << bit
    with pytest.raises(PkiError) as caught:
        opened(bytes(touched))
    assert caught.value.code.startswith(("sealed-message.", "keystore."))


@given(end=st.integers(0, len(FILE) - 1), more=st.binary(max_size=4))
def test_what_is_cut_or_longer_is_no_file(end: int, more: bytes) -> None:
    if more != FILE[end:]:
        assert code_of(lambda: opened(FILE[:end] + more)).startswith("sealed-message.")


@given(st.binary(max_size=200))
def test_bytes_that_are_no_file_are_refused(content: bytes) -> None:
    with pytest.raises(PkiDataError):
        opened(content)


def test_nobody_else_opens_it_and_one_kind_is_never_another() -> None:
    assert code_of(lambda: opened(FILE, by=OTHER)) == "sealed-message.other-receiver"
    job = sealed(purpose=MessagePurpose.JOB_BUNDLE)
    assert code_of(lambda: opened(job)) == "signed-list.malformed"


def test_a_receiver_cannot_pass_a_file_on_as_one_for_somebody_else() -> None:
    inner = _inner(FILE, RECEIVER)
    passed_on = _sealed_around(inner, OTHER)
    assert code_of(lambda: opened(passed_on, by=OTHER)) == "sealed-message.other-receiver"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"kind": ProfileKind.INSTANCE}, "exchange.certificate"),
        ({"name": "other"}, "exchange.certificate"),
        ({"root": ExchangeOffice().root}, "exchange.certificate"),
        ({"now": NOW + timedelta(days=9000)}, "exchange.certificate-expired"),
        ({"now": NOW - timedelta(days=9000)}, "exchange.certificate-expired"),
        ({"root": SENDER.certificate}, "service.authority-invalid"),
    ],
)
def test_a_certificate_counts_for_one_purpose_name_root_and_time(
    changes: dict[str, Any], code: str
) -> None:
    wanted: dict[str, Any] = {
        "kind": ProfileKind.INSTANCE_SIGNER, "root": OFFICE.root, "name": "xa-mau", "now": NOW,
    }  # fmt: skip
    judge_exchange_certificate(SENDER.signer_certificate, **wanted)
    assert (
        code_of(lambda: judge_exchange_certificate(SENDER.signer_certificate, **wanted | changes)) == code
    )  # fmt: skip


def test_another_implementation_opens_and_verifies_it() -> None:
    envelope = cms.ContentInfo.load(FILE)["content"]
    (receiver,) = envelope["recipient_infos"]
    agreement = receiver.chosen
    assert agreement["key_encryption_algorithm"]["algorithm"].dotted == "1.3.132.1.11.1"
    point = bytes(agreement["originator"].chosen["public_key"].native)
    sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    content = envelope["auth_encrypted_content_info"]
    nonce = content["content_encryption_algorithm"]["parameters"].parsed[0].native
    inner = AESGCM(_content_key(agreement, sender)).decrypt(
        nonce, content["encrypted_content"].native + envelope["mac"].native, None
    )
    assert cms.ContentInfo.load(inner)["content_type"].native == "signed_data"
    assert inner == _inner(FILE, RECEIVER)


def _content_key(agreement: Any, sender: ec.EllipticCurvePublicKey) -> bytes:
    """RFC 5753, 7.2, written out by hand: ECC-CMS-SharedInfo with aes256-wrap and 256 bits."""
    shared_info = bytes.fromhex("3015300b060960864801650304012d" + "a206040400000100")
    kdf = X963KDF(algorithm=hashes.SHA256(), length=32, sharedinfo=shared_info)
    (encrypted,) = agreement["recipient_encrypted_keys"]
    return aes_key_unwrap(kdf.derive(RECEIVER.agree(sender)), encrypted["encrypted_key"].native)


def _inner(file: bytes, receiver: Party) -> bytes:
    """What is inside the seal: the receiver's own doing."""
    return unsealed(file, own_certificate=receiver.certificate, agree=receiver.agree)


def _sealed_around(inner: bytes, receiver: Party) -> bytes:
    return sealed_to(receiver.certificate, inner, random_bytes=secrets.token_bytes)
