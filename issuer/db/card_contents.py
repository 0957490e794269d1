"""The form in which a card's contents are sealed: the MRZ password, then each file with its name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from card_layout import tlv
from card_layout.errors import CardDataError
from issuer.errors import IssuerUnavailableError

__all__ = ["CardContents"]

_MRZ_INFORMATION = 0xC0
_FILE = 0xE1
_NAME = 0xC1
_CONTENT = 0xC2


@dataclass(frozen=True, slots=True, kw_only=True)
class CardContents:
    """``files`` by name; all of the application's but EF.SOD, which is not secret and comes later."""

    mrz_information: str = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """What ``to_bytes`` made.

        Raises:
            IssuerUnavailableError: anything else (``production.contents-damaged``).
        """
        try:
            first, *rest = tlv.parse_all(encoded)
            files = dict(_file(item) for item in rest)
            mrz_information = first.value.decode("ascii")
        except (CardDataError, ValueError) as error:
            raise _damaged() from error
        if first.tag != _MRZ_INFORMATION or len(files) != len(rest):
            raise _damaged()
        return cls(mrz_information=mrz_information, files=files)

    def to_bytes(self) -> bytes:
        """Data objects side by side."""
        parts = [tlv.encode(_MRZ_INFORMATION, self.mrz_information.encode("ascii"))]
        for name, content in self.files.items():
            # One of the files is as long as a picture: it is copied once, not for each template around it.
            head = _name(name) + tlv.encode_header(_CONTENT, len(content))
            parts += (tlv.encode_header(_FILE, len(head) + len(content)), head, content)
        return b"".join(parts)


@lru_cache(maxsize=64)
def _name(name: str) -> bytes:
    return tlv.encode(_NAME, name.encode("ascii"))


def _file(item: tlv.Tlv) -> tuple[str, bytes]:
    name, content = item.children()
    if (item.tag, name.tag, content.tag) != (_FILE, _NAME, _CONTENT):
        raise _damaged()
    return name.value.decode("ascii"), content.value


def _damaged() -> IssuerUnavailableError:
    return IssuerUnavailableError(
        "the stored contents of a card are damaged", code="production.contents-damaged"
    )
