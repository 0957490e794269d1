"""One list of positions as an IETF Token Status List, for verifiers of others (draft-ietf-oauth-status-list-18; SPEC.md, 7.15).

Our own terminals take the one compact list of all cards (7.8). Who verifies with a library for JSON Web Tokens fetches
the token of a card's list instead: two bits a position, packed from the lowest bit on, ZLIB, under a JWS whose header
carries the certificate of the status-list signer. Seven states become four there; what a card counts as stays the same.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum, unique
from types import MappingProxyType
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.prepared import Redemption, sign_once
from pki.certificates.profile import ProfileKind
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import PublicKey, SignatureAlgorithm
from pki.keys.signer import Signer
from pki.signed.card_states import MAX_LIST_POSITIONS, CardState
from pki.signed.list_period import MAX_LIST_LIFETIME

__all__ = [
    "MAX_TOKEN_BYTES",
    "PreparedToken",
    "TokenStatus",
    "TokenStatusList",
    "prepare_token",
    "token_uri",
]

MAX_TOKEN_BYTES: Final = 1024 * 1024
"""The longest list in the worst mix of states takes a third of it."""

_TYPE: Final = "statuslist+jwt"
_BITS: Final = 2
_PER_BYTE: Final = 8 // _BITS
_MAX_PACKED_BYTES: Final = MAX_LIST_POSITIONS // _PER_BYTE
_URI: Final = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*")
_MAX_URI: Final = 400
_MAX_SECONDS: Final = 253_402_300_799
"""The end of the year 9999."""


@unique
class TokenStatus(IntEnum):
    """What a position says there (draft, 7.1)."""

    VALID = 0
    INVALID = 1
    """For good."""
    SUSPENDED = 2
    """For the time being."""
    DATA_STALE = 3
    """Left to applications: genuine and in force, while the register says something else by now."""

    @property
    def label(self) -> str:
        """The word for it: ``data-stale``."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def of(cls, state: CardState) -> "TokenStatus":
        """What becomes of a card's state."""
        return _STATUS_OF[state]


_STATUS_OF: Final[Mapping[CardState, TokenStatus]] = MappingProxyType(
    {
        CardState.VALID: TokenStatus.VALID,
        # It will be valid once it is handed over: nothing that ends for good.
        CardState.NOT_HANDED_OVER: TokenStatus.SUSPENDED,
        CardState.DATA_STALE: TokenStatus.DATA_STALE,
        CardState.SUSPENDED: TokenStatus.SUSPENDED,
        CardState.REPLACED: TokenStatus.INVALID,
        CardState.LOST: TokenStatus.INVALID,
        CardState.REVOKED: TokenStatus.INVALID,
    }
)

_SHIFTED: Final = tuple(
    bytes(
        (_STATUS_OF[CardState(value)] << (_BITS * place)) if value < len(CardState) else 0
        for value in range(256)
    )
    for place in range(_PER_BYTE)
)
"""For each place in a byte, the table from a state to the bits that it sets."""

_UNPACKED: Final = tuple(
    bytes((packed >> (_BITS * place)) & 3 for packed in range(256)) for place in range(_PER_BYTE)
)

_ALGORITHMS: Final[Mapping[str, tuple[SignatureAlgorithm, str | None]]] = MappingProxyType(
    {
        "ES256": (SignatureAlgorithm.ECDSA_SHA256, "secp256r1"),
        "ES384": (SignatureAlgorithm.ECDSA_SHA384, "secp384r1"),
        "ES512": (SignatureAlgorithm.ECDSA_SHA512, "secp521r1"),
        "PS256": (SignatureAlgorithm.RSA_PSS_SHA256, None),
    }
)
"""The names of RFC 7518, 3.1, each with the one curve that it stands for."""


def token_uri(base: str, list_id: bytes) -> str:
    """Where the token of a list is fetched, which is also its subject.

    Raises:
        PkiRefusedError: ``token-status-list.uri``.
    """
    uri = f"{base.rstrip('/')}/{list_id.hex()}"
    if len(uri) > _MAX_URI or not _URI.fullmatch(uri):
        raise PkiRefusedError(
            f"{base[:80]!r} is no address for tokens, expected https:// with a host and plain path",
            code="token-status-list.uri",
        )
    return uri


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStatusList:
    """A parsed token; whether an authority certified ``signer`` is for the trust anchors to say.

    Attributes:
        token: the JWS in its compact form.
        uri: its subject, the address at which cards of this list find it.
        ttl: after which time a verifier should fetch it anew.
        statuses: one byte a position.
    """

    token: bytes = field(repr=False)
    uri: str
    issued_at: datetime
    expires_at: datetime
    ttl: timedelta
    statuses: bytes = field(repr=False)
    signer: ListSignerCertificate

    @classmethod
    def from_bytes(cls, token: bytes) -> Self:
        """Read a token, its signature by the certificate that it carries included.

        Raises:
            PkiDataError: ``token-status-list.malformed``.
        """
        return cls._read(token, is_proven=True)

    @classmethod
    def read_unproven(cls, token: bytes) -> Self:
        """Read a token without verifying its signature: trust nothing of it.

        Raises:
            PkiDataError: ``token-status-list.malformed``.
        """
        return cls._read(token, is_proven=False)

    @classmethod
    def _read(cls, token: bytes, *, is_proven: bool) -> Self:
        if len(token) > MAX_TOKEN_BYTES:
            raise _malformed(f"it has {len(token)} bytes, expected at most {MAX_TOKEN_BYTES}")
        parts = token.split(b".")
        if len(parts) != 3:
            raise _malformed(f"it has {len(parts)} parts, expected 3")
        header = _fields(parts[0], {"alg": str, "typ": str, "x5c": list}, "header")
        if header["typ"] != _TYPE:
            raise _malformed(f"its type is {header['typ'][:40]!r}, expected {_TYPE!r}")
        signer = _signer(header["x5c"])
        if is_proven:
            _verify(header["alg"], signer, signed=token.rpartition(b".")[0], signature=parts[2])
        claims = _fields(
            parts[1],
            {"exp": int, "iat": int, "status_list": dict, "sub": str, "ttl": int},
            "payload",
        )
        found = cls(
            token=token,
            uri=claims["sub"],
            issued_at=_moment(claims["iat"]),
            expires_at=_moment(claims["exp"]),
            ttl=timedelta(seconds=min(max(claims["ttl"], 0), _MAX_SECONDS)),
            statuses=_statuses(claims["status_list"]),
            signer=signer,
        )
        found._check()
        return found

    def find(self, index: int) -> TokenStatus | None:
        """What the position says; ``None`` for one that the list does not have."""
        return TokenStatus(self.statuses[index]) if 0 <= index < len(self.statuses) else None

    def _check(self) -> None:
        if len(self.uri) > _MAX_URI or not _URI.fullmatch(self.uri):
            raise _malformed("its subject is no plain https address")
        lifetime = self.expires_at - self.issued_at
        if not timedelta(0) < self.ttl <= lifetime <= MAX_LIST_LIFETIME:
            raise _malformed(
                f"it lives for {lifetime} and is fetched anew after {self.ttl}, "
                f"expected at most {MAX_LIST_LIFETIME} and no longer than it lives"
            )
        start = max(self.signer.not_before, self.signer.key_use_not_before)
        end = min(self.signer.not_after, self.signer.key_use_not_after)
        if not start <= self.issued_at <= end:
            raise _malformed(
                f"it was made at {self.issued_at}, its signer's key signs from {start} to {end}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedToken:
    """A token that lacks nothing but the signature; see ``pki.certificates.prepared.Prepared``."""

    algorithm: SignatureAlgorithm
    to_be_signed: bytes = field(repr=False)
    redemption: Redemption = field(
        init=False, repr=False, compare=False, default_factory=Redemption
    )

    def draft(self, signer: Signer) -> bytes:
        """See ``Prepared``."""
        return self._assemble(sign_once(self, signer), signer.public_key)

    def sign(self, signer: Signer) -> bytes:
        """See ``Prepared``."""
        return self._assemble(
            sign_once(self, signer, redemption=self.redemption), signer.public_key
        )

    def frame(self, finished: bytes) -> bytes:
        """See ``Prepared``."""
        return finished.rpartition(b".")[0] + b"."

    def _assemble(self, signature: bytes, public_key: PublicKey) -> bytes:
        if isinstance(public_key, EllipticCurvePublicKey):
            # RFC 7518, 3.4: both numbers one behind the other, each as long as the curve's order.
            size = (public_key.key_size + 7) // 8
            r, s = decode_dss_signature(signature)
            signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return self.to_be_signed + b"." + _encoded(signature)


def prepare_token(
    *,
    signer_certificate: bytes,
    public_key: PublicKey,
    uri: str,
    table: bytes,
    issued_at: datetime,
    expires_at: datetime,
    ttl: timedelta,
) -> PreparedToken:
    """Everything of a token but its signature.

    Args:
        signer_certificate: the DER certificate of a status-list signer.
        public_key: the key that will sign.
        uri: of ``token_uri``.
        table: the states of the list, one byte a position, as in ``CardStates.tables``.
        issued_at: aware; whole seconds count.
        expires_at: when nobody may believe it any more.
        ttl: after which time a verifier should fetch it anew.

    Raises:
        PkiDataError: ``signer.profile``.
        PkiRefusedError: RFC 7518 has no name for the key's algorithm (``token-status-list.algorithm``).
    """
    ListSignerCertificate.from_bytes(signer_certificate, kind=ProfileKind.STATUS_LIST_SIGNER)
    name = _algorithm_name(public_key)
    header = {
        "alg": name,
        "typ": _TYPE,
        "x5c": [base64.b64encode(signer_certificate).decode("ascii")],
    }
    claims = {
        "exp": int(expires_at.timestamp()),
        "iat": int(issued_at.timestamp()),
        "status_list": {"bits": _BITS, "lst": _encoded(_packed(table)).decode("ascii")},
        "sub": uri,
        "ttl": int(ttl.total_seconds()),
    }
    return PreparedToken(
        algorithm=_ALGORITHMS[name][0],
        to_be_signed=b".".join(_encoded(_json(part)) for part in (header, claims)),
    )


def _packed(table: bytes) -> bytes:
    """Two bits a position, the first position in the lowest bits (draft, 4.1), compressed as well as ZLIB can."""
    if len(table) % _PER_BYTE:
        table = table.ljust(
            len(table) + _PER_BYTE - len(table) % _PER_BYTE, bytes([CardState.NOT_HANDED_OVER])
        )
    packed = 0
    for place, shifted in enumerate(_SHIFTED):
        packed |= int.from_bytes(table[place::_PER_BYTE].translate(shifted), "big")
    return zlib.compress(packed.to_bytes(len(table) // _PER_BYTE, "big"), level=9)


def _statuses(found: Mapping[str, Any]) -> bytes:
    if set(found) != {"bits", "lst"} or found["bits"] != _BITS or not isinstance(found["lst"], str):
        raise _malformed(f"its status_list is not one of {_BITS} bits a position")
    inflation = zlib.decompressobj()
    try:
        packed = inflation.decompress(_decoded(found["lst"].encode()), _MAX_PACKED_BYTES + 1)
    except zlib.error as error:
        raise _malformed("its list cannot be unpacked") from error
    if not inflation.eof or inflation.unused_data or not 0 < len(packed) <= _MAX_PACKED_BYTES:
        raise _malformed(f"its list is cut, or of more than {MAX_LIST_POSITIONS} positions")
    statuses = bytearray(len(packed) * _PER_BYTE)
    for place, unpacked in enumerate(_UNPACKED):
        statuses[place::_PER_BYTE] = packed.translate(unpacked)
    return bytes(statuses)


def _verify(name: str, signer: ListSignerCertificate, *, signed: bytes, signature: bytes) -> None:
    public_key = signer.certificate.public_key
    if name != _algorithm_name(public_key):
        raise _malformed(f"its algorithm is {name[:20]!r}, which is not that of its signer's key")
    raw = _decoded(signature)
    if isinstance(public_key, EllipticCurvePublicKey):
        size = (public_key.key_size + 7) // 8
        if len(raw) != 2 * size:
            raise _malformed(f"its signature has {len(raw)} bytes, expected {2 * size}")
        raw = encode_dss_signature(
            int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big")
        )
    if not _ALGORITHMS[name][0].verifies(public_key, signature=raw, message=signed):
        raise _malformed("its signature is not that of the certificate that it carries")


def _algorithm_name(public_key: PublicKey) -> str:
    algorithm = SignatureAlgorithm.for_key(public_key)
    curve = public_key.curve.name if isinstance(public_key, EllipticCurvePublicKey) else None
    for name, known in _ALGORITHMS.items():
        if known == (algorithm, curve):
            return name
    raise PkiRefusedError(
        f"JSON Web Signatures have no name for {algorithm.name} over {curve}",
        code="token-status-list.algorithm",
        hint="have the status lists signed with a key on P-256, P-384 or P-521, or with RSA",
    )


def _signer(found: list[Any]) -> ListSignerCertificate:
    if len(found) != 1 or not isinstance(found[0], str):
        raise _malformed("its header does not carry exactly one certificate")
    try:
        der = base64.b64decode(found[0].encode(), validate=True)
        return ListSignerCertificate.from_bytes(der, kind=ProfileKind.STATUS_LIST_SIGNER)
    except (binascii.Error, PkiDataError) as error:
        raise _malformed(f"its certificate is not that of a status-list signer: {error}") from error


def _fields(part: bytes, kinds: Mapping[str, type], place: str) -> dict[str, Any]:
    """Exactly these members, each of its kind; a name that stands there twice is refused."""
    try:
        found = json.loads(_decoded(part), object_pairs_hook=_unique(place))
    except (ValueError, RecursionError) as error:
        raise _malformed(f"its {place} is no JSON: {error}") from error
    if not isinstance(found, dict) or set(found) != set(kinds):
        raise _malformed(f"its {place} has other members than {', '.join(sorted(kinds))}")
    for name, kind in kinds.items():
        if type(found[name]) is not kind:
            raise _malformed(f"its {place} has a {name} of a wrong kind")
    return found


def _unique(place: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise _malformed(f"its {place} names a member twice")
        return found

    return collect


def _moment(seconds: int) -> datetime:
    if not 0 <= seconds <= _MAX_SECONDS:
        raise _malformed("a time in it is out of range")
    return datetime.fromtimestamp(seconds, UTC)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _encoded(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _decoded(text: bytes) -> bytes:
    """Base64url without padding (RFC 7515, 2), in its one spelling."""
    try:
        content = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise _malformed("a part of it is no base64url") from error
    if _encoded(content) != text:
        raise _malformed("a part of it is no base64url in its one spelling")
    return content


def _malformed(sentence: str) -> PkiDataError:
    return PkiDataError(
        f"a token status list cannot be read: {sentence}", code="token-status-list.malformed"
    )
