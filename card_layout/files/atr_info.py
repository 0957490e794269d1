"""EF.ATR/INFO: how long an APDU may be (ISO/IEC 7816-4, 12.7.1; SPEC.md, 3.3)."""

from dataclasses import dataclass, field
from typing import Self

from card_layout import der, tlv
from card_layout.files.malformed import AtrInfoError, malformed_as

__all__ = ["AtrInfo"]

_CAPABILITIES = 0x47
_EXTENDED_LENGTHS = 0x7F66

# Whole APDUs: at least the longest short one, at most the longest that there is (ISO/IEC 7816-4, 5.1).
_COMMAND_BYTES = range(261, 4 + 3 + 65535 + 2 + 1)
_RESPONSE_BYTES = range(258, 65536 + 2 + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtrInfo:
    """Card capabilities of 3 bytes, and the longest whole APDUs; both lengths or none (SPEC.md, 3.3)."""

    capabilities: bytes = field(repr=False)
    max_command_bytes: int | None = None
    max_response_bytes: int | None = None

    def __post_init__(self) -> None:
        if len(self.capabilities) != 3:
            raise AtrInfoError(f"card capabilities have {len(self.capabilities)} bytes, expected 3")
        if (self.max_command_bytes is None) != (self.max_response_bytes is None):
            raise AtrInfoError("one APDU length is announced, expected both or none")
        for what, length, allowed in (
            ("command", self.max_command_bytes, _COMMAND_BYTES),
            ("response", self.max_response_bytes, _RESPONSE_BYTES),
        ):
            if length is not None and length not in allowed:
                raise AtrInfoError(
                    f"longest {what} has {length} bytes, expected {allowed.start} to {allowed.stop - 1}"
                )

    def to_bytes(self) -> bytes:
        """The whole file: data objects side by side."""
        encoded = tlv.encode(_CAPABILITIES, self.capabilities)
        if self.max_command_bytes is None or self.max_response_bytes is None:
            return encoded
        return encoded + tlv.encode(
            _EXTENDED_LENGTHS,
            der.encode_integer(self.max_command_bytes)
            + der.encode_integer(self.max_response_bytes),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            AtrInfoError: anything else; code ``atr-info.malformed``.
        """
        with malformed_as(AtrInfoError, "EF.ATR/INFO"):
            parts = tlv.parse_all(data)
            tags = [part.tag for part in parts]
            if tags not in ([_CAPABILITIES], [_CAPABILITIES, _EXTENDED_LENGTHS]):
                raise AtrInfoError(
                    f"EF.ATR/INFO holds tags {[f'{tag:02X}' for tag in tags[:4]]}, expected 47 and 7F66"
                )
            if len(parts) == 1:
                return cls(capabilities=parts[0].value)
            lengths = parts[1].children()
            if [part.tag for part in lengths] != [der.INTEGER, der.INTEGER]:
                raise AtrInfoError("extended length information does not hold two integers")
            max_command_bytes, max_response_bytes = (
                der.decode_integer(part.value) for part in lengths
            )
            return cls(
                capabilities=parts[0].value,
                max_command_bytes=max_command_bytes,
                max_response_bytes=max_response_bytes,
            )
