"""A master list, and one wrong one for every rule about them."""

from dataclasses import dataclass, replace
from functools import cache

from cryptography.hazmat.primitives import hashes
from lint_vectors.drafts import (
    CSCA_NAME,
    KEY_IDENTIFIER,
    OLD_KEY_IDENTIFIER,
    algorithm,
    csca_root,
    document_signer,
    generalized,
    integer,
    key,
    master_list_signer,
    octets,
    oid,
    seq,
    sets,
    sign,
    tagged,
    utc,
)

SHA_1 = "1.3.14.3.2.26"
SHA_256 = "2.16.840.1.101.3.4.2.1"
SHA_384 = "2.16.840.1.101.3.4.2.2"
MASTER_LIST = "2.23.136.1.1.2"
OTHER_CONTENT = "2.23.136.1.1.1"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
NULL = b"\x05\x00"


@cache
def root() -> bytes:
    return csca_root().to_bytes()


@cache
def signer_certificate() -> bytes:
    return master_list_signer().to_bytes()


def csca_list(*certificates: bytes, version: int = 0) -> bytes:
    return seq(integer(version), sets(*(certificates or (root(),))))


def attribute(dotted: str, *values: bytes) -> bytes:
    return seq(oid(dotted), sets(*values))


def digest(content: bytes) -> bytes:
    context = hashes.Hash(hashes.SHA256())
    context.update(content)
    return context.finalize()


@dataclass(frozen=True, kw_only=True)
class SignerDraft:
    """A SignerInfo; ``attributes`` by label, None for none at all."""

    version: int = 3
    identifier: bytes = tagged(0x80, OLD_KEY_IDENTIFIER)
    digest_algorithm: bytes = algorithm(SHA_256)
    signature_algorithm: bytes = algorithm()
    attributes: dict[str, bytes] | None = None
    has_attributes: bool = True
    reverse: bool = False
    signature: bytes | None = None
    key_name: str = "signer"

    def to_bytes(self, content: bytes) -> bytes:
        items = {
            "contentType": attribute(CONTENT_TYPE, oid(MASTER_LIST)),
            "messageDigest": attribute(MESSAGE_DIGEST, octets(digest(content))),
            "signingTime": attribute(SIGNING_TIME, utc("260201000000Z")),
            **(self.attributes or {}),
        }
        encoded = b"".join(sorted((item for item in items.values() if item), reverse=self.reverse))
        signed = tagged(0x31, encoded) if self.has_attributes else content
        return seq(
            integer(self.version),
            self.identifier,
            self.digest_algorithm,
            tagged(0xA0, encoded) if self.has_attributes else b"",
            self.signature_algorithm,
            octets(self.signature or sign(key(self.key_name), signed)),
        )


@dataclass(frozen=True, kw_only=True)
class MasterListDraft:
    """A master list that lists one root and is signed by one signer."""

    profile: str = "master-list"
    version: int = 3
    digests: tuple[bytes, ...] = (algorithm(SHA_256),)
    content_type: str = MASTER_LIST
    content: bytes | None = None
    has_content: bool = True
    certificates: tuple[bytes, ...] | None = None
    crls: bytes = b""
    signers: tuple[SignerDraft, ...] = (SignerDraft(),)

    def to_bytes(self) -> bytes:
        content = csca_list() if self.content is None else self.content
        certificates = (
            (root(), signer_certificate()) if self.certificates is None else self.certificates
        )
        encapsulated = seq(
            oid(self.content_type), tagged(0xA0, octets(content)) if self.has_content else b""
        )
        signed_data = seq(
            integer(self.version),
            sets(*self.digests),
            encapsulated,
            tagged(0xA0, *certificates),
            self.crls,
            sets(*(signer.to_bytes(content) for signer in self.signers)),
        )
        return seq(oid("1.2.840.113549.1.7.2"), tagged(0xA0, signed_data))


def master_list(**fields: object) -> MasterListDraft:
    return replace(MasterListDraft(), **fields)


def signed_by(**fields: object) -> MasterListDraft:
    return master_list(signers=(replace(SignerDraft(), **fields),))


def with_attribute(label: str, encoded: bytes) -> MasterListDraft:
    return signed_by(attributes={label: encoded})


BY_SERIAL_NUMBER = seq(CSCA_NAME, integer(2**70 + 2))

MASTER_LIST_CASES = {
    "lint.master-list.version-3": lambda: master_list(version=4),
    "lint.master-list.digest-allowed": lambda: master_list(
        digests=(algorithm(SHA_256), algorithm(SHA_1))
    ),
    "lint.master-list.digest-parameters-absent": lambda: master_list(
        digests=(algorithm(SHA_256, NULL),)
    ),
    "lint.master-list.signature-parameters-null": lambda: signed_by(
        signature_algorithm=algorithm("1.2.840.113549.1.1.11")
    ),
    "lint.master-list.signature-algorithm-allowed": lambda: signed_by(
        signature_algorithm=algorithm("1.3.101.112")
    ),
    "lint.master-list.content-type": lambda: master_list(
        content_type=OTHER_CONTENT,
        signers=(
            SignerDraft(attributes={"contentType": attribute(CONTENT_TYPE, oid(OTHER_CONTENT))}),
        ),
    ),
    "lint.master-list.content-present": lambda: master_list(has_content=False),
    "lint.master-list.content-malformed": lambda: master_list(content=seq(integer(0))),
    "lint.master-list.list-version": lambda: master_list(content=csca_list(version=1)),
    "lint.master-list.only-authorities": lambda: master_list(
        content=csca_list(root(), document_signer().to_bytes())
    ),
    "lint.master-list.listed-once": lambda: master_list(content=csca_list(root(), root())),
    "lint.master-list.signer-certificate-present": lambda: master_list(certificates=(root(),)),
    "lint.master-list.signer-not-authority": lambda: signed_by(
        identifier=tagged(0x80, KEY_IDENTIFIER), key_name="csca"
    ),
    "lint.master-list.authority-certificate-present": lambda: master_list(
        certificates=(signer_certificate(),)
    ),
    "lint.master-list.crls-absent": lambda: master_list(crls=tagged(0xA1)),
    "lint.master-list.signer-present": lambda: master_list(signers=()),
    "lint.master-list.one-signer": lambda: master_list(signers=(SignerDraft(), SignerDraft())),
    "lint.master-list.signer-version": lambda: signed_by(version=1),
    "lint.master-list.signer-by-key-identifier": lambda: signed_by(
        version=1, identifier=BY_SERIAL_NUMBER
    ),
    "lint.master-list.digest-announced": lambda: master_list(digests=(algorithm(SHA_384),)),
    "lint.master-list.signed-attributes-present": lambda: signed_by(has_attributes=False),
    "lint.master-list.signed-attributes-order": lambda: signed_by(reverse=True),
    "lint.master-list.signed-attributes-unique": lambda: with_attribute(
        "again", attribute(SIGNING_TIME, utc("260301000000Z"))
    ),
    "lint.master-list.signing-time-present": lambda: with_attribute("signingTime", b""),
    "lint.master-list.signing-time-form": lambda: with_attribute(
        "signingTime", attribute(SIGNING_TIME, generalized("20260201000000Z"))
    ),
    "lint.master-list.content-type-attribute-present": lambda: with_attribute("contentType", b""),
    "lint.master-list.content-type-attribute-equal": lambda: with_attribute(
        "contentType", attribute(CONTENT_TYPE, oid(OTHER_CONTENT))
    ),
    "lint.master-list.message-digest-present": lambda: with_attribute("messageDigest", b""),
    "lint.master-list.message-digest-equal": lambda: with_attribute(
        "messageDigest", attribute(MESSAGE_DIGEST, octets(bytes(32)))
    ),
    "lint.master-list.signature": lambda: signed_by(signature=sign(key("signer"), b"another")),
}
