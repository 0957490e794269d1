"""The form in which a card's contents are sealed: the MRZ password, then each file with its name.

A file that ends with the card's picture may be kept up to where that begins, with the digest by which it is found.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from card_layout import tlv
from card_layout.errors import CardDataError
from issuer.domain.member import PortraitDigest
from issuer.errors import IssuerUnavailableError
from issuer.services.signing_values import KeptPicture

__all__ = ["CardContents"]

_MRZ_INFORMATION = 0xC0
_FILE = 0xE1
_NAME = 0xC1
_CONTENT = 0xC2
_FILE_WITH_PICTURE = 0xE2
_HEAD = 0xC3
_PICTURE = 0xC4
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CardContents:
    """``files`` by name; all of the application's but EF.SOD, which is not secret and comes later."""

    mrz_information: str = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def from_bytes(cls, encoded: bytes, picture_of: Callable[[PortraitDigest], bytes]) -> Self:
        """What ``to_bytes`` made; ``picture_of`` brings the picture that is kept elsewhere.

        Raises:
            IssuerUnavailableError: anything else (``production.contents-damaged``).
            IssuerError: as ``picture_of``.
        """
        try:
            first, *rest = tlv.parse_all(encoded)
            files = dict(_file(item, picture_of) for item in rest)
            mrz_information = first.value.decode("ascii")
        except (CardDataError, ValueError) as error:
            raise _damaged() from error
        if first.tag != _MRZ_INFORMATION or len(files) != len(rest):
            raise _damaged()
        return cls(mrz_information=mrz_information, files=files)

    def to_bytes(self, picture: KeptPicture | None = None) -> bytes:
        """Data objects side by side; without ``picture``, where a file ends with it."""
        parts = [tlv.encode(_MRZ_INFORMATION, self.mrz_information.encode("ascii"))]
        for name, content in self.files.items():
            if picture is not None and content.endswith(picture.image):
                parts.append(_up_to(picture, name, content))
                continue
            # One of the files is as long as a picture: it is copied once, not for each template around it.
            head = _name(name) + tlv.encode_header(_CONTENT, len(content))
            parts += (tlv.encode_header(_FILE, len(head) + len(content)), head, content)
        return b"".join(parts)


@lru_cache(maxsize=64)
def _name(name: str) -> bytes:
    return tlv.encode(_NAME, name.encode("ascii"))


def _up_to(picture: KeptPicture, name: str, content: bytes) -> bytes:
    head = tlv.encode(_HEAD, content[: len(content) - len(picture.image)])
    digest = tlv.encode(_PICTURE, picture.digest)
    return tlv.encode(_FILE_WITH_PICTURE, _name(name) + head + digest)


def _file(item: tlv.Tlv, picture_of: Callable[[PortraitDigest], bytes]) -> tuple[str, bytes]:
    if item.tag == _FILE_WITH_PICTURE:
        name, head, digest = item.children()
        if (name.tag, head.tag, digest.tag) != (_NAME, _HEAD, _PICTURE) or (
            len(digest.value) != _DIGEST_BYTES
        ):
            raise _damaged()
        return name.value.decode("ascii"), head.value + picture_of(PortraitDigest(digest.value))
    name, content = item.children()
    if (item.tag, name.tag, content.tag) != (_FILE, _NAME, _CONTENT):
        raise _damaged()
    return name.value.decode("ascii"), content.value


def _damaged() -> IssuerUnavailableError:
    return IssuerUnavailableError(
        "the stored contents of a card are damaged", code="production.contents-damaged"
    )
