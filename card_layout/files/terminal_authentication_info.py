"""``TerminalAuthenticationInfo``: the chip checks terminals (TR-03110-3, A.1.1.3; SPEC.md, 3.13)."""

from dataclasses import dataclass
from typing import Final, Self

from card_layout import der, tlv
from card_layout.files.malformed import CardAccessError, malformed_as

__all__ = ["ID_TERMINAL_AUTHENTICATION", "TerminalAuthenticationInfo"]

ID_TERMINAL_AUTHENTICATION: Final = "0.4.0.127.0.7.2.2.2"
"""id-TA."""

_FILE_IDENTIFIER_BYTES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalAuthenticationInfo:
    """The ``version`` that the chip speaks, and where EF.CVCA lies if not at ``011C`` and ``1C``.

    ``file_identifier`` and ``short_identifier`` are those of ``efCVCA``, which is left out where both are ``None``.
    """

    version: int = 1
    file_identifier: int | None = None
    short_identifier: int | None = None

    def __post_init__(self) -> None:
        if self.file_identifier is None and self.short_identifier is not None:
            raise CardAccessError("efCVCA has a short identifier and no file identifier")
        if self.file_identifier is not None and not 0 <= self.file_identifier <= 0xFFFF:
            raise CardAccessError(f"efCVCA is file {self.file_identifier}, expected two bytes")
        if self.short_identifier is not None and not 1 <= self.short_identifier <= 0x1E:
            raise CardAccessError(
                f"efCVCA has short identifier {self.short_identifier}, expected 1 to 30"
            )

    @property
    def protocol(self) -> str:
        """id-TA, as every info of this kind has it."""
        return ID_TERMINAL_AUTHENTICATION

    def to_bytes(self) -> bytes:
        """The DER SEQUENCE."""
        content = tlv.encode(
            der.OBJECT_IDENTIFIER, der.encode_object_identifier(ID_TERMINAL_AUTHENTICATION)
        ) + der.encode_integer(self.version)
        if self.file_identifier is not None:
            file = tlv.encode(
                der.OCTET_STRING, self.file_identifier.to_bytes(_FILE_IDENTIFIER_BYTES, "big")
            )
            if self.short_identifier is not None:
                file += tlv.encode(der.OCTET_STRING, bytes((self.short_identifier,)))
            content += tlv.encode(der.SEQUENCE, file)
        return tlv.encode(der.SEQUENCE, content)

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Read one DER SEQUENCE.

        Raises:
            CardAccessError: anything but a TerminalAuthenticationInfo in DER.
        """
        with malformed_as(CardAccessError, "TerminalAuthenticationInfo"):
            parts = tlv.parse(encoded, expected_tag=der.SEQUENCE).children()
            tags = [part.tag for part in parts]
            expected = [der.OBJECT_IDENTIFIER, der.INTEGER, der.SEQUENCE]
            if tags not in (expected, expected[:2]):
                raise CardAccessError("it does not hold a protocol, a version and perhaps a file")
            protocol = der.decode_object_identifier(parts[0].value)
            if protocol != ID_TERMINAL_AUTHENTICATION:
                raise CardAccessError(
                    f"its protocol is {protocol}, expected {ID_TERMINAL_AUTHENTICATION}"
                )
            version = der.decode_integer(parts[1].value)
            if len(parts) == 2:
                return cls(version=version)
            identifiers = parts[2].children()
            lengths = [(part.tag, len(part.value)) for part in identifiers]
            if lengths not in (
                [(der.OCTET_STRING, _FILE_IDENTIFIER_BYTES)],
                [(der.OCTET_STRING, _FILE_IDENTIFIER_BYTES), (der.OCTET_STRING, 1)],
            ):
                raise CardAccessError(
                    "efCVCA is no file identifier with perhaps a short identifier"
                )
            return cls(
                version=version,
                file_identifier=int.from_bytes(identifiers[0].value, "big"),
                short_identifier=identifiers[1].value[0] if len(identifiers) > 1 else None,
            )
