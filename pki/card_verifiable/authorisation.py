"""What a certificate's holder may do: role, access bits and readable files (TR-03110-3, C.1.5, C.3 and C.4).

A right counts only where every certificate from the CVCA to the terminal grants it: rights are ANDed, and what
a certificate does not say it does not grant.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from card_layout import der, tlv
from card_layout.errors import CardDataError
from card_layout.tlv import Tlv
from pki.card_verifiable.structure import Tag, malformed

__all__ = [
    "FILE_RIGHTS_OID",
    "CertificateExtension",
    "FileRights",
    "HolderAuthorisation",
    "Role",
    "TerminalType",
    "read_extensions",
    "write_extensions",
]

FILE_RIGHTS_OID: Final = "1.3.6.1.4.1.32473.51.2.1"
"""Our authorisation extension: which files of the card a terminal may read (SPEC.md, 10.1)."""

_FILE_RIGHTS_BYTES: Final = 2
_DATA_GROUPS: Final = range(1, 17)
_MAX_EXTENSIONS: Final = 16


class TerminalType(Enum):
    """What kind of terminals a hierarchy is for: name, object identifier, bytes of authorisation, names of bits."""

    INSPECTION_SYSTEM = ("inspection-system", "0.4.0.127.0.7.3.1.2.1", 1)
    AUTHENTICATION_TERMINAL = ("authentication-terminal", "0.4.0.127.0.7.3.1.2.2", 5)
    SIGNATURE_TERMINAL = ("signature-terminal", "0.4.0.127.0.7.3.1.2.3", 1)

    def __init__(self, label: str, oid: str, size: int) -> None:
        self.label = label
        self.oid = oid
        self.size = size

    @property
    def access_bit_count(self) -> int:
        """How many bits are left beside the two of the role."""
        return 8 * self.size - 2


class Role(Enum):
    """What a certificate's holder is: the two highest bits of the authorisation (TR-03110-3, C.4)."""

    TERMINAL = 0
    FOREIGN_DOCUMENT_VERIFIER = 1
    DOCUMENT_VERIFIER = 2
    CVCA = 3

    @property
    def label(self) -> str:
        """As people read it."""
        return self.name.lower().replace("_", "-")

    @property
    def is_document_verifier(self) -> bool:
        """Domestic or foreign."""
        return self in {Role.DOCUMENT_VERIFIER, Role.FOREIGN_DOCUMENT_VERIFIER}

    def may_certify(self, other: "Role") -> bool:
        """Who may sign whom (TR-03110-3, 2.1): a CVCA its next key and document verifiers, these terminals."""
        if self is Role.CVCA:
            return other is Role.CVCA or other.is_document_verifier
        return self.is_document_verifier and other is Role.TERMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderAuthorisation:
    """The certificate holder authorisation template: type, role and access bits (bit 0 is the lowest)."""

    terminal_type: TerminalType
    role: Role
    access_bits: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.access_bits < 1 << self.terminal_type.access_bit_count:
            raise malformed(
                f"access bits are {self.access_bits:#x}, expected {self.terminal_type.access_bit_count} bits"
            )

    @classmethod
    def from_value(cls, value: bytes) -> Self:
        """Read the value of 7F4C.

        Raises:
            PkiDataError: ``cv-certificate.malformed``.
        """
        try:
            parts = tlv.parse_all(value)
            if [part.tag for part in parts] != [Tag.OBJECT_IDENTIFIER, Tag.DISCRETIONARY_DATA]:
                raise malformed("authorisation holds other objects than 06 and 53")
            oid = der.decode_object_identifier(parts[0].value)
        except CardDataError as error:
            raise malformed(f"authorisation is malformed: {error}") from error
        bits = parts[1].value
        for terminal_type in TerminalType:
            if terminal_type.oid == oid:
                if len(bits) != terminal_type.size:
                    raise malformed(
                        f"authorisation of {terminal_type.label} has {len(bits)} bytes, "
                        f"expected {terminal_type.size}"
                    )
                number = int.from_bytes(bits, "big")
                count = terminal_type.access_bit_count
                return cls(
                    terminal_type=terminal_type,
                    role=Role(number >> count),
                    access_bits=number & (1 << count) - 1,
                )
        raise malformed(f"authorisation is for {oid}, expected a type of terminal")

    def to_value(self) -> bytes:
        """The value of 7F4C."""
        number = self.role.value << self.terminal_type.access_bit_count | self.access_bits
        return tlv.concatenate(
            (
                Tlv(Tag.OBJECT_IDENTIFIER, der.encode_object_identifier(self.terminal_type.oid)),
                Tlv(Tag.DISCRETIONARY_DATA, number.to_bytes(self.terminal_type.size, "big")),
            )
        )


@dataclass(frozen=True, slots=True)
class FileRights:
    """Which data groups (1-16) may be read; bit n-1 of the two bytes stands for data group n."""

    data_groups: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if not self.data_groups <= set(_DATA_GROUPS):
            raise malformed(f"data groups are {sorted(self.data_groups)[:20]}, expected 1 to 16")

    @classmethod
    def of(cls, data_groups: Iterable[int]) -> Self:
        """The right to read these."""
        return cls(frozenset(data_groups))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the two bytes.

        Raises:
            PkiDataError: ``cv-certificate.malformed``.
        """
        if len(data) != _FILE_RIGHTS_BYTES:
            raise malformed(f"file rights have {len(data)} bytes, expected {_FILE_RIGHTS_BYTES}")
        number = int.from_bytes(data, "big")
        return cls.of(group for group in _DATA_GROUPS if number >> (group - 1) & 1)

    def to_bytes(self) -> bytes:
        """Two bytes."""
        number = sum(1 << (group - 1) for group in self.data_groups)
        return number.to_bytes(_FILE_RIGHTS_BYTES, "big")

    def __and__(self, other: Self) -> Self:
        return type(self)(self.data_groups & other.data_groups)

    @property
    def names(self) -> list[str]:
        """``DG13`` and so on, in order."""
        return [f"DG{group}" for group in sorted(self.data_groups)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateExtension:
    """One discretionary data template (73): what it is about, and data objects that only that meaning explains."""

    oid: str
    objects: tuple[Tlv, ...]

    def __post_init__(self) -> None:
        if not self.objects:
            raise malformed(f"extension {self.oid} holds no data")
        # Our own extension is read at once, so that no certificate exists whose rights cannot be told.
        _ = self.file_rights

    @classmethod
    def granting(cls, rights: FileRights) -> Self:
        """Our authorisation extension."""
        return cls(oid=FILE_RIGHTS_OID, objects=(Tlv(Tag.DISCRETIONARY_DATA, rights.to_bytes()),))

    @property
    def file_rights(self) -> FileRights | None:
        """What our extension grants; ``None`` for any other.

        Raises:
            PkiDataError: ``cv-certificate.malformed``.
        """
        if self.oid != FILE_RIGHTS_OID:
            return None
        if [item.tag for item in self.objects] != [Tag.DISCRETIONARY_DATA]:
            raise malformed("file rights hold other objects than one 53")
        return FileRights.from_bytes(self.objects[0].value)


def read_extensions(value: bytes) -> tuple[CertificateExtension, ...]:
    """Read the value of 65; extensions that are not ours are kept as they are.

    Raises:
        PkiDataError: ``cv-certificate.malformed``: none, too many, one twice, or file rights that are none.
    """
    found: list[CertificateExtension] = []
    try:
        for template in tlv.parse_all(value):
            parts = template.children()
            if (
                template.tag != Tag.DISCRETIONARY_TEMPLATE
                or len(parts) < 2
                or parts[0].tag != Tag.OBJECT_IDENTIFIER
            ):
                raise malformed("an extension is not 73 with an object identifier and data")
            oid = der.decode_object_identifier(parts[0].value)
            found.append(CertificateExtension(oid=oid, objects=parts[1:]))
    except CardDataError as error:
        raise malformed(f"extensions are malformed: {error}") from error
    if not 1 <= len(found) <= _MAX_EXTENSIONS or len({item.oid for item in found}) != len(found):
        raise malformed(f"extensions are {len(found)}, expected 1 to {_MAX_EXTENSIONS}, each once")
    return tuple(found)


def write_extensions(extensions: Iterable[CertificateExtension]) -> bytes:
    """The value of 65."""
    return b"".join(
        tlv.encode(
            Tag.DISCRETIONARY_TEMPLATE,
            tlv.encode(Tag.OBJECT_IDENTIFIER, der.encode_object_identifier(extension.oid))
            + tlv.concatenate(extension.objects),
        )
        for extension in extensions
    )
