"""Chips' keys sealed to a station: what comes out is what went in, and nothing that was touched comes out at all."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
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

from card_layout.curves import NamedCurve
from pki.certificates.public_keys import key_identifier
from pki.errors import PkiError
from pki.signed.chip_keys import (
    ChipKeysError,
    ChipKeyTerms,
    SealedChipKeys,
    StaticKeys,
    seal_chip_keys,
)

KEY = ec.generate_private_key(ec.SECP256R1())
SERIALS = [bytes(9) + bytes((number,)) for number in (1, 2, 200)]
TERMS = ChipKeyTerms(
    batch=bytes(range(16)),
    station=bytes(range(32)),
    not_after=datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC),
    chips=3,
    key_versions=(0x30, 0x31, 0xFF),
    current_version=0x31,
)
KEYS = {
    serial: tuple(
        StaticKeys(
            key_version=version,
            enc=secrets.token_bytes(16),
            mac=secrets.token_bytes(16),
            dek=secrets.token_bytes(16),
        )
        for version in TERMS.key_versions
    )
    for serial in SERIALS
}


def seal(
    terms: ChipKeyTerms = TERMS, keys: Any = KEYS, key: ec.EllipticCurvePrivateKey = KEY
) -> SealedChipKeys:
    return seal_chip_keys(
        terms, keys, station_key=key.public_key(), recipient=key_identifier(key.public_key()),
        random_bytes=secrets.token_bytes,
    )  # fmt: skip


def opened(sealed: SealedChipKeys, key: ec.EllipticCurvePrivateKey = KEY) -> Any:
    return sealed.open(lambda sender: key.exchange(ec.ECDH(), sender), curve=key.curve)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


@pytest.mark.parametrize("curve", list(NamedCurve))
def test_what_was_sealed_is_opened_with_the_stations_key_on_any_curve(curve: NamedCurve) -> None:
    key = ec.generate_private_key(curve.to_cryptography())
    sealed = SealedChipKeys.from_bytes(seal(key=key).to_bytes())
    assert sealed.terms == TERMS
    assert opened(sealed, key) == KEYS


def test_two_seals_have_nothing_secret_in_common() -> None:
    first, second = seal(), seal()
    for name in ("ephemeral_point", "wrapped_key", "nonce", "ciphertext", "tag"):
        assert getattr(first, name) != getattr(second, name)


def test_the_bytes_are_those_of_rfc_5083_as_another_reader_takes_them_apart() -> None:
    content = cms.ContentInfo.load(seal().to_bytes(), strict=True)
    assert content["content_type"].dotted == "1.2.840.113549.1.9.16.1.23"
    enveloped = content["content"]
    assert isinstance(enveloped, cms.AuthEnvelopedData)
    (recipient,) = enveloped["recipient_infos"]
    assert recipient.name == "kari"
    agreed = recipient.chosen
    assert agreed["key_encryption_algorithm"]["algorithm"].dotted == "1.3.132.1.11.1"
    point = agreed["originator"].chosen["public_key"].native
    sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes(point))
    # RFC 5753, 7.2: ECC-CMS-SharedInfo, spelt out: AES-256 key wrap without parameters, 256 bits.
    shared_info = bytes.fromhex("3015300b060960864801650304012da206040400000100")
    kdf = X963KDF(algorithm=hashes.SHA256(), length=32, sharedinfo=shared_info)
    wrapping = kdf.derive(KEY.exchange(ec.ECDH(), sender))
    (encrypted_key,) = agreed["recipient_encrypted_keys"]
    identifier = encrypted_key["rid"].chosen["subject_key_identifier"].native
    assert identifier == key_identifier(KEY.public_key())
    content_key = aes_key_unwrap(wrapping, encrypted_key["encrypted_key"].native)
    # RFC 5083, 2.2: the attributes are authenticated under the tag of a SET OF.
    attributes = enveloped["auth_attrs"].dump()
    assert attributes[0] == 0xA1
    encrypted = enveloped["auth_encrypted_content_info"]
    assert encrypted["content_encryption_algorithm"]["algorithm"].native == "aes256_gcm"
    nonce = encrypted["content_encryption_algorithm"]["parameters"].native
    nonce = nonce["0"] if isinstance(nonce, dict) and "0" in nonce else nonce["aes_nonce"]
    plain = AESGCM(content_key).decrypt(
        nonce,
        encrypted["encrypted_content"].native + enveloped["mac"].native,
        b"\x31" + attributes[1:],
    )
    for sets in KEYS.values():
        for each in sets:
            assert each.enc in plain
            assert each.dek in plain


def test_every_changed_byte_is_found() -> None:
    content = seal().to_bytes()
    own = key_identifier(KEY.public_key())
    found = {"recipient": 0, "chip-keys.malformed": 0, "chip-keys.seal-broken": 0}
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 0x01
        try:
            sealed = SealedChipKeys.from_bytes(bytes(changed))
            if sealed.recipient != own:
                # Nothing is tried then: the file is another station's.
                found["recipient"] += 1
                continue
            opened(sealed)
        except ChipKeysError as error:
            found[error.code] += 1
    assert sum(found.values()) == len(content)
    assert found["recipient"] == 20
    assert min(found.values()) > 0


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_as_data(content: bytes) -> None:
    with pytest.raises(ChipKeysError):
        SealedChipKeys.from_bytes(content)


CONTENT = seal().to_bytes()


@given(st.integers(0, len(CONTENT)), st.binary(max_size=8), st.integers(0, 8))
def test_any_edit_ends_in_the_same_bytes_or_a_data_error(
    position: int, inserted: bytes, removed: int
) -> None:
    edited = CONTENT[:position] + inserted + CONTENT[position + removed :]
    try:
        found = SealedChipKeys.from_bytes(edited)
    except ChipKeysError:
        return
    assert found.to_bytes() == edited


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": bytes(16)},
        {"station": bytes(32)},
        {"not_after": datetime(2027, 11, 22, 8, 0, 0, tzinfo=UTC)},
        {"current_version": 0x30},
        {"chips": 2},
    ],
)
def test_terms_of_another_file_break_the_seal(changes: dict[str, Any]) -> None:
    edited = replace(seal(), terms=replace(TERMS, **changes))
    assert code_of(lambda: opened(edited)) == "chip-keys.seal-broken"


def test_another_stations_key_opens_nothing() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    assert code_of(lambda: opened(seal(), other)) == "chip-keys.seal-broken"
    on_other_curve = ec.generate_private_key(ec.SECP384R1())
    assert code_of(lambda: opened(seal(), on_other_curve)) == "chip-keys.malformed"


def test_a_sender_with_a_point_off_the_curve_is_refused_before_the_key_is_used() -> None:
    bad = replace(seal(), ephemeral_point=b"\x04" + bytes(64))

    def agree(_: ec.EllipticCurvePublicKey) -> bytes:
        raise AssertionError("the station's key was used")

    assert code_of(lambda: bad.open(agree, curve=ec.SECP256R1())) == "chip-keys.malformed"


def test_keys_that_their_terms_do_not_tell_are_neither_sealed_nor_opened() -> None:
    assert code_of(lambda: seal(replace(TERMS, chips=2))) == "chip-keys.malformed"
    fewer = {serial: sets[:2] for serial, sets in KEYS.items()}
    assert code_of(lambda: opened(seal(keys=fewer))) == "chip-keys.malformed"
    short = {b"\x00": KEYS[SERIALS[0]]}
    assert code_of(lambda: seal(replace(TERMS, chips=1), short)) == "chip-keys.malformed"


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": bytes(15)},
        {"station": b""},
        {"not_after": datetime(2026, 1, 1)},  # noqa: DTZ001 - a time without a zone is what is refused
        {"chips": 0},
        {"chips": 501},
        {"key_versions": ()},
        {"key_versions": (0x31, 0x30)},
        {"key_versions": (0x30, 0x30, 0x31)},
        {"key_versions": (0x31, 0x100)},
        {"current_version": 0x32},
    ],
)
def test_terms_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    assert code_of(lambda: replace(TERMS, **changes)) == "chip-keys.malformed"


def test_a_file_that_is_too_long_is_not_looked_at() -> None:
    assert code_of(lambda: SealedChipKeys.from_bytes(bytes(1024 * 1024 + 1))) == (
        "chip-keys.malformed"
    )


def test_keys_do_not_show_in_a_repr() -> None:
    sealed = seal()
    first = KEYS[SERIALS[0]][0]
    assert first.enc.hex() not in repr(first) + repr(sealed)
    assert repr(first.enc) not in repr(first) + repr(sealed)
