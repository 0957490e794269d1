"""Requests that a terminal signs with the key of its CV certificate: one narrow profile of RFC 9421, HTTP message signatures.

Covered are the method, the whole address and the digest of the body (RFC 9530), always in this order; the parameters are
when it was made, the terminal's holder reference and a tag that names this use. The certificates come beside in
``Membercard-Certificates``, a list of byte sequences (RFC 8941): links, document verifier, terminal.

The same key signs terminal authentication. That message is always 3 values of the chip's session without any text, at most
a few hundred bytes that never begin with ``"@method": ``; so no chip can have a request signed, and no request is a proof to a chip.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final

from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.credentials import TerminalCredentials
from pki.errors import PkiError
from verifier.errors import VerifierError

__all__ = [
    "CERTIFICATES_HEADER",
    "DIGEST_HEADER",
    "INPUT_HEADER",
    "SIGNATURE_HEADER",
    "RequestSignatureError",
    "SignedRequest",
    "sign_request",
]

CERTIFICATES_HEADER: Final = "membercard-certificates"
DIGEST_HEADER: Final = "content-digest"
INPUT_HEADER: Final = "signature-input"
SIGNATURE_HEADER: Final = "signature"

_TAG: Final = "membercard-centre-1"
_LABEL: Final = "terminal"
_MAX_CERTIFICATES: Final = 8
_KNOWN_CHAINS: Final = 512
_MAX_HEADER_CHARACTERS: Final = 12_000
_INPUT: Final = re.compile(
    rf'{_LABEL}=(\("@method" "@target-uri" "content-digest"\);created=([1-9][0-9]{{0,11}});keyid="([A-Z]{{2}}[0-9A-Z]{{1,14}})";tag="{_TAG}")'
)
_SIGNATURE: Final = re.compile(rf"{_LABEL}=:([A-Za-z0-9+/=]{{1,300}}):")
_CERTIFICATE: Final = re.compile(r":([A-Za-z0-9+/=]{1,6000}):")


class RequestSignatureError(VerifierError):
    """A request is not signed as agreed."""

    default_code = "centre.signature-malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What the headers of a request say: nothing of it is proven before ``message`` was verified."""

    made_at: datetime
    key_id: str
    certificates: tuple[CvCertificate, ...]
    encoded: tuple[bytes, ...] = field(repr=False)
    signature: bytes = field(repr=False)
    message: bytes = field(repr=False)
    """The signature base (RFC 9421, 2.5)."""

    @classmethod
    def read(
        cls, headers: Mapping[str, str], *, method: str, target: str, body: bytes
    ) -> "SignedRequest | None":
        """Read the headers of a request (names in lower case); ``None`` where none of ours is there.

        Raises:
            RequestSignatureError: they are not exactly as this profile has them, or the digest is not the body's.
        """
        names = (CERTIFICATES_HEADER, DIGEST_HEADER, INPUT_HEADER, SIGNATURE_HEADER)
        given = {name: headers[name] for name in names if name in headers}
        if not given:
            return None
        if len(given) != len(names) or any(
            len(value) > _MAX_HEADER_CHARACTERS for value in given.values()
        ):
            raise RequestSignatureError(
                f"got {' '.join(given)}, expected each of {' '.join(names)}, none too long"
            )
        if given[DIGEST_HEADER] != _digest(body):
            raise RequestSignatureError("the digest in the headers is not that of the body")
        parts = _INPUT.fullmatch(given[INPUT_HEADER])
        signature = _SIGNATURE.fullmatch(given[SIGNATURE_HEADER])
        if parts is None or signature is None:
            raise RequestSignatureError("the signature's headers are not as this service has them")
        encoded, certificates = _certificates(given[CERTIFICATES_HEADER])
        return cls(
            made_at=datetime.fromtimestamp(int(parts[2]), UTC),
            key_id=parts[3],
            certificates=certificates,
            encoded=encoded,
            signature=_decoded(signature[1]),
            message=_base(method, target, given[DIGEST_HEADER], parts[1]),
        )


def sign_request(
    credentials: TerminalCredentials,
    *,
    chain: Sequence[CvCertificate],
    method: str,
    target: str,
    body: bytes,
    now: datetime,
) -> dict[str, str]:
    """The headers that sign a request; ``target`` is the whole address, ``chain`` ends with the terminal's certificate.

    Raises:
        KeystoreError: the key or its token failed.
    """
    digest = _digest(body)
    parameters = (
        '("@method" "@target-uri" "content-digest")'
        f";created={int(now.timestamp())}"
        f';keyid="{credentials.holder_reference.text}";tag="{_TAG}"'
    )
    signature = credentials.sign(_base(method, target, digest, parameters))
    return {
        CERTIFICATES_HEADER: ", ".join(f":{_encoded(item.to_bytes())}:" for item in chain),
        DIGEST_HEADER: digest,
        INPUT_HEADER: f"{_LABEL}={parameters}",
        SIGNATURE_HEADER: f"{_LABEL}=:{_encoded(signature)}:",
    }


def _base(method: str, target: str, digest: str, parameters: str) -> bytes:
    lines = (
        f'"@method": {method}',
        f'"@target-uri": {target}',
        f'"content-digest": {digest}',
        f'"@signature-params": {parameters}',
    )
    return "\n".join(lines).encode()


def _digest(body: bytes) -> str:
    return f"sha-256=:{_encoded(sha256(body).digest())}:"


@lru_cache(maxsize=_KNOWN_CHAINS)
def _certificates(header: str) -> tuple[tuple[bytes, ...], tuple[CvCertificate, ...]]:
    """The chain in a header, and its encodings; kept, because a terminal shows the same for a month."""
    encoded = tuple(_byte_sequences(header))
    try:
        return encoded, tuple(CvCertificate.from_bytes(item) for item in encoded)
    except PkiError as error:
        raise RequestSignatureError(f"a certificate cannot be read: {error}") from error


def _byte_sequences(header: str) -> Iterable[bytes]:
    items = header.split(", ")
    if len(items) > _MAX_CERTIFICATES:
        raise RequestSignatureError(
            f"got {len(items)} certificates, expected at most {_MAX_CERTIFICATES}"
        )
    for item in items:
        found = _CERTIFICATE.fullmatch(item)
        if found is None:
            raise RequestSignatureError("a certificate is no byte sequence")
        yield _decoded(found[1])


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestSignatureError("a byte sequence is not in base64") from error
