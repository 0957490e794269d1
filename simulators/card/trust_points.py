"""The chip's trust points, its current date and EF.CVCA (TR-03110-3, 2.5; SPEC.md, 10): pure functions over an image.

At most two CVCA keys are trusted, the newer first. The chip has no clock: its current date is the latest day that
certificates it trusts have told it of.
"""

from collections.abc import Iterable
from dataclasses import replace

from card_layout import tlv
from simulators.card.cv_certificate import CvCertificate
from simulators.image import CardImage, ImageFile, ReadRule, file_path
from simulators.image_document import MAX_TRUST_POINTS

__all__ = [
    "CVCA_BYTES",
    "CVCA_PATH",
    "current_date",
    "cvca_content",
    "trusted_certificates",
    "with_link",
    "with_trust_points",
]

CVCA_BYTES = 36
"""Bytes of EF.CVCA: two references of at most 16 bytes, filled up with 00 (TR-03110-3, A.5)."""

CVCA_PATH = file_path(bytes.fromhex("A0000002471001"), 0x011C)
"""How an image names EF.CVCA (9303-10, 3.11.1)."""

_CVCA_SHORT_IDENTIFIER = 0x1C


def trusted_certificates(image: CardImage) -> tuple[CvCertificate, ...]:
    """The trust points of a card, the newer first."""
    return tuple(CvCertificate.from_bytes(encoded) for encoded in image.trust_points)


def current_date(image: CardImage) -> str:
    """Eight digits: the stored date, or where none was ever stored the newest day that a trust point tells."""
    told = (point.effective_date for point in trusted_certificates(image))
    return max(told, default="") if image.current_date is None else image.current_date


def cvca_content(trust_points: Iterable[CvCertificate]) -> bytes:
    """The content of EF.CVCA: the reference of each key that a chain may begin under (TR-03110-3, A.5)."""
    references = (tlv.encode(0x42, point.holder_reference) for point in trust_points)
    return b"".join(references).ljust(CVCA_BYTES, b"\x00")


def with_trust_points(
    image: CardImage, trust_points: tuple[CvCertificate, ...], date: str
) -> CardImage:
    """The same memory with these trust points, this current date, and EF.CVCA as they make it.

    A card without that file gets one that the password opens, so that images are easily made by hand.
    """
    content = cvca_content(trust_points)
    file = image.files.get(CVCA_PATH)
    if file is None:
        file = ImageFile(
            read=ReadRule.PASSWORD,
            short_identifier=_CVCA_SHORT_IDENTIFIER,
            capacity=CVCA_BYTES,
        )
    changed = replace(
        image,
        trust_points=tuple(point.to_bytes() for point in trust_points),
        current_date=date,
    )
    return changed.with_file(CVCA_PATH, replace(file, data=content))


def with_link(image: CardImage, link: CvCertificate) -> CardImage:
    """The same memory with the key of a verified link as the newest trust point; the oldest falls out."""
    kept = (link, *trusted_certificates(image))[:MAX_TRUST_POINTS]
    return with_trust_points(image, kept, current_date(image))
