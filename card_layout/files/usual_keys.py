"""The chip's public key in an info as issued cards write it, seen at a glance (ICAO 9303-11, 9.2.6; SPEC.md, 3.11).

All that stands before the point follows from the curve, from how it is named and from whether a key identifier of one
byte stands behind. Every other form is left to `security_infos`, which takes all that there are and says what is wrong.
"""

from typing import Final, NamedTuple

from card_layout import der, tlv
from card_layout.curves import CurveError, EcPublicKey, NamedCurve, before_point

__all__ = ["LastKey", "UsualKey", "last_key", "recognise_key"]

_ID_PK_ECDH: Final = tlv.encode(
    der.OBJECT_IDENTIFIER, der.encode_object_identifier("0.4.0.127.0.7.2.2.1.2")
)
_BEFORE_IDENTIFIER: Final = bytes((der.INTEGER, 1))
_HEADER_BYTES: Final = (4, 3, 2)
"""Tag and length of an info of more than 255 bytes, of more than 127, and of fewer."""

_IDENTIFIER_BYTES: Final = len(_BEFORE_IDENTIFIER) + 1
_LARGEST_IDENTIFIER: Final = 0x7F


class UsualKey(NamedTuple):
    """What such an info says."""

    public_key: EcPublicKey
    key_id: int | None
    is_explicit: bool


class _Form(NamedTuple):
    before: bytes
    curve: NamedCurve
    is_explicit: bool
    has_identifier: bool


def _form(curve: NamedCurve, *, is_explicit: bool, has_identifier: bool) -> tuple[int, _Form]:
    """One form, and how many bytes such an info has."""
    key = before_point(curve, explicit=is_explicit)
    behind = curve.point_bytes + (_IDENTIFIER_BYTES if has_identifier else 0)
    whole = tlv.encode(der.SEQUENCE, _ID_PK_ECDH + key + bytes(behind))
    return len(whole), _Form(whole[:-behind], curve, is_explicit, has_identifier)


_SIZED_FORMS: Final = tuple(
    _form(curve, is_explicit=is_explicit, has_identifier=has_identifier)
    for curve in NamedCurve
    for is_explicit in (True, False)
    for has_identifier in (True, False)
)
_FORMS: Final = {
    size: tuple(form for its_size, form in _SIZED_FORMS if its_size == size)
    for size, _ in _SIZED_FORMS
}
"""By the bytes of the whole info."""


class LastKey(NamedTuple):
    """A set that ends with such an info: all before it, and the info."""

    before: bytes
    info: bytes
    key: UsualKey


def last_key(encoded: bytes) -> LastKey | None:
    """The key at the end of a set of infos, where DER puts the longest; ``None`` where no usual one stands there."""
    place = encoded.rfind(_ID_PK_ECDH)
    for header_bytes in _HEADER_BYTES:
        info = encoded[max(0, place - header_bytes) :]
        key = recognise_key(info)
        if key is not None:
            return LastKey(encoded[: len(encoded) - len(info)], info, key)
    return None


def recognise_key(encoded: bytes) -> UsualKey | None:
    """The key in an info of one of the usual forms whose point lies on its curve, else ``None``."""
    for form in _FORMS.get(len(encoded), ()):
        if encoded.startswith(form.before):
            return _read(encoded, form)
    return None


def _read(encoded: bytes, form: _Form) -> UsualKey | None:
    start = len(form.before)
    end = start + form.curve.point_bytes
    key_id = None
    if form.has_identifier:
        key_id = encoded[-1]
        if not encoded.startswith(_BEFORE_IDENTIFIER, end) or key_id > _LARGEST_IDENTIFIER:
            return None
    try:
        public_key = EcPublicKey(curve=form.curve, point=encoded[start:end])
    except CurveError:
        return None
    return UsualKey(public_key, key_id, form.is_explicit)
