"""Security objects put together byte by byte, so that any part of them can be made wrong (SPEC.md, 7).

Keys are thrown away: the authority of these vectors is trusted by nothing else.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lint_vectors import drafts
from lint_vectors.drafts import (
    algorithm,
    integer,
    key,
    octets,
    oid,
    seq,
    sets,
    tagged,
    utc,
)

from card_layout import tlv

SIGNED_DATA = "1.2.840.113549.1.7.2"
LDS_SECURITY_OBJECT = "2.23.136.1.1.1"
SIGNING_TIME = "260115080000Z"
NULL = b"\x05\x00"
RSA_ENCRYPTION = "1.2.840.113549.1.1.1"

HASHES = {
    "sha1": ("1.3.14.3.2.26", hashes.SHA1),
    "sha224": ("2.16.840.1.101.3.4.2.4", hashes.SHA224),
    "sha256": ("2.16.840.1.101.3.4.2.1", hashes.SHA256),
    "sha384": ("2.16.840.1.101.3.4.2.2", hashes.SHA384),
    "sha512": ("2.16.840.1.101.3.4.2.3", hashes.SHA512),
}
ECDSA_OIDS = {
    "sha1": "1.2.840.10045.4.1",
    "sha224": "1.2.840.10045.4.3.1",
    "sha256": "1.2.840.10045.4.3.2",
    "sha384": "1.2.840.10045.4.3.3",
    "sha512": "1.2.840.10045.4.3.4",
}
PLAIN_ECDSA_OIDS = {
    name: f"0.4.0.127.0.7.1.1.4.1.{number}"
    for number, name in enumerate(("sha1", "sha224", "sha256", "sha384", "sha512"), 1)
}
PKCS1_OIDS = {
    "sha1": "1.2.840.113549.1.1.5",
    "sha224": "1.2.840.113549.1.1.14",
    "sha256": "1.2.840.113549.1.1.11",
    "sha384": "1.2.840.113549.1.1.12",
    "sha512": "1.2.840.113549.1.1.13",
}
DSA_OIDS = {"sha224": "2.16.840.1.101.3.4.3.1", "sha256": "2.16.840.1.101.3.4.3.2"}


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """One throw-away RSA key for all vectors: making one takes long."""
    return rsa.generate_private_key(65537, 3072)


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How a security object is signed: what it names, and what it really does."""

    hash_name: str
    identifier: bytes
    is_rsa: bool
    sign: Callable[[bytes], bytes] = field(repr=False)

    def public_key(self) -> bytes:
        """The SubjectPublicKeyInfo of the signer's certificate."""
        if self.is_rsa:
            public = rsa_key().public_key()
            return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return drafts.public_key(key("signer"))


def ecdsa(hash_name: str = "sha256", *, plain: bool = False) -> Scheme:
    """ECDSA as X9.62 encodes it, or r and s one behind the other as TR-03111 does."""
    make = HASHES[hash_name][1]

    def sign(content: bytes) -> bytes:
        signature = key("signer").sign(content, ec.ECDSA(make()))
        if not plain:
            return signature
        return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(signature))

    name = (PLAIN_ECDSA_OIDS if plain else ECDSA_OIDS)[hash_name]
    return Scheme(hash_name=hash_name, identifier=algorithm(name), is_rsa=False, sign=sign)


def pkcs1(hash_name: str, *, named_by_key: bool = False) -> Scheme:
    """RSASSA-PKCS1-v1_5, named by itself or only by the key's own identifier."""
    make = HASHES[hash_name][1]
    name = RSA_ENCRYPTION if named_by_key else PKCS1_OIDS[hash_name]
    return Scheme(
        hash_name=hash_name,
        identifier=algorithm(name, NULL),
        is_rsa=True,
        sign=lambda content: rsa_key().sign(content, padding.PKCS1v15(), make()),
    )


def pss(hash_name: str) -> Scheme:
    """RSASSA-PSS with one hash throughout and a salt as long as it."""
    name, make = HASHES[hash_name]
    size = make.digest_size
    hashed = algorithm(name, NULL)
    # DER leaves defaults out: SHA-1 with a salt of 20 bytes is an empty sequence (RFC 4055, 3.1).
    parameters = (
        seq()
        if hash_name == "sha1"
        else seq(
            tagged(0xA0, hashed),
            tagged(0xA1, algorithm("1.2.840.113549.1.1.8", hashed)),
            tagged(0xA2, integer(size)),
        )
    )
    chosen = padding.PSS(mgf=padding.MGF1(make()), salt_length=size)
    return Scheme(
        hash_name=hash_name,
        identifier=algorithm("1.2.840.113549.1.1.10", parameters),
        is_rsa=True,
        sign=lambda content: rsa_key().sign(content, chosen, make()),
    )


_ISSUED: dict[tuple[bytes, str, bytes], bytes] = {}


def _issue(draft: drafts.CertificateDraft) -> bytes:
    """The certificate, the same each time: a signature of ECDSA is another one whenever it is made."""
    name = (draft.content(), draft.signing_key, draft.outer_algorithm)
    if draft.signature is not None:
        return draft.to_bytes()
    if name not in _ISSUED:
        _ISSUED[name] = draft.to_bytes()
    return _ISSUED[name]


def attribute(kind: str, value: bytes) -> bytes:
    return seq(oid(kind), sets(value))


CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME_OID = "1.2.840.113549.1.9.5"
STATUS_REFERENCE = "1.3.6.1.4.1.32473.51.1.1"


@dataclass(frozen=True, kw_only=True)
class SecurityObjectDraft:
    """A right security object; whatever is not ``None`` replaces what would stand there."""

    scheme: Scheme = field(default_factory=ecdsa)
    signer: drafts.CertificateDraft = field(default_factory=drafts.document_signer)
    version: bytes = integer(3)
    digest_algorithms: bytes | None = None
    content_type: bytes = oid(LDS_SECURITY_OBJECT)
    lds_version: bytes = integer(1)
    lds_digest: bytes | None = None
    lds_hashes: Callable[[dict[int, bytes]], list[bytes]] | None = None
    version_info: bytes = seq(tlv.encode(0x13, b"0108"), tlv.encode(0x13, b"040000"))
    certificate: bytes | None = None
    signer_version: bytes = integer(1)
    signer_identifier: bytes | None = None
    signer_digest: bytes | None = None
    message_digest: bytes | None = None
    attributes: dict[str, bytes | None] = field(default_factory=dict)
    signature_algorithm: bytes | None = None
    signature: Callable[[bytes], bytes] | None = None
    """What stands at the signature's place, tag and all, made from what is signed."""

    def having(self, **fields: object) -> "SecurityObjectDraft":
        return replace(self, **fields)

    @property
    def hash_name(self) -> str:
        return self.scheme.hash_name

    def digest(self, content: bytes) -> bytes:
        return hashlib.new(self.hash_name, content, usedforsecurity=False).digest()

    @property
    def digest_identifier(self) -> bytes:
        return algorithm(HASHES[self.hash_name][0])

    def signer_certificate(self) -> bytes:
        if self.certificate is not None:
            return self.certificate
        signer = self.signer
        if self.scheme.is_rsa:
            signer = signer.having(public_key=self.scheme.public_key())
        return _issue(signer)

    def lds_content(self, files: dict[int, bytes]) -> bytes:
        hashed = {number: self.digest(content) for number, content in sorted(files.items())}
        make = data_group_hashes if self.lds_hashes is None else self.lds_hashes
        return seq(
            self.lds_version,
            self.digest_identifier if self.lds_digest is None else self.lds_digest,
            seq(*make(hashed)),
            self.version_info,
        )

    def to_bytes(self, files: dict[int, bytes]) -> bytes:
        """The whole of EF.SOD over these data groups."""
        return self.finish(self.lds_content(files))

    def finish(self, content: bytes) -> bytes:
        """The whole of EF.SOD over this LDSSecurityObject."""
        return tlv.encode(0x77, self.content_info(content))

    def content_info(self, content: bytes) -> bytes:
        """The ContentInfo over any content."""
        signed = self.signed_attributes(content)
        identifier = self.signer_identifier
        if identifier is None:
            identifier = seq(self.signer.issuer, self.signer.serial)
        sign = in_octets(self.scheme.sign) if self.signature is None else self.signature
        algorithm_used = self.signature_algorithm
        signer_info = seq(
            self.signer_version,
            identifier,
            self.digest_identifier if self.signer_digest is None else self.signer_digest,
            tagged(0xA0, *signed),
            self.scheme.identifier if algorithm_used is None else algorithm_used,
            sign(tlv.encode(0x31, b"".join(signed))),
        )
        digests = self.digest_algorithms
        signed_data = seq(
            self.version,
            sets(self.digest_identifier) if digests is None else digests,
            seq(self.content_type, tagged(0xA0, octets(content))),
            tagged(0xA0, self.signer_certificate()),
            sets(signer_info),
        )
        return seq(oid(SIGNED_DATA), tagged(0xA0, signed_data))

    def signed_attributes(self, content: bytes) -> list[bytes]:
        """In the order of DER; an attribute given as ``None`` is left out."""
        digest = self.digest(content) if self.message_digest is None else self.message_digest
        chosen: dict[str, bytes | None] = {
            CONTENT_TYPE: oid(LDS_SECURITY_OBJECT),
            MESSAGE_DIGEST: octets(digest),
            SIGNING_TIME_OID: utc(SIGNING_TIME),
            STATUS_REFERENCE: seq(octets(bytes(8)), integer(5)),
        } | self.attributes
        return sorted(attribute(kind, value) for kind, value in chosen.items() if value is not None)


def in_octets(sign: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """The signature as it stands in SignerInfo."""
    return lambda content: octets(sign(content))


def data_group_hash(number: int, digest: bytes) -> bytes:
    return seq(integer(number), octets(digest))


def data_group_hashes(hashed: dict[int, bytes]) -> list[bytes]:
    return [data_group_hash(number, digest) for number, digest in hashed.items()]
