"""``SubjectPublicKeyInfo``: elliptic keys with named or explicit parameters, RSA keys (RFC 5280, 4.1.2.7).

Doc 9303-12, 4.1.6 wants the domain parameters of CSCAs and document signers written out. On reading, explicit
parameters are taken only where every value equals that of a named curve (CVE-2020-0601): the curve is then the
named one, and the certificate's own values are never calculated with.
"""

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from card_layout.curves import CurveError, EcPublicKey
from pki.certificates.structures import element
from pki.errors import PkiDataError
from pki.keys.algorithms import PublicKey

__all__ = ["LEAST_FOREIGN_EXPONENT", "decode_public_key", "encode_public_key", "key_identifier"]

_RSA_ENCRYPTION = bytes.fromhex("300d 0609 2a864886f70d010101 0500")
"""RFC 3279, 2.3.1: the DER ``AlgorithmIdentifier`` with its NULL, compared as a whole."""

_MIN_RSA_BITS = 2048
_MAX_RSA_BITS = 8192
"""Circular 15/2025/TT-BKHCN from below; from above what a terminal verifies in a moment."""

_MIN_EXPONENT = 65537
LEAST_FOREIGN_EXPONENT = 3
"""What RFC 8017, 3.1 permits. CSCAs of some states have it; their signatures are verified with whole encodings."""

_MAX_EXPONENT_BITS = 64
"""A long public exponent would make verifying slow: nobody has one."""


@asn1.sequence
class _PublicKeyInfo:
    algorithm: asn1.TLV
    key: asn1.BitString


@asn1.sequence
class _RsaPublicKey:
    """RFC 8017, A.1.1."""

    modulus: int
    exponent: int


def decode_public_key(encoded: bytes, *, least_exponent: int = _MIN_EXPONENT) -> PublicKey:
    """Read a DER ``SubjectPublicKeyInfo``; an RSA key's exponent is odd and at least ``least_exponent``.

    Raises:
        PkiDataError: ``certificate.malformed``; ``certificate.algorithm-not-allowed``: another kind of key, other
            domain parameters, or an RSA key of another size.
    """
    try:
        info = asn1.decode_der(_PublicKeyInfo, encoded)
        if asn1.encode_der(info.algorithm) == _RSA_ENCRYPTION:
            return _decode_rsa(info, encoded, least_exponent)
    except (ValueError, OverflowError) as error:
        raise _malformed("it is not the DER that RFC 5280 asks for") from error
    try:
        return EcPublicKey.from_subject_public_key_info(encoded).to_cryptography()
    except CurveError as error:
        if error.code == "curve.unsupported":
            raise _not_allowed(str(error)) from error
        raise _malformed(str(error)) from error


def encode_public_key(public_key: PublicKey, *, explicit: bool) -> bytes:
    """The DER ``SubjectPublicKeyInfo``; ``explicit`` writes an elliptic key's domain parameters out, with cofactor.

    Raises:
        PkiDataError: ``certificate.algorithm-not-allowed``.
    """
    if not isinstance(public_key, rsa.RSAPublicKey):
        return _elliptic(public_key).to_subject_public_key_info(explicit=explicit)
    return asn1.encode_der(
        _PublicKeyInfo(
            algorithm=element(_RSA_ENCRYPTION),
            key=asn1.BitString(_rsa_value(public_key), 0),
        )
    )


def key_identifier(public_key: PublicKey) -> bytes:
    """SHA-1 over the public key's bits, as a name for it and nothing more (RFC 5280, 4.2.1.2, method 1)."""
    context = hashes.Hash(hashes.SHA1())  # noqa: S303 - the method is the standard's; no signature rests on it
    if isinstance(public_key, rsa.RSAPublicKey):
        context.update(_rsa_value(public_key))
    else:
        context.update(_elliptic(public_key).point)
    return context.finalize()


def _decode_rsa(info: _PublicKeyInfo, encoded: bytes, least_exponent: int) -> rsa.RSAPublicKey:
    value = asn1.decode_der(_RsaPublicKey, info.key.as_bytes())
    bits, exponent = value.modulus.bit_length(), value.exponent
    if not _MIN_RSA_BITS <= bits <= _MAX_RSA_BITS:
        raise _not_allowed(f"RSA key has {bits} bits, expected {_MIN_RSA_BITS} to {_MAX_RSA_BITS}")
    if exponent < least_exponent or exponent.bit_length() > _MAX_EXPONENT_BITS:
        raise _not_allowed(
            f"RSA exponent has {exponent.bit_length()} bits, "
            f"expected at least {least_exponent} and at most {_MAX_EXPONENT_BITS} bits"
        )
    if not value.modulus & 1 or not exponent & 1:
        raise _not_allowed("RSA modulus or exponent is even")
    public_key = rsa.RSAPublicNumbers(exponent, value.modulus).public_key()
    # One encoding is taken of every key: no bits too many, no integers too long.
    if encode_public_key(public_key, explicit=False) != encoded:
        raise _malformed("an RSA key is not in its one DER encoding")
    return public_key


def _rsa_value(public_key: rsa.RSAPublicKey) -> bytes:
    numbers = public_key.public_numbers()
    return asn1.encode_der(_RsaPublicKey(modulus=numbers.n, exponent=numbers.e))


def _elliptic(public_key: PublicKey) -> EcPublicKey:
    if isinstance(public_key, rsa.RSAPublicKey):
        raise _not_allowed("an RSA key has no curve")
    try:
        return EcPublicKey.from_cryptography(public_key)
    except CurveError as error:
        raise _not_allowed(str(error)) from error


def _malformed(reason: str) -> PkiDataError:
    return PkiDataError(f"public key cannot be used: {reason}", code="certificate.malformed")


def _not_allowed(reason: str) -> PkiDataError:
    return PkiDataError(
        f"public key cannot be used: {reason}", code="certificate.algorithm-not-allowed"
    )
