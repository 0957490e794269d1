"""``GeneralNames`` of an alternative name or of a distribution point, taken apart strictly (RFC 5280, 4.2.1.6)."""

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from card_layout import der, tlv
from card_layout.errors import CardDataError
from pki.certificates.certificate import CertificateError
from pki.certificates.name_matching import relative_names

__all__ = ["GeneralName", "NameKind", "decode_general_names", "is_host_name", "read_general_name"]


class NameKind(IntEnum):
    """The alternatives of ``GeneralName``; the value is the tag."""

    OTHER_NAME = 0xA0
    EMAIL = 0x81
    HOST = 0x82
    X400_ADDRESS = 0xA3
    DIRECTORY = 0xA4
    EDI_PARTY = 0xA5
    URI = 0x86
    IP_ADDRESS = 0x87
    REGISTERED_ID = 0x88


_TEXTS: Final = (NameKind.EMAIL, NameKind.HOST, NameKind.URI)
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_MAX_HOST_CHARACTERS: Final = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralName:
    """One name; ``value`` is the content of its element, for a directory name the DER ``Name``."""

    kind: NameKind
    value: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The text of an address, a host or a URI; all of them are ASCII, or refused when read."""
        return self.value.decode("ascii")


def decode_general_names(encoded: bytes) -> tuple[GeneralName, ...]:
    """Read a DER ``GeneralNames``, each name well-formed as a name (hosts may begin with a wildcard label).

    Raises:
        CertificateError: ``certificate.malformed``.
    """
    try:
        names = tuple(
            read_general_name(item)
            for item in tlv.parse(encoded, expected_tag=der.SEQUENCE).children()
        )
    except (CardDataError, ValueError) as error:
        raise CertificateError("general names are not what RFC 5280, 4.2.1.6 says") from error
    if not names:
        raise CertificateError("there is no general name, expected at least one")
    for name in names:
        if not _is_well_formed(name):
            raise CertificateError(f"a general name of kind {name.kind.name} is malformed")
    return names


def read_general_name(item: tlv.Tlv) -> GeneralName:
    """One name without judging its text, as the bases of name constraints have texts of their own.

    Raises:
        ValueError: it is none, or not ASCII where it must be.
    """
    kind = NameKind(item.tag)
    value = item.value
    if kind in _TEXTS:
        value.decode("ascii")
    if kind is NameKind.DIRECTORY:
        # directoryName is explicit, because Name is a CHOICE.
        relative_names(value)
    return GeneralName(kind=kind, value=value)


def is_host_name(text: str) -> bool:
    """Whether a text is a host name of labels as RFC 1034, 3.5 and RFC 1123, 2.1 have them, without a final dot."""
    labels = text.split(".")
    return len(text) <= _MAX_HOST_CHARACTERS and all(_LABEL.fullmatch(label) for label in labels)


def _is_well_formed(name: GeneralName) -> bool:
    if name.kind is NameKind.HOST:
        return is_host_name(name.text.removeprefix("*."))
    if name.kind is NameKind.EMAIL:
        local, _, host = name.text.partition("@")
        return bool(local) and is_host_name(host)
    if name.kind is NameKind.IP_ADDRESS:
        return len(name.value) in {4, 16}
    return True
