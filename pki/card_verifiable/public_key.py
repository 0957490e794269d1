"""Public keys of CV certificates and the plain signatures that they verify (TR-03110-3, D.3; TR-03111, 5.2.1).

Domain parameters stand in the certificates of CVCAs and in requests; document verifiers and terminals inherit
those of their CVCA. Explicit parameters are taken only if every value equals that of one named curve.
"""

from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from card_layout import der, tlv
from card_layout.curves import CurveError, EcPublicKey, NamedCurve
from card_layout.errors import CardDataError
from card_layout.tlv import Tlv
from pki.card_verifiable.structure import Tag, malformed
from pki.errors import PkiDataError
from pki.keys.algorithms import SignatureAlgorithm, elliptic_curve_key
from pki.keys.signer import Signer

__all__ = ["CvPublicKey", "sign_plainly", "verify_plain_signature"]

_TERMINAL_AUTHENTICATION: Final = "0.4.0.127.0.7.2.2.2"
_RSA: Final = f"{_TERMINAL_AUTHENTICATION}.1."
_OIDS: Final = {
    SignatureAlgorithm.ECDSA_SHA256: f"{_TERMINAL_AUTHENTICATION}.2.3",
    SignatureAlgorithm.ECDSA_SHA384: f"{_TERMINAL_AUTHENTICATION}.2.4",
    SignatureAlgorithm.ECDSA_SHA512: f"{_TERMINAL_AUTHENTICATION}.2.5",
}
"""id-TA-ECDSA-SHA-256 and so on (TR-03110-3, A.6.4); SHA-1, SHA-224 and RSA are not allowed."""
_ALGORITHM_OF: Final = {oid: algorithm for algorithm, oid in _OIDS.items()}

_POINT: Final = 0x86
_PARAMETER_TAGS: Final = (0x81, 0x82, 0x83, 0x84, 0x85)
_COFACTOR: Final = 0x87
_MIN_POINT_BYTES: Final = min(curve.point_bytes for curve in NamedCurve)
_MAX_POINT_BYTES: Final = max(curve.point_bytes for curve in NamedCurve)


def _unsigned(number: int) -> bytes:
    """As few bytes as the number needs (TR-03110-3, D.2.1.1)."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


_PARAMETERS: Final = {
    curve: tuple(
        Tlv(tag, value)
        for tag, value in (
            (0x81, _unsigned(curve.p)),
            (0x82, _unsigned(curve.a)),
            (0x83, _unsigned(curve.b)),
            (0x84, curve.generator),
            (0x85, _unsigned(curve.n)),
            (_COFACTOR, _unsigned(curve.h)),
        )
    )
    for curve in NamedCurve
}
# Parameters are compared as whole encodings: no value can be forgotten, and none is parsed.
_CURVE_OF_PARAMETERS: Final = {parameters: curve for curve, parameters in _PARAMETERS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class CvPublicKey:
    """An ECDSA key: the algorithm it verifies, its point, and its curve where that is written out.

    ``curve`` is ``None`` where the domain parameters are inherited; the point is then known to lie on the curve
    only once ``on`` has been asked.
    """

    algorithm: SignatureAlgorithm
    point: bytes = field(repr=False)
    curve: NamedCurve | None

    def __post_init__(self) -> None:
        if self.curve is not None:
            self.on(self.curve)
        elif (
            not _MIN_POINT_BYTES <= len(self.point) <= _MAX_POINT_BYTES
            or self.point[0] != 0x04
            or len(self.point) % 2 == 0
        ):
            raise malformed(
                f"public key has {len(self.point)} bytes, expected a point 04 || X || Y"
            )

    @classmethod
    def of(cls, signer: Signer, *, explicit: bool) -> Self:
        """The public half of a signer; ``explicit`` writes the domain parameters out.

        Raises:
            PkiDataError: ``cv-certificate.curve-not-allowed``.
        """
        try:
            key = EcPublicKey.from_cryptography(elliptic_curve_key(signer.public_key))
        except CurveError as error:
            raise _curve_not_allowed(str(error)) from error
        return cls(
            algorithm=signer.algorithm, point=key.point, curve=key.curve if explicit else None
        )

    @classmethod
    def from_value(cls, value: bytes) -> Self:
        """Read the value of 7F49.

        Raises:
            PkiDataError: ``cv-certificate.malformed``, ``cv-certificate.algorithm-not-allowed``,
                ``cv-certificate.curve-not-allowed``.
        """
        try:
            parts = tlv.parse_all(value)
            if not parts or parts[0].tag != Tag.OBJECT_IDENTIFIER:
                raise malformed("public key does not begin with an object identifier")
            oid = der.decode_object_identifier(parts[0].value)
        except CardDataError as error:
            raise malformed(f"public key is malformed: {error}") from error
        algorithm = _ALGORITHM_OF.get(oid)
        if algorithm is None:
            name = "RSA" if oid.startswith(_RSA) else "another algorithm"
            raise PkiDataError(
                f"public key is for {name} ({oid}), expected ECDSA with SHA-256, SHA-384 or SHA-512",
                code="cv-certificate.algorithm-not-allowed",
            )
        tags = tuple(part.tag for part in parts[1:])
        if tags == (_POINT,):
            return cls(algorithm=algorithm, point=parts[1].value, curve=None)
        if tags != (*_PARAMETER_TAGS, _POINT, _COFACTOR):
            raise malformed(
                f"public key holds {' '.join(f'{tag:02X}' for tag in tags[:12]) or 'no point'}, "
                "expected 86 alone or 81 82 83 84 85 86 87"
            )
        curve = _CURVE_OF_PARAMETERS.get((*parts[1:6], parts[7]))
        if curve is None:
            raise _curve_not_allowed("domain parameters equal those of no supported curve")
        return cls(algorithm=algorithm, point=parts[6].value, curve=curve)

    def to_value(self) -> bytes:
        """The value of 7F49."""
        oid = der.encode_object_identifier(_OIDS[self.algorithm])
        objects = [Tlv(Tag.OBJECT_IDENTIFIER, oid), Tlv(_POINT, self.point)]
        if self.curve is not None:
            *parameters, cofactor = _PARAMETERS[self.curve]
            objects[1:1] = parameters
            objects.append(cofactor)
        return tlv.concatenate(objects)

    @property
    def oid(self) -> str:
        """The algorithm's object identifier for terminal authentication."""
        return _OIDS[self.algorithm]

    def on(self, curve: NamedCurve) -> EcPublicKey:
        """The key as a point that is known to lie on the curve.

        Raises:
            PkiDataError: ``cv-certificate.malformed``: it does not.
        """
        try:
            return EcPublicKey(curve=curve, point=self.point)
        except CurveError as error:
            raise malformed(f"public key: {error}") from error

    def without_parameters(self) -> Self:
        """The same key as it stands in the certificate of a document verifier or a terminal."""
        return type(self)(algorithm=self.algorithm, point=self.point, curve=None)


def sign_plainly(signer: Signer, message: bytes) -> bytes:
    """Sign; the signature is r || s, each as long as the order of the curve (TR-03111, 5.2.1).

    Raises:
        KeystoreError: the key or its token failed.
        PkiDataError: ``cv-certificate.curve-not-allowed``.
    """
    try:
        curve = EcPublicKey.from_cryptography(elliptic_curve_key(signer.public_key)).curve
    except CurveError as error:
        raise _curve_not_allowed(str(error)) from error
    size = _order_bytes(curve)
    r, s = decode_dss_signature(signer.sign(message))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def verify_plain_signature(
    key: EcPublicKey, algorithm: SignatureAlgorithm, *, signature: bytes, message: bytes, name: str
) -> None:
    """Whether r || s is the key's signature over the message; ``name`` says whose in the error.

    Raises:
        PkiDataError: ``cv-certificate.signature-invalid``.
    """
    size = _order_bytes(key.curve)
    if len(signature) != 2 * size:
        raise _signature_invalid(
            f"signature of {name} has {len(signature)} bytes, expected {2 * size}"
        )
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    try:
        key.to_cryptography().verify(
            encode_dss_signature(r, s),
            message,
            ec.ECDSA(algorithm.hash_algorithm.to_cryptography()),
        )
    except InvalidSignature as error:
        raise _signature_invalid(f"signature of {name} does not verify") from error


def _order_bytes(curve: NamedCurve) -> int:
    return (curve.n.bit_length() + 7) // 8


def _curve_not_allowed(message: str) -> PkiDataError:
    return PkiDataError(message, code="cv-certificate.curve-not-allowed")


def _signature_invalid(message: str) -> PkiDataError:
    return PkiDataError(message, code="cv-certificate.signature-invalid")
