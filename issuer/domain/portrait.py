"""What becomes of a picture that a committee hands in: the card's portrait, and what a person should look at."""

from dataclasses import dataclass, field

__all__ = ["NormalisedPortrait", "PortraitDoubt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortraitDoubt:
    """One thing about a picture that a person has to judge: a stable code, and a sentence without personal data."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisedPortrait:
    """The card's portrait.

    Attributes:
        image: a JPEG of 3:4 within the card profile's bounds of size.
        doubts: what a person has to judge before it is used.
        has_checked_faces: whether somebody counted the faces; without OpenCV nobody does.
    """

    image: bytes = field(repr=False)
    doubts: tuple[PortraitDoubt, ...] = ()
    has_checked_faces: bool = False
