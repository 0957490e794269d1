"""Public keys whose private half is known or can be worked out, by formulas and without a network (``badkeys``)."""

from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pki.keys.algorithms import PublicKey

__all__ = ["weakness_of"]

_RSA_CHECKS: Final = {
    "fermat": "its primes stand too close together",
    "roca": "it was made by a library whose keys can be factored (CVE-2017-15361)",
    "rsainvalid": "its modulus or exponent is not one of RSA",
    "rsapoly": "its modulus can be factored as a polynomial",
    "smalld": "its private exponent is small",
    "smallfactors": "its modulus has a small factor",
    "pattern": "its modulus repeats a pattern",
}
"""The names of ``badkeys``'s checks that need no data, with what each of them means."""

_SMALL_SCALARS: Final = range(1, 33)


def weakness_of(public_key: PublicKey) -> str | None:
    """Why a key is weak; ``None`` where nothing is known against it. Cached by the key's numbers."""
    if isinstance(public_key, rsa.RSAPublicKey):
        numbers = public_key.public_numbers()
        return _rsa_weakness(numbers.n, numbers.e)
    if public_key.public_numbers().x in _guessable(public_key.curve.name):
        return "its private key is one of the first numbers, or their opposites"
    return None


@lru_cache(maxsize=64)
def _rsa_weakness(modulus: int, exponent: int) -> str | None:
    # Only for RSA: a terminal of member cards, which are elliptic, never loads it.
    from badkeys.checks import checkrsa  # noqa: PLC0415

    found = checkrsa(modulus, e=exponent, checks=list(_RSA_CHECKS))
    return next((text for name, text in _RSA_CHECKS.items() if name in found), None)


@lru_cache(maxsize=16)
def _guessable(curve_name: str) -> frozenset[int]:
    """The x coordinates of small multiples of the generator; those of their opposites are the same."""
    curve = _CURVES.get(curve_name)
    if curve is None:
        return frozenset()
    return frozenset(
        ec.derive_private_key(scalar, curve).public_key().public_numbers().x
        for scalar in _SMALL_SCALARS
    )


_CURVES: Final[dict[str, ec.EllipticCurve]] = {
    curve.name: curve
    for curve in (
        ec.SECP256R1(),
        ec.SECP384R1(),
        ec.SECP521R1(),
        ec.BrainpoolP256R1(),
        ec.BrainpoolP384R1(),
        ec.BrainpoolP512R1(),
    )
}
