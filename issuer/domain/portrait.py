"""What becomes of a picture that a committee hands in: the card's portrait, and what a person should look at."""

from dataclasses import dataclass, field
from typing import Final

from issuer.errors import IssuerDataError

__all__ = [
    "MAX_PICTURE_BYTES",
    "NormalisedPortrait",
    "PortraitDoubt",
    "WaitingPortrait",
    "require_picture_size",
]

MAX_PICTURE_BYTES: Final = 5 * 1024 * 1024
"""The largest picture that is looked at."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPortrait:
    """A new portrait that nobody has confirmed; ``source`` is the SHA-256 of the picture as it was handed in."""

    portrait: NormalisedPortrait
    source: bytes


def require_picture_size(picture: bytes) -> None:
    """Let pass a picture that is not too large.

    Raises:
        IssuerDataError: ``portrait.too-large``.
    """
    if len(picture) > MAX_PICTURE_BYTES:
        raise IssuerDataError(
            f"the portrait's file has more than {MAX_PICTURE_BYTES} bytes",
            code="portrait.too-large",
        )
