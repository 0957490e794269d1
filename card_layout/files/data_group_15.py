"""EF.DG15: the key of active authentication (ICAO 9303-10, 4.7.15; SPEC.md, 5.9); only on variants."""

from dataclasses import dataclass, field
from typing import Self

from card_layout import tlv
from card_layout.curves import CurveError, EcPublicKey
from card_layout.files.malformed import DataGroupError, malformed_as
from card_layout.rsa import RsaPublicKey

__all__ = ["ActiveAuthenticationKey"]

_TAG = 0x6F


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAuthenticationKey:
    """A public key on one of our curves, or of RSA, in the encoding that was signed."""

    subject_public_key_info: bytes = field(repr=False)

    def __post_init__(self) -> None:
        with malformed_as(DataGroupError, "EF.DG15"):
            _decode(self.subject_public_key_info)

    @property
    def public_key(self) -> EcPublicKey | RsaPublicKey:
        """The key itself."""
        return _decode(self.subject_public_key_info)

    def to_bytes(self) -> bytes:
        """The whole file, tag 6F included."""
        return tlv.encode(_TAG, self.subject_public_key_info)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            DataGroupError: anything but a public key that we can verify with, in tag 6F.
        """
        with malformed_as(DataGroupError, "EF.DG15"):
            return cls(subject_public_key_info=tlv.parse(data, expected_tag=_TAG).value)


def _decode(encoded: bytes) -> EcPublicKey | RsaPublicKey:
    try:
        return EcPublicKey.from_subject_public_key_info(encoded)
    except CurveError as error:
        if error.code != "curve.unsupported":
            raise
        return RsaPublicKey.from_subject_public_key_info(encoded)
