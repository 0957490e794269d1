"""Data groups that begin with the list of the tags in them (ICAO 9303-10, 4.7.11 and 4.7.12)."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from card_layout import tlv
from card_layout.files.malformed import DataGroupError

__all__ = ["decode_listed", "encode_listed"]

_TAG_LIST = 0x5C


def encode_listed(tag: int, objects: Sequence[tlv.Tlv]) -> bytes:
    """``[tag] { [5C] tags || objects }``."""
    listed = _encoded_list(tuple([item.tag for item in objects]))
    return tlv.encode(tag, listed + b"".join([tlv.encode(*item) for item in objects]))


def decode_listed(
    tag: int,
    data: bytes,
    expected: tuple[int, ...],
    *,
    may_be_absent: frozenset[int] = frozenset(),
) -> Mapping[int, bytes]:
    """The values of the objects by tag: all of the ``expected`` in their order, and nothing else.

    Raises:
        TlvError: not data objects in ``tag``.
        DataGroupError: other objects than expected, or than the list names.
    """
    tag_list, objects = _usual_form(tag, expected)
    values = objects.values(data)
    if values is not None and values[0] == tag_list:
        return dict(zip(expected, values[1:], strict=True))
    parts = tlv.parse(data, expected_tag=tag).children()
    if not parts or parts[0].tag != _TAG_LIST:
        raise DataGroupError("does not begin with a tag list (5C)")
    found = [part.tag for part in parts[1:]]
    wanted = [item for item in expected if item not in may_be_absent or item in found]
    if found != wanted:
        raise DataGroupError(
            f"got tags {[f'{item:02X}' for item in found[:8]]}, expected {[f'{item:02X}' for item in wanted]}"
        )
    # Tags are written in one way only, so the list is right where it has the bytes of these.
    if parts[0].value != _list_of(found):
        raise DataGroupError("tag list names other tags than there are")
    return {part.tag: part.value for part in parts[1:]}


@lru_cache(maxsize=16)
def _usual_form(tag: int, expected: tuple[int, ...]) -> tuple[bytes, tlv.FixedObjects]:
    """The list of all of these tags, and the objects of a file that has them all."""
    return _list_of(expected), tlv.FixedObjects(_TAG_LIST, *expected, within=(tag,))


@lru_cache(maxsize=16)
def _encoded_list(tags: tuple[int, ...]) -> bytes:
    """The object that lists these tags; kept, because there are few lists and many cards."""
    return tlv.encode(_TAG_LIST, _list_of(tags))


def _list_of(tags: Sequence[int]) -> bytes:
    return b"".join([tag.to_bytes((tag.bit_length() + 7) // 8, "big") for tag in tags])
