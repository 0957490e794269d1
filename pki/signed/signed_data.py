"""The readable encoder and parser of a security object (SPEC.md, 7; ICAO Doc 9303-10, 4.6.2).

``pki.signed.splicing`` does the same faster for the usual shapes, and is compared with this byte for byte.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from cryptography.hazmat import asn1

from pki.keys.algorithms import SignatureAlgorithm
from pki.keys.other_algorithms import Digest, VerifyingAlgorithm
from pki.signed.decoding import SecurityObjectError, decode, whole
from pki.signed.lds_content import LdsVersion, encode_content, parse_content
from pki.signed.signed_frame import (
    MAX_SIGNED_BYTES,
    SignedFrame,
    UnsignedFrame,
    attribute,
    encode_time,
    read_frame,
)
from pki.signed.structures import (
    ID_CONTENT_TYPE,
    ID_LDS_SECURITY_OBJECT,
    ID_MESSAGE_DIGEST,
    ID_SIGNING_TIME,
    ID_STATUS_REFERENCE,
    EncodedStatusReference,
)

__all__ = ["ParsedSignedData", "ParsedStatusReference", "parse", "prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedStatusReference:
    """The status reference as it stands in the attribute, its sizes checked."""

    list_id: bytes
    index: int


class ParsedSignedData(NamedTuple):
    """What one well-formed security object says; nothing of it is proven."""

    hash_algorithm: Digest
    signature_algorithm: VerifyingAlgorithm
    lds_version: LdsVersion
    file_hash_algorithm: Digest
    file_hashes: dict[int, bytes]
    signing_time: datetime | None
    status_reference: ParsedStatusReference | None
    certificate: bytes
    issuer: bytes
    serial_number: int
    content: bytes
    message_digest: bytes
    signed_attributes: bytes
    signature: bytes


def prepare(
    *,
    algorithm: SignatureAlgorithm,
    certificate: bytes,
    issuer: bytes,
    serial_number: int,
    file_hashes: Mapping[int, bytes],
    signing_time: datetime,
    list_id: bytes,
    index: int,
    lds_version: LdsVersion,
) -> UnsignedFrame:
    """Compose content and signed attributes; the caller has checked every value."""
    content = encode_content(file_hashes, algorithm.hash_algorithm, lds_version)
    attributes = [
        attribute(ID_CONTENT_TYPE, ID_LDS_SECURITY_OBJECT),
        attribute(ID_MESSAGE_DIGEST, algorithm.hash_algorithm.digest(content)),
        attribute(ID_SIGNING_TIME, encode_time(signing_time)),
        attribute(ID_STATUS_REFERENCE, EncodedStatusReference(list_id=list_id, index=index)),
    ]
    return UnsignedFrame(
        algorithm=algorithm,
        content_type=ID_LDS_SECURITY_OBJECT,
        content=content,
        certificate=certificate,
        issuer=issuer,
        serial_number=serial_number,
        attributes=asn1.SetOf(attributes),
    )


def parse(content_info: bytes, *, allow_others: bool = False) -> ParsedSignedData:
    """Take a DER ``ContentInfo`` apart and check every *shall* of SPEC.md, 7 that needs no key.

    ``allow_others`` takes the further algorithms of Doc 9303 as well (SPEC.md, 7.6).

    Raises:
        SecurityObjectError: with the codes of SPEC.md, 9.3.
    """
    if len(content_info) > MAX_SIGNED_BYTES:
        raise SecurityObjectError(
            f"the security object has {len(content_info)} bytes, expected at most {MAX_SIGNED_BYTES}"
        )
    frame = read_frame(
        content_info,
        content_type=ID_LDS_SECURITY_OBJECT,
        name="the security object",
        allow_others=allow_others,
    )
    lds = parse_content(frame.content, frame.hash_algorithm, allow_others=allow_others)
    return ParsedSignedData(
        hash_algorithm=frame.hash_algorithm,
        signature_algorithm=frame.signature_algorithm,
        lds_version=lds.version,
        file_hash_algorithm=lds.hash_algorithm,
        file_hashes=lds.file_hashes,
        signing_time=frame.signing_time(),
        status_reference=_status_reference(frame),
        certificate=frame.certificate,
        issuer=frame.issuer,
        serial_number=frame.serial_number,
        content=frame.content,
        message_digest=frame.message_digest,
        signed_attributes=frame.signed_attributes,
        signature=frame.signature,
    )


def _status_reference(frame: SignedFrame) -> ParsedStatusReference | None:
    found = frame.attributes.get(ID_STATUS_REFERENCE)
    if found is None:
        return None
    reference = decode(EncodedStatusReference, whole(found), "status reference")
    if len(reference.list_id) != 8 or not 0 <= reference.index <= 0xFFFFFFFF:
        raise SecurityObjectError(
            f"status reference has a list of {len(reference.list_id)} bytes and index "
            f"{reference.index:x}, expected 8 bytes and an index of at most 32 bits"
        )
    return ParsedStatusReference(list_id=reference.list_id, index=reference.index)
