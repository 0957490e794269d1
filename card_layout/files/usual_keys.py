"""The chip's public key in an info as issued cards write it, seen at a glance (ICAO 9303-11, 9.2.6; SPEC.md, 3.11).

All that stands before the point follows from the curve, from how it is named and from whether a key identifier of one
byte stands behind. Every other form is left to `security_infos`, which takes all that there are and says what is wrong.
"""

from typing import Final, NamedTuple

from card_layout import der, tlv
from card_layout.curves import CurveError, EcPublicKey, NamedCurve, before_point

__all__ = ["UsualKey", "recognise_key"]

_ID_PK_ECDH: Final = tlv.encode(
    der.OBJECT_IDENTIFIER, der.encode_object_identifier("0.4.0.127.0.7.2.2.1.2")
)
_BEFORE_IDENTIFIER: Final = bytes((der.INTEGER, 1))
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


def _form(curve: NamedCurve, *, is_explicit: bool, has_identifier: bool) -> _Form:
    key = before_point(curve, explicit=is_explicit)
    behind = curve.point_bytes + (len(_BEFORE_IDENTIFIER) + 1 if has_identifier else 0)
    whole = tlv.encode(der.SEQUENCE, _ID_PK_ECDH + key + bytes(behind))
    return _Form(whole[:-behind], curve, is_explicit, has_identifier)


_FORMS: Final = tuple(
    _form(curve, is_explicit=is_explicit, has_identifier=has_identifier)
    for curve in NamedCurve
    for is_explicit in (True, False)
    for has_identifier in (True, False)
)


def recognise_key(encoded: bytes) -> UsualKey | None:
    """The key in an info of one of the usual forms whose point lies on its curve, else ``None``."""
    form = next((item for item in _FORMS if encoded.startswith(item.before)), None)
    if form is None:
        return None
    start = len(form.before)
    end = start + form.curve.point_bytes
    behind = encoded[end:]
    key_id = None
    if form.has_identifier:
        if len(behind) != len(_BEFORE_IDENTIFIER) + 1 or not behind.startswith(_BEFORE_IDENTIFIER):
            return None
        key_id = behind[-1]
        if key_id > _LARGEST_IDENTIFIER:
            return None
    elif behind:
        return None
    try:
        public_key = EcPublicKey(curve=form.curve, point=encoded[start:end])
    except CurveError:
        return None
    return UsualKey(public_key, key_id, form.is_explicit)
