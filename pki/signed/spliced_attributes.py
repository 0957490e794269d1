"""The signed attributes of a security object in pieces, for `pki.signed.splicing` (SPEC.md, 7.3; RFC 5652, 11).

Content type, signing time, status reference and message digest: all but their values is the same on every card, and
they stand in this order on every card.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from card_layout import tlv
from card_layout.der import (
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    encode_object_identifier,
)
from pki.signed.structures import (
    ID_CONTENT_TYPE,
    ID_LDS_SECURITY_OBJECT,
    ID_MESSAGE_DIGEST,
    ID_SIGNING_TIME,
    ID_STATUS_REFERENCE,
)

__all__ = [
    "BEFORE_TIME",
    "CONTENT_TYPE_VALUE",
    "INDEX_OFFSET",
    "LIST_BYTES",
    "LIST_OFFSET",
    "SET_HEADER_BYTES",
    "TIME_END",
    "TIME_OFFSET",
    "UTC_TIME_CHARACTERS",
    "AttributePieces",
    "attribute_pieces",
    "encode_signing_time",
    "header",
    "object_identifier",
]

_UTC_TIME: Final = 0x17
UTC_TIME_CHARACTERS: Final = 13
LIST_BYTES: Final = 8

SET_HEADER_BYTES: Final = 3
"""In front of the signed attributes: 134 bytes with the shortest hash and index, 170 with the longest."""


def header(tag: int, size: int) -> bytes:
    """Tag and length in front of a value of ``size`` bytes."""
    if size < 0x80:
        return bytes((tag, size))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets


def object_identifier(dotted: str) -> bytes:
    """The whole data object of an object identifier."""
    return tlv.encode(OBJECT_IDENTIFIER, encode_object_identifier(dotted))


def _attribute(dotted: str, value_size: int) -> bytes:
    """All of a signed attribute but the ``value_size`` bytes of its one value."""
    kind = object_identifier(dotted)
    values = header(SET, value_size)
    return header(SEQUENCE, len(kind) + len(values) + value_size) + kind + values


CONTENT_TYPE_VALUE: Final = object_identifier(ID_LDS_SECURITY_OBJECT.dotted_string)
_CONTENT_TYPE: Final = (
    _attribute(ID_CONTENT_TYPE.dotted_string, len(CONTENT_TYPE_VALUE)) + CONTENT_TYPE_VALUE
)
BEFORE_TIME: Final = _attribute(ID_SIGNING_TIME.dotted_string, 2 + UTC_TIME_CHARACTERS) + header(
    _UTC_TIME, UTC_TIME_CHARACTERS
)
"""The attribute of the signing time up to its characters."""


def _status_reference(index_size: int) -> tuple[bytes, bytes]:
    """What stands before the list of a status reference, and between it and an index of ``index_size`` bytes."""
    value = header(OCTET_STRING, LIST_BYTES)
    index = header(INTEGER, index_size)
    size = len(value) + LIST_BYTES + len(index) + index_size
    sequence = header(SEQUENCE, size)
    attribute = _attribute(ID_STATUS_REFERENCE.dotted_string, len(sequence) + size)
    return attribute + sequence + value, index


_STATUS_REFERENCES: Final = {size: _status_reference(size) for size in range(1, 6)}
"""By the bytes of the index."""

TIME_OFFSET: Final = len(_CONTENT_TYPE) + len(BEFORE_TIME)
TIME_END: Final = TIME_OFFSET + UTC_TIME_CHARACTERS
LIST_OFFSET: Final = TIME_END + len(_STATUS_REFERENCES[1][0])
INDEX_OFFSET: Final = LIST_OFFSET + LIST_BYTES + len(_STATUS_REFERENCES[1][1])
"""Where the values stand behind the tag and length of the signed attributes."""


class AttributePieces(NamedTuple):
    """The constant parts of the signed attributes, for one length of the index.

    The first holds tag and length of all of them and the content type; the attribute of the signing time follows, as
    ``encode_signing_time`` gives it, and each of the others is followed by its value.
    """

    before_time: bytes
    before_list: bytes
    before_index: bytes
    before_digest: bytes


def attribute_pieces(digest_size: int) -> dict[int, AttributePieces]:
    """The pieces around a message digest of this many bytes, by the bytes of the index."""
    before_digest = _attribute(ID_MESSAGE_DIGEST.dotted_string, 2 + digest_size) + header(
        OCTET_STRING, digest_size
    )
    pieces = {}
    for index_size, (before_list, before_index) in _STATUS_REFERENCES.items():
        values_size = LIST_BYTES + index_size + digest_size
        size = TIME_END + len(before_list) + len(before_index) + len(before_digest) + values_size
        pieces[index_size] = AttributePieces(
            before_time=header(SET, size) + _CONTENT_TYPE,
            before_list=before_list,
            before_index=before_index,
            before_digest=before_digest,
        )
    return pieces


@lru_cache(maxsize=1024)
def encode_signing_time(moment: datetime) -> bytes | None:
    """The attribute of an aware time; ``None`` outside the years that a UTCTime writes (RFC 5652, 11.3)."""
    in_utc = moment.astimezone(UTC)
    if not 1950 <= in_utc.year < 2050:
        return None
    return BEFORE_TIME + f"{in_utc:%y%m%d%H%M%SZ}".encode("ascii")
