"""A seal around bytes for one receiver: CMS AuthEnvelopedData with ECDH (RFC 5083, 5084, 5753; SPEC.md, 7.14).

One recipient, one ephemeral key, AES-256-GCM. Who made what is inside, a seal does not tell.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ObjectIdentifier

from pki.certificates.certificate import load_certificate
from pki.certificates.public_keys import key_identifier
from pki.errors import PkiDataError, PkiRefusedError
from pki.signed.decoding import (
    SecurityObjectError,
    decode,
    element,
    expect,
    expect_oid,
    only,
    whole,
)
from pki.signed.structures import AlgorithmIdentifier

__all__ = ["MAX_SEALED_BYTES", "SealedMessageError", "receiver_of", "sealed_to", "unsealed"]

MAX_SEALED_BYTES: Final = 48 * 1024 * 1024
"""The longest file that is looked at."""

_IDENTIFIER_BYTES: Final = 20
_CONTENT_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16

_ID_DATA: Final = ObjectIdentifier("1.2.840.113549.1.7.1")
_ID_AUTH_ENVELOPED_DATA: Final = ObjectIdentifier("1.2.840.113549.1.9.16.1.23")
_ID_EC_PUBLIC_KEY: Final = ObjectIdentifier("1.2.840.10045.2.1")
_ID_STANDARD_DH_SHA256: Final = ObjectIdentifier("1.3.132.1.11.1")
_ID_AES256_WRAP: Final = ObjectIdentifier("2.16.840.1.101.3.4.1.45")
_ID_AES256_GCM: Final = ObjectIdentifier("2.16.840.1.101.3.4.1.46")

_SEQUENCE: Final = 0x30
_FIRST_CHOICE: Final = 0xA1


class SealedMessageError(PkiDataError):
    """Bytes that are no sealed file, or were changed."""

    default_code = "sealed-message.malformed"


@asn1.sequence
class _GcmParameters:
    nonce: bytes
    tag_length: int


@asn1.sequence
class _GcmAlgorithm:
    algorithm: ObjectIdentifier
    parameters: _GcmParameters


@asn1.sequence
class _WrapAlgorithm:
    """Key agreement: the algorithm's parameter is how the content key is wrapped (RFC 5753, 7.1.4)."""

    algorithm: ObjectIdentifier
    wrap: AlgorithmIdentifier


@asn1.sequence
class _OriginatorPublicKey:
    algorithm: AlgorithmIdentifier
    public_key: asn1.BitString


@asn1.sequence
class _RecipientKeyIdentifier:
    identifier: bytes


@asn1.sequence
class _RecipientEncryptedKey:
    receiver: Annotated[_RecipientKeyIdentifier, asn1.Implicit(0)]
    encrypted_key: bytes


@asn1.sequence
class _KeyAgreement:
    version: int
    originator: Annotated[asn1.TLV, asn1.Explicit(0)]
    algorithm: _WrapAlgorithm
    keys: list[_RecipientEncryptedKey]


@asn1.sequence
class _EncryptedContent:
    content_type: ObjectIdentifier
    algorithm: _GcmAlgorithm
    ciphertext: Annotated[bytes, asn1.Implicit(0)]


@asn1.sequence
class _Enveloped:
    version: int
    recipients: asn1.SetOf[asn1.TLV]
    content: _EncryptedContent
    tag: bytes


@asn1.sequence
class _Envelope:
    content_type: ObjectIdentifier
    content: Annotated[_Enveloped, asn1.Explicit(0)]


@asn1.sequence
class _SharedInfo:
    wrap: AlgorithmIdentifier
    bits: Annotated[bytes, asn1.Explicit(2)]


_WRAP: Final = AlgorithmIdentifier(algorithm=_ID_AES256_WRAP, parameters=None)


def sealed_to(
    receiver_certificate: bytes, content: bytes, *, random_bytes: Callable[[int], bytes]
) -> bytes:
    """The seal alone, around whatever bytes: CMS AuthEnvelopedData for one receiver.

    Raises:
        PkiDataError: the certificate cannot be read.
        PkiRefusedError: ``sealed-message.receiver-key``.
    """
    receiver_key = _receiver_key(receiver_certificate)
    ephemeral = ec.generate_private_key(receiver_key.curve)
    content_key = random_bytes(_CONTENT_KEY_BYTES)
    nonce = random_bytes(_NONCE_BYTES)
    sealed = AESGCM(content_key).encrypt(nonce, content, None)
    agreement = _KeyAgreement(
        version=3,
        originator=_retagged(
            asn1.encode_der(
                _OriginatorPublicKey(
                    algorithm=AlgorithmIdentifier(algorithm=_ID_EC_PUBLIC_KEY, parameters=None),
                    public_key=asn1.BitString(
                        ephemeral.public_key().public_bytes(
                            Encoding.X962, PublicFormat.UncompressedPoint
                        ),
                        0,
                    ),
                )
            ),
            _SEQUENCE,
            _FIRST_CHOICE,
        ),
        algorithm=_WrapAlgorithm(algorithm=_ID_STANDARD_DH_SHA256, wrap=_WRAP),
        keys=[
            _RecipientEncryptedKey(
                receiver=_RecipientKeyIdentifier(identifier=key_identifier(receiver_key)),
                encrypted_key=aes_key_wrap(
                    _wrapping_key(ephemeral.exchange(ec.ECDH(), receiver_key)), content_key
                ),
            )
        ],
    )
    return asn1.encode_der(
        _Envelope(
            content_type=_ID_AUTH_ENVELOPED_DATA,
            content=_Enveloped(
                version=0,
                recipients=asn1.SetOf(
                    [_retagged(asn1.encode_der(agreement), _SEQUENCE, _FIRST_CHOICE)]
                ),
                content=_EncryptedContent(
                    content_type=_ID_DATA,
                    algorithm=_GcmAlgorithm(
                        algorithm=_ID_AES256_GCM,
                        parameters=_GcmParameters(nonce=nonce, tag_length=_TAG_BYTES),
                    ),
                    ciphertext=sealed[:-_TAG_BYTES],
                ),
                tag=sealed[-_TAG_BYTES:],
            ),
        )
    )


def receiver_of(sealed: bytes) -> bytes:
    """The identifier of the key that a file is sealed to, which everybody can read and nothing proves.

    Raises:
        SealedMessageError: ``sealed-message.malformed``.
    """
    return _taken_apart(sealed).identifier


def unsealed(
    sealed: bytes,
    *,
    own_certificate: bytes,
    agree: Callable[[ec.EllipticCurvePublicKey], bytes],
) -> bytes:
    """What is inside a seal, of which nothing is proven but that it was sealed to us.

    Raises:
        SealedMessageError: ``sealed-message.malformed``, ``sealed-message.seal-broken``.
        PkiRefusedError: it is sealed to somebody else (``sealed-message.other-receiver``).
        KeystoreError: the key failed.
    """
    parts = _taken_apart(sealed)
    own_key = _receiver_key(own_certificate)
    if key_identifier(own_key) != parts.identifier:
        raise PkiRefusedError(
            f"the file is sealed to key {parts.identifier.hex()}, expected {key_identifier(own_key).hex()}",
            code="sealed-message.other-receiver",
        )
    try:
        ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(own_key.curve, parts.point)
    except ValueError as error:
        raise SealedMessageError("the sender's key is no point of the receiver's curve") from error
    try:
        content_key = aes_key_unwrap(_wrapping_key(agree(ephemeral)), parts.wrapped_key)
        return AESGCM(content_key).decrypt(parts.nonce, parts.ciphertext + parts.tag, None)
    except (InvalidUnwrap, InvalidTag, ValueError) as error:
        raise SealedMessageError(
            "the seal does not hold: the file was changed, or is somebody else's",
            code="sealed-message.seal-broken",
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    identifier: bytes
    point: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    tag: bytes = field(repr=False)


def _taken_apart(sealed: bytes) -> _Parts:
    if len(sealed) > MAX_SEALED_BYTES:
        raise SealedMessageError(
            f"a sealed file has {len(sealed)} bytes, expected at most {MAX_SEALED_BYTES}"
        )
    try:
        outer = decode(_Envelope, sealed, "a sealed file")
        expect_oid("content type", outer.content_type, _ID_AUTH_ENVELOPED_DATA)
        enveloped = outer.content
        expect("version of AuthEnvelopedData", enveloped.version, 0)
        receiver = only("receivers", enveloped.recipients.as_list())
        agreement = decode(
            _KeyAgreement, _octets_retagged(receiver, _FIRST_CHOICE, _SEQUENCE), "the receiver"
        )
        expect("version of the receiver", agreement.version, 3)
        originator = decode(
            _OriginatorPublicKey,
            _octets_retagged(agreement.originator, _FIRST_CHOICE, _SEQUENCE),
            "the sender's key",
        )
        _expect_algorithms(agreement, originator, enveloped.content)
        key = only("encrypted keys", agreement.keys)
        parts = _Parts(
            identifier=key.receiver.identifier,
            point=originator.public_key.as_bytes(),
            wrapped_key=key.encrypted_key,
            nonce=enveloped.content.algorithm.parameters.nonce,
            ciphertext=enveloped.content.ciphertext,
            tag=enveloped.tag,
        )
    except SecurityObjectError as error:
        raise SealedMessageError(f"a sealed file cannot be read: {error}") from error
    sizes = (len(parts.identifier), len(parts.wrapped_key), len(parts.nonce), len(parts.tag))
    if sizes != (_IDENTIFIER_BYTES, _CONTENT_KEY_BYTES + 8, _NONCE_BYTES, _TAG_BYTES):
        raise SealedMessageError("a part of a sealed file has a wrong length")
    return parts


def _expect_algorithms(
    agreement: _KeyAgreement, originator: _OriginatorPublicKey, content: _EncryptedContent
) -> None:
    for place, found, wanted in (
        ("algorithm of the sender's key", originator.algorithm.algorithm, _ID_EC_PUBLIC_KEY),
        ("key agreement", agreement.algorithm.algorithm, _ID_STANDARD_DH_SHA256),
        ("wrapping of the content key", agreement.algorithm.wrap.algorithm, _ID_AES256_WRAP),
        ("encrypted content type", content.content_type, _ID_DATA),
        ("encryption of the content", content.algorithm.algorithm, _ID_AES256_GCM),
    ):
        expect_oid(place, found, wanted)
    if (
        originator.algorithm.parameters is not None
        or agreement.algorithm.wrap.parameters is not None
    ):
        raise SecurityObjectError("an algorithm of the receiver has parameters, expected none")
    if originator.public_key.padding_bits():
        raise SecurityObjectError("the sender's key is not of whole bytes")
    expect("length of the tag", content.algorithm.parameters.tag_length, _TAG_BYTES)


def _receiver_key(der: bytes) -> ec.EllipticCurvePublicKey:
    key = load_certificate(der).public_key
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise PkiRefusedError(
            "the receiver's key is on no elliptic curve, so nothing can be sealed to it",
            code="sealed-message.receiver-key",
        )
    return key


def _wrapping_key(shared_secret: bytes) -> bytes:
    """ANSI X9.63 with ``ECC-CMS-SharedInfo`` (RFC 5753, 7.2): the wrap algorithm, and its key's length in bits."""
    shared_info = asn1.encode_der(
        _SharedInfo(wrap=_WRAP, bits=(8 * _CONTENT_KEY_BYTES).to_bytes(4, "big"))
    )
    kdf = X963KDF(algorithm=hashes.SHA256(), length=_CONTENT_KEY_BYTES, sharedinfo=shared_info)
    return kdf.derive(shared_secret)


def _retagged(encoded: bytes, old: int, new: int) -> asn1.TLV:
    """An implicit tag in front of an alternative of a CHOICE, which the library's declarations do not know."""
    if encoded[0] != old:
        raise SecurityObjectError(f"tag is {encoded[0]:02x}, expected {old:02x}")
    return element(bytes((new,)) + encoded[1:])


def _octets_retagged(item: asn1.TLV, old: int, new: int) -> bytes:
    return whole(_retagged(whole(item), old, new))
