"""Reading data fields: exactly these objects, each once, in the order of SPEC.md."""

from collections.abc import Collection

from card_layout import tlv
from simulators.card.status import Refused, StatusWord

__all__ = ["read_objects", "read_template"]


def read_objects(
    data: bytes, *, required: Collection[int], optional: Collection[int] = ()
) -> dict[int, bytes]:
    """Tag -> value of the objects that fill ``data``.

    Raises:
        Refused: 6A80, not BER-TLV, an object missing, twice, or not asked for.
    """
    try:
        objects = tlv.parse_all(data)
    except tlv.TlvError as error:
        raise Refused(StatusWord.WRONG_DATA) from error
    found = {item.tag: item.value for item in objects}
    if len(found) != len(objects) or not set(required) <= set(found) <= {*required, *optional}:
        raise Refused(StatusWord.WRONG_DATA)
    return found


def read_template(
    data: bytes, tag: int, *, required: Collection[int], optional: Collection[int] = ()
) -> dict[int, bytes]:
    """Tag -> value of the objects inside the one template ``tag`` that fills ``data``.

    Raises:
        Refused: 6A80, as ``read_objects``, or another template.
    """
    return read_objects(
        read_objects(data, required=(tag,))[tag], required=required, optional=optional
    )
