"""``ActiveAuthenticationInfo``: with which algorithm a key on a curve signs (ICAO 9303-11, 9.2.4; SPEC.md, 5.9)."""

from dataclasses import dataclass
from typing import Final, Self

from card_layout import der, tlv
from card_layout.files.malformed import CardAccessError, malformed_as

__all__ = ["ID_ACTIVE_AUTHENTICATION", "ActiveAuthenticationInfo"]

ID_ACTIVE_AUTHENTICATION: Final = "2.23.136.1.1.5"
"""id-icao-mrtd-security-aaProtocolObject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAuthenticationInfo:
    """``ActiveAuthenticationInfo``: with which algorithm a key on a curve signs (9303-11, 9.2.4)."""

    protocol: str = ID_ACTIVE_AUTHENTICATION
    version: int = 1
    signature_algorithm: str

    def __post_init__(self) -> None:
        if self.protocol != ID_ACTIVE_AUTHENTICATION:
            raise CardAccessError(
                f"ActiveAuthenticationInfo has protocol {self.protocol}, expected one of its own"
            )

    def to_bytes(self) -> bytes:
        """The DER SEQUENCE."""
        return tlv.encode(
            der.SEQUENCE,
            _object_identifier(self.protocol)
            + der.encode_integer(self.version)
            + _object_identifier(self.signature_algorithm),
        )

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Read one DER SEQUENCE.

        Raises:
            CardAccessError: anything but an ActiveAuthenticationInfo in DER.
        """
        with malformed_as(CardAccessError, "ActiveAuthenticationInfo"):
            parts = tlv.parse(encoded, expected_tag=der.SEQUENCE).children()
            if [part.tag for part in parts] != [
                der.OBJECT_IDENTIFIER,
                der.INTEGER,
                der.OBJECT_IDENTIFIER,
            ]:
                raise CardAccessError("it does not hold a protocol, a version and an algorithm")
            return cls(
                protocol=der.decode_object_identifier(parts[0].value),
                version=der.decode_integer(parts[1].value),
                signature_algorithm=der.decode_object_identifier(parts[2].value),
            )


def _object_identifier(dotted: str) -> bytes:
    return tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(dotted))
