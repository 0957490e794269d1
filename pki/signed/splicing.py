"""Security objects by splicing: what all cards of a signer share is encoded once (SPEC.md, 7; RFC 5652).

`pki.signed.signed_data` is the readable encoder and the strict parser, and stays the measure of both. This module
writes the same bytes some thirty times faster, and recognises them as fast. Recognising is sound by construction:
the values are cut out where a security object of ours would have them, the object is put together from them anew,
and only where that gives **every byte** back is it taken. Everything else is left to the strict parser, which then
says what is wrong with it.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from card_layout import tlv
from card_layout.der import (
    OCTET_STRING,
    SEQUENCE,
    SET,
    encode_integer,
    encode_object_identifier,
)
from pki.certificates.certificate import CertificateError, load_certificate
from pki.keys.algorithms import HashAlgorithm, SignatureAlgorithm
from pki.signed.lds_content import LdsVersion, encode_content
from pki.signed.signed_data import ParsedSignedData, ParsedStatusReference
from pki.signed.signed_frame import MAX_SIGNED_BYTES
from pki.signed.spliced_attributes import (
    BEFORE_TIME,
    CONTENT_TYPE_VALUE,
    INDEX_OFFSET,
    LIST_BYTES,
    LIST_OFFSET,
    SET_HEADER_BYTES,
    TIME_END,
    TIME_OFFSET,
    UTC_TIME_CHARACTERS,
    AttributePieces,
    attribute_pieces,
    header,
    object_identifier,
)
from pki.signed.structures import ID_SIGNED_DATA

__all__ = [
    "ALGORITHMS",
    "SignerTemplate",
    "SplicedSignedData",
    "recognise",
    "template_of",
]

ALGORITHMS: Final = (
    SignatureAlgorithm.ECDSA_SHA256,
    SignatureAlgorithm.ECDSA_SHA384,
    SignatureAlgorithm.ECDSA_SHA512,
)
"""What is spliced; RSASSA-PSS is rare, and its parameters are left to the readable encoder."""

_CONTEXT_0: Final = 0xA0
_VERSION_BYTES: Final = 3


class SplicedSignedData(NamedTuple):
    """A security object that lacks nothing but the signature over ``to_be_signed``."""

    template: "SignerTemplate"
    content: bytes
    to_be_signed: bytes
    """The DER of the signed attributes under the tag SET OF, which is what is signed (RFC 5652, 5.4)."""

    def finish(self, signature: bytes) -> bytes:
        """The DER ``ContentInfo`` with this signature in it."""
        attributes = self.to_be_signed[SET_HEADER_BYTES:]
        before_content, before_attributes, before_signature = _frame(
            self.template, len(attributes), len(signature)
        )
        return b"".join(
            (
                before_content,
                self.content,
                before_attributes,
                attributes,
                before_signature,
                signature,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignerTemplate:
    """The constant parts of all security objects of one signer over the same data groups.

    ``content`` is the LDSSecurityObject in pieces, of which every second one is the place of a digest.
    """

    algorithm: SignatureAlgorithm
    hash_algorithm: HashAlgorithm
    groups: tuple[int, ...]
    certificate: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    serial_number: int
    content: list[bytes] = field(repr=False)
    content_size: int
    digest_sizes: list[int] = field(repr=False)
    """The bytes of each digest, as ``map(len, digests)`` gives them."""
    attributes: Mapping[int, AttributePieces] = field(repr=False)
    """By the bytes of the index."""
    digest_attribute_size: int
    """Bytes of the attribute of the message digest, the last one."""
    digest_algorithm: bytes = field(repr=False)
    signature_algorithm: bytes = field(repr=False)
    signer_identifier: bytes = field(repr=False)

    @property
    def before_attributes(self) -> int:
        """Bytes of a SignerInfo before its signed attributes."""
        return _VERSION_BYTES + len(self.signer_identifier) + len(self.digest_algorithm)

    def splice(
        self,
        digests: list[bytes],
        *,
        signing_time: bytes,
        list_id: bytes,
        index: int,
        message_digest: bytes | None = None,
    ) -> SplicedSignedData:
        """One security object.

        Args:
            digests: one for each of ``groups``, in their order and of the hash's length.
            signing_time: the whole attribute.
            list_id: 8 bytes.
            index: 0 to 2**32-1.
            message_digest: the one that an object states, where one is put together anew; else it is calculated.
        """
        pieces = self.content.copy()
        pieces[1::2] = digests
        content = b"".join(pieces)
        index_bytes = index.to_bytes(index.bit_length() // 8 + 1, "big")
        before_time, before_list, before_index, before_digest = self.attributes[len(index_bytes)]
        if message_digest is None:
            message_digest = self.hash_algorithm.digest(content)
        # X.690, 11.6: the elements of a SET OF stand in the order of their encodings, which here is that of
        # their lengths: 23, 30, 32 to 36, and 49 bytes or more.
        to_be_signed = b"".join(
            (
                before_time,
                signing_time,
                before_list,
                list_id,
                before_index,
                index_bytes,
                before_digest,
                message_digest,
            )
        )
        return SplicedSignedData(self, content, to_be_signed)


@lru_cache(maxsize=256)
def template_of(
    algorithm: SignatureAlgorithm, certificate: bytes, groups: tuple[int, ...], version: LdsVersion
) -> SignerTemplate:
    """The template of a signer's certificate (DER) for these data groups, in ascending order.

    Raises:
        CertificateError: the certificate is none.
        ValueError: these are no data groups in ascending order.
    """
    if not 2 <= len(groups) <= 16 or not all(
        before < after for before, after in itertools.pairwise((0, *groups, 17))
    ):
        raise ValueError(f"got data groups {groups}, expected 2 to 16 in ascending order")
    signer = load_certificate(certificate)
    hash_algorithm = algorithm.hash_algorithm
    size = hash_algorithm.digest_bytes
    # The readable encoder writes the content once, with marks where the digests go: all of one size, so that
    # nothing else changes with them.
    marks = {number: bytes((number,)) * size for number in groups}
    encoded = encode_content(marks, hash_algorithm, version)
    pieces: list[bytes] = []
    start = 0
    for number in groups:
        place = encoded.index(marks[number], start)
        pieces += [encoded[start:place], b""]
        start = place + size
    attributes = attribute_pieces(size)
    digest_algorithm = tlv.encode(SEQUENCE, object_identifier(hash_algorithm.oid.dotted_string))
    return SignerTemplate(
        algorithm=algorithm,
        hash_algorithm=hash_algorithm,
        groups=groups,
        certificate=certificate,
        issuer=signer.issuer,
        serial_number=signer.serial_number,
        content=[*pieces, encoded[start:]],
        content_size=len(encoded),
        digest_sizes=[size] * len(groups),
        attributes=attributes,
        digest_attribute_size=len(attributes[1].before_digest) + size,
        digest_algorithm=digest_algorithm,
        signature_algorithm=tlv.encode(SEQUENCE, object_identifier(algorithm.oid.dotted_string)),
        signer_identifier=tlv.encode(
            SEQUENCE, signer.issuer + encode_integer(signer.serial_number)
        ),
    )


@lru_cache(maxsize=256)
def _frame(
    template: SignerTemplate, attributes_size: int, signature_size: int
) -> tuple[bytes, bytes, bytes]:
    """What stands before the content, before the attributes and before the signature (RFC 5652, 5.1 and 5.3)."""
    before_signature = template.signature_algorithm + header(OCTET_STRING, signature_size)
    before_attributes = (
        encode_integer(1)
        + template.signer_identifier
        + template.digest_algorithm
        + header(_CONTEXT_0, attributes_size)
    )
    signer_size = len(before_attributes) + attributes_size + len(before_signature) + signature_size
    signer_header = header(SEQUENCE, signer_size)
    after_content = (
        header(_CONTEXT_0, len(template.certificate))
        + template.certificate
        + header(SET, len(signer_header) + signer_size)
        + signer_header
        + before_attributes
    )
    content_header = header(OCTET_STRING, template.content_size)
    explicit_size = len(content_header) + template.content_size
    encapsulated = CONTENT_TYPE_VALUE + header(_CONTEXT_0, explicit_size) + content_header
    before_content = (
        encode_integer(3)
        + tlv.encode(SET, template.digest_algorithm)
        + header(SEQUENCE, len(encapsulated) + template.content_size)
        + encapsulated
    )
    signed_size = (
        len(before_content)
        + template.content_size
        + len(after_content)
        + attributes_size
        + len(before_signature)
        + signature_size
    )
    signed_header = header(SEQUENCE, signed_size)
    outer = (
        object_identifier(ID_SIGNED_DATA.dotted_string)
        + header(_CONTEXT_0, len(signed_header) + signed_size)
        + signed_header
    )
    return (
        header(SEQUENCE, len(outer) + signed_size) + outer + before_content,
        after_content,
        before_signature,
    )


_CONTENT_OFFSET: Final = 61
"""Where the content begins when all lengths before it take two bytes, as they do from six groups on."""

_HASH_OFFSET: Final = 40
"""The last byte of the first object identifier, in which the three hashes differ."""

_VERSION_OFFSET: Final = 6
_BEFORE_LIST: Final = 4 + 3 + 13 + 3
"""SEQUENCE, version, hash algorithm, and the shortest header of the list of digests."""

_BEFORE_DIGEST: Final = 7
"""SEQUENCE, the number, and tag and length of the digest."""

_BEFORE_NUMBER: Final = 4
_MAX_INDEX: Final = 0xFFFFFFFF

_ALGORITHMS: Final = {
    encode_object_identifier(algorithm.hash_algorithm.oid.dotted_string)[-1]: algorithm
    for algorithm in ALGORITHMS
}
_VERSIONS: Final = {0: (LdsVersion.V0, 0), 1: (LdsVersion.V1, 16)}
"""With the bytes that the version's information takes behind the list of digests."""


def recognise(content_info: bytes) -> ParsedSignedData | None:
    """What a security object says that this module would write; ``None`` leaves it to the strict parser."""
    if len(content_info) > MAX_SIGNED_BYTES:
        return None
    try:
        return _recognise(content_info)
    except (ValueError, LookupError, OverflowError, CertificateError):
        # Cut short, or something else stands in these places: the strict parser finds out what.
        return None


def _recognise(content_info: bytes) -> ParsedSignedData | None:
    content_end = _CONTENT_OFFSET + int.from_bytes(
        content_info[_CONTENT_OFFSET - 2 : _CONTENT_OFFSET], "big"
    )
    content = content_info[_CONTENT_OFFSET:content_end]
    algorithm = _ALGORITHMS[content_info[_HASH_OFFSET]]
    version, information_bytes = _VERSIONS[content[_VERSION_OFFSET]]
    list_end = len(content) - information_bytes
    digest_bytes = algorithm.hash_algorithm.digest_bytes
    entry_bytes = _BEFORE_DIGEST + digest_bytes
    list_start = list_end - (list_end - _BEFORE_LIST) // entry_bytes * entry_bytes
    groups = tuple(content[list_start + _BEFORE_NUMBER : list_end : entry_bytes])
    certificate = _value_offset(content_info, content_end)
    certificate_end = (
        certificate + 4 + int.from_bytes(content_info[certificate + 2 : certificate + 4], "big")
    )
    template = template_of(algorithm, content_info[certificate:certificate_end], groups, version)

    signer = _value_offset(content_info, _value_offset(content_info, certificate_end))
    attributes = _value_offset(content_info, signer + template.before_attributes)
    attributes_end = attributes + content_info[attributes - 1]
    list_id = content_info[attributes + LIST_OFFSET : attributes + LIST_OFFSET + LIST_BYTES]
    index = int.from_bytes(
        content_info[attributes + INDEX_OFFSET : attributes_end - template.digest_attribute_size],
        "big",
    )
    time = content_info[attributes + TIME_OFFSET : attributes + TIME_END]
    signing_time = _moment(time)
    message_digest = content_info[attributes_end - digest_bytes : attributes_end]
    signature = content_info[
        _value_offset(content_info, attributes_end + len(template.signature_algorithm)) :
    ]
    if index > _MAX_INDEX or len(list_id) != LIST_BYTES or len(message_digest) != digest_bytes:
        return None
    digests = [
        content[start : start + digest_bytes]
        for start in range(list_start + _BEFORE_DIGEST, list_end, entry_bytes)
    ]
    spliced = template.splice(
        digests,
        signing_time=BEFORE_TIME + time,
        list_id=list_id,
        index=index,
        message_digest=message_digest,
    )
    if spliced.finish(signature) != content_info:
        return None
    return ParsedSignedData(
        hash_algorithm=template.hash_algorithm,
        signature_algorithm=algorithm,
        lds_version=version,
        file_hash_algorithm=template.hash_algorithm,
        file_hashes=dict(zip(groups, digests, strict=True)),
        signing_time=signing_time,
        status_reference=ParsedStatusReference(list_id=list_id, index=index),
        certificate=template.certificate,
        issuer=template.issuer,
        serial_number=template.serial_number,
        content=content,
        message_digest=message_digest,
        signed_attributes=spliced.to_be_signed,
        signature=signature,
    )


def _value_offset(data: bytes, offset: int) -> int:
    """Where the value begins of the data object at ``offset``."""
    length = data[offset + 1]
    return offset + 2 + (length & 0x7F if length & 0x80 else 0)


def _moment(time: bytes) -> datetime:
    """The time that a UTCTime of this century writes in 13 characters.

    Raises:
        ValueError: it is not one.
    """
    if not time[:-1].isdigit() or time[-1:] != b"Z" or len(time) != UTC_TIME_CHARACTERS:
        raise ValueError("not a UTCTime of 13 characters")
    digits = time.decode("ascii")
    if digits >= "50":
        raise ValueError("a UTCTime of the last century")
    if digits[6:8] > "23":
        # Some versions of the library take the end of a day for the beginning of the next.
        raise ValueError("an hour that no day has")
    return datetime.fromisoformat(f"20{digits[:6]}T{digits[6:]}")
