"""Public keys whose domain is named by the number of a standardised one (ICAO 9303-11, 9.5.1)."""

from typing import Final

from card_layout import der, tlv
from card_layout.curves import CurveError, EcPublicKey, curve_for_pace_parameter
from card_layout.files.malformed import malformed_as

__all__ = ["decode_numbered_key", "encode_numbered_key", "has_numbered_parameters"]

_STANDARDISED_DOMAIN_PARAMETERS: Final = tlv.encode(
    der.OBJECT_IDENTIFIER, der.encode_object_identifier("0.4.0.127.0.7.1.2")
)


def has_numbered_parameters(key: tlv.Tlv) -> bool:
    """Whether a SubjectPublicKeyInfo names its domain by a number."""
    parts = key.children()
    return bool(parts) and parts[0].value.startswith(_STANDARDISED_DOMAIN_PARAMETERS)


def encode_numbered_key(public_key: EcPublicKey) -> bytes:
    """The SubjectPublicKeyInfo of a key, its domain named by its number."""
    parameters = _STANDARDISED_DOMAIN_PARAMETERS + der.encode_integer(
        public_key.curve.pace_parameter_id
    )
    key = tlv.encode(der.BIT_STRING, b"\x00" + public_key.point)
    return tlv.encode(der.SEQUENCE, tlv.encode(der.SEQUENCE, parameters) + key)


def decode_numbered_key(key: tlv.Tlv) -> EcPublicKey:
    """The key of a SubjectPublicKeyInfo whose domain is named by a number.

    Raises:
        CurveError: the number is none of ours (``curve.unsupported``), or the point is not on its curve.
    """
    with malformed_as(CurveError, "a key with numbered domain parameters"):
        parts = key.children()
        numbers = parts[0].children()
    if len(parts) != 2 or parts[1].tag != der.BIT_STRING or parts[1].value[:1] != b"\x00":
        raise CurveError("subject public key info does not hold parameters and a whole bit string")
    if len(numbers) != 2 or numbers[1].tag != der.INTEGER:
        raise CurveError("the number of the domain parameters is missing, or not alone")
    with malformed_as(CurveError, "the number of the domain parameters"):
        curve = curve_for_pace_parameter(der.decode_integer(numbers[1].value))
    return EcPublicKey(curve=curve, point=parts[1].value[1:])
