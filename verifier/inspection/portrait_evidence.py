"""The evidence of decoding the portrait, which is done while the card is read and never while it is judged (SPEC.md, 9.23)."""

from enum import StrEnum, unique

__all__ = ["PortraitOutcome"]


@unique
class PortraitOutcome(StrEnum):
    """What came of decoding the picture in EF.DG2 within its bounds."""

    DECODED = "decoded"
    UNDECODABLE = "undecodable"
    """It is broken, too large, or takes too long."""
    NOT_DECODED = "not-decoded"
    """The decoder of this terminal could not be started."""
