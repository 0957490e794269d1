"""What the card's EF.CardAccess offers (9303-11, 9.2.1 and 9.2.3): mapping, algorithm and curve."""

from dataclasses import dataclass
from enum import Enum
from itertools import product

from card_layout import tlv
from card_layout.curves import NamedCurve
from simulators.image import SessionAlgorithm

__all__ = ["Mapping", "PaceOffer", "offered_parameters"]

_ID_PACE = bytes.fromhex("04007F0007020204")
"""id-PACE, 0.4.0.127.0.7.2.2.4."""

_VERSION = 2
_ALGORITHM_ARC = {
    SessionAlgorithm.AES_128: 2,
    SessionAlgorithm.AES_192: 3,
    SessionAlgorithm.AES_256: 4,
}


class Mapping(Enum):
    """How the nonce becomes a generator; the values are the arcs of the elliptic-curve variants."""

    GENERIC = 2
    INTEGRATED = 4
    CHIP_AUTHENTICATION = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceOffer:
    """One PACEInfo of EF.CardAccess that the card can carry out."""

    mapping: Mapping = Mapping.GENERIC
    algorithm: SessionAlgorithm = SessionAlgorithm.AES_128
    curve: NamedCurve

    @property
    def protocol(self) -> bytes:
        """The value of the OBJECT IDENTIFIER."""
        return _ID_PACE + bytes((self.mapping.value, _ALGORITHM_ARC[self.algorithm]))

    @property
    def parameter_id(self) -> int:
        """The standardised domain parameters (9303-11, 9.5.1)."""
        return self.curve.pace_parameter_id

    def to_bytes(self) -> bytes:
        """The content of the PACEInfo."""
        return (
            tlv.encode(0x06, self.protocol)
            + tlv.encode(0x02, bytes((_VERSION,)))
            + tlv.encode(0x02, bytes((self.parameter_id,)))
        )


_KNOWN = {
    offer.to_bytes(): offer
    for offer in (
        PaceOffer(mapping=mapping, algorithm=algorithm, curve=curve)
        for mapping, algorithm, curve in product(Mapping, _ALGORITHM_ARC, NamedCurve)
    )
}


def offered_parameters(card_access: bytes) -> tuple[PaceOffer, ...]:
    """What EF.CardAccess offers and the card can do; nothing where the file is not a SET of SecurityInfo."""
    try:
        infos = tlv.parse(card_access, expected_tag=0x31).children()
    except tlv.TlvError:
        return ()
    return tuple(_KNOWN[info.value] for info in infos if info.value in _KNOWN)
