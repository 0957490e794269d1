"""The data objects that CV certificates and requests are made of, and their strict reading (TR-03110-3, D.2)."""

from enum import IntEnum
from typing import Final

from card_layout.errors import CardDataError
from card_layout.tlv import Tlv, parse
from pki.errors import PkiDataError

__all__ = ["MAX_ENCODED_BYTES", "Tag", "malformed", "match_tags", "read_template"]

MAX_ENCODED_BYTES: Final = 4096
"""No certificate or request comes near it: a CVCA's over a 521-bit curve has about 1,000 bytes."""


class Tag(IntEnum):
    """Tags of TR-03110-3, table D.1 and ISO/IEC 7816-6."""

    OBJECT_IDENTIFIER = 0x06
    AUTHORITY_REFERENCE = 0x42
    DISCRETIONARY_DATA = 0x53
    HOLDER_REFERENCE = 0x5F20
    EXPIRATION_DATE = 0x5F24
    EFFECTIVE_DATE = 0x5F25
    PROFILE_IDENTIFIER = 0x5F29
    SIGNATURE = 0x5F37
    EXTENSIONS = 0x65
    AUTHENTICATION = 0x67
    DISCRETIONARY_TEMPLATE = 0x73
    CERTIFICATE = 0x7F21
    PUBLIC_KEY = 0x7F49
    HOLDER_AUTHORISATION = 0x7F4C
    CERTIFICATE_BODY = 0x7F4E


def read_template(data: bytes, tag: Tag) -> tuple[Tlv, ...]:
    """What stands in the one template that fills ``data``.

    Raises:
        PkiDataError: ``cv-certificate.malformed``.
    """
    if len(data) > MAX_ENCODED_BYTES:
        raise malformed(f"got {len(data)} bytes, expected at most {MAX_ENCODED_BYTES}")
    try:
        return parse(data, expected_tag=tag).children()
    except CardDataError as error:
        raise malformed(str(error)) from error


def match_tags(
    parent: int, children: tuple[Tlv, ...], *expected: Tag, optional: tuple[Tag, ...] = ()
) -> dict[int, bytes]:
    """The values by tag, once the tags are the expected ones in order, optional ones left out or not.

    Raises:
        PkiDataError: ``cv-certificate.malformed``.
    """
    found = [child.tag for child in children]
    if found != [tag for tag in expected if tag not in optional or tag in found]:
        raise malformed(
            f"{parent:02X} holds {' '.join(f'{tag:02X}' for tag in found[:12]) or 'nothing'}, "
            f"expected {' '.join(f'{tag:02X}' for tag in expected)}"
        )
    return {child.tag: child.value for child in children}


def malformed(message: str) -> PkiDataError:
    """Bytes that are no CV certificate or request."""
    return PkiDataError(message, code="cv-certificate.malformed")
