"""Certificates and CRLs put together byte by byte, so that any part of them can be made wrong.

Keys are thrown away: nothing that is built here is trusted by anything.
"""

from dataclasses import dataclass, field, replace
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout import der, tlv
from card_layout.curves import EcPublicKey

ECDSA_SHA_256 = "1.2.840.10045.4.3.2"
KEY_IDENTIFIER = bytes(range(20))
OLD_KEY_IDENTIFIER = bytes(range(20, 40))
DIRECTORY = "directory"


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """One throw-away key for each name."""
    del name
    return ec.generate_private_key(ec.SECP256R1())


def seq(*parts: bytes) -> bytes:
    return tlv.encode(0x30, b"".join(parts))


def sets(*parts: bytes) -> bytes:
    return tlv.encode(0x31, b"".join(sorted(parts)))


def tagged(tag: int, *parts: bytes) -> bytes:
    return tlv.encode(tag, b"".join(parts))


def oid(dotted: str) -> bytes:
    return tlv.encode(0x06, der.encode_object_identifier(dotted))


def integer(number: int) -> bytes:
    return tlv.encode(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def octets(content: bytes) -> bytes:
    return tlv.encode(0x04, content)


def bits(content: bytes, unused: int = 0) -> bytes:
    return tlv.encode(0x03, bytes((unused,)) + content)


def algorithm(dotted: str = ECDSA_SHA_256, parameters: bytes = b"") -> bytes:
    return seq(oid(dotted), parameters)


def utc(text: str) -> bytes:
    return tlv.encode(0x17, text.encode())


def generalized(text: str) -> bytes:
    return tlv.encode(0x18, text.encode())


def attribute(dotted: str, text: str, tag: int = 0x13) -> bytes:
    return seq(oid(dotted), tlv.encode(tag, text.encode()))


def name(*attributes: bytes) -> bytes:
    return seq(*(sets(item) for item in attributes))


COUNTRY = attribute("2.5.4.6", "VN")
CSCA_NAME = name(COUNTRY, attribute("2.5.4.3", "CSCA", 0x0C))
SIGNER_NAME = name(COUNTRY, attribute("2.5.4.3", "Signer", 0x0C))


def alternative_name(
    *attributes: bytes, email: bytes | None = b"ca@example.org", directory: bool = True
) -> bytes:
    parts = [] if email is None else [tagged(0x81, email)]
    if directory:
        parts.append(tagged(0xA4, name(*(attributes or (attribute("2.5.4.7", "VNM"),)))))
    return seq(*parts)


def public_key(of: ec.EllipticCurvePrivateKey, *, explicit: bool = True) -> bytes:
    value = EcPublicKey.from_cryptography(of.public_key())
    return value.to_subject_public_key_info(explicit=explicit)


def key_info(dotted: str, parameters: bytes, content: bytes) -> bytes:
    return seq(seq(oid(dotted), parameters), bits(content))


def sign(of: ec.EllipticCurvePrivateKey, content: bytes) -> bytes:
    return of.sign(content, ec.ECDSA(hashes.SHA256()))


@dataclass(frozen=True, kw_only=True)
class ExtensionDraft:
    oid: str
    value: bytes
    critical: bytes = b""

    def to_bytes(self) -> bytes:
        return seq(oid(self.oid), self.critical, octets(self.value))


TRUE = b"\x01\x01\xff"
FALSE = b"\x01\x01\x00"


@dataclass(frozen=True, kw_only=True)
class SignedDraft:
    """What drafts of certificates and CRLs have in common."""

    profile: str
    signing_key: str
    inner_algorithm: bytes = algorithm()
    outer_algorithm: bytes = algorithm()
    issuer: bytes = CSCA_NAME
    extensions: dict[str, ExtensionDraft] | None = field(default_factory=dict)
    signature: bytes | None = None
    unused_bits: int = 0

    def having(self, **fields: object) -> "SignedDraft":
        return replace(self, **fields)

    def algorithms(self, encoded: bytes) -> "SignedDraft":
        return replace(self, inner_algorithm=encoded, outer_algorithm=encoded)

    def value(self, label: str, value: bytes) -> "SignedDraft":
        """The same with another value in an extension."""
        return self._extension(label, replace(self.extensions[label], value=value))

    def critical(self, label: str, critical: bytes) -> "SignedDraft":
        """The same with another criticality of an extension."""
        return self._extension(label, replace(self.extensions[label], critical=critical))

    def plus(
        self, dotted: str, value: bytes = b"\x05\x00", critical: bytes = b"", *, label: str = "more"
    ) -> "SignedDraft":
        """The same with one extension more."""
        return self._extension(label, ExtensionDraft(oid=dotted, value=value, critical=critical))

    def without(self, label: str) -> "SignedDraft":
        """The same without an extension."""
        kept = {name: item for name, item in self.extensions.items() if name != label}
        return replace(self, extensions=kept)

    def _extension(self, label: str, extension: ExtensionDraft) -> "SignedDraft":
        return replace(self, extensions={**self.extensions, label: extension})

    def encoded_extensions(self) -> bytes:
        return seq(*(item.to_bytes() for item in (self.extensions or {}).values()))

    def content(self) -> bytes:
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        content = self.content()
        signature = self.signature
        if signature is None:
            signature = sign(key(self.signing_key), content)
        return seq(content, self.outer_algorithm, bits(signature, self.unused_bits))


@dataclass(frozen=True, kw_only=True)
class CertificateDraft(SignedDraft):
    version: bytes = tagged(0xA0, integer(2))
    serial: bytes = integer(2**70 + 1)
    validity: bytes = b""
    not_before: bytes = utc("260101000000Z")
    not_after: bytes = utc("360401000000Z")
    subject: bytes = SIGNER_NAME
    public_key: bytes = b""
    unique_ids: bytes = b""

    def names(self, encoded: bytes) -> "CertificateDraft":
        return replace(self, issuer=encoded, subject=encoded)

    def content(self) -> bytes:
        extensions = b"" if self.extensions is None else tagged(0xA3, self.encoded_extensions())
        return seq(
            self.version,
            self.serial,
            self.inner_algorithm,
            self.issuer,
            self.validity or seq(self.not_before, self.not_after),
            self.subject,
            self.public_key,
            self.unique_ids,
            extensions,
        )


@dataclass(frozen=True, kw_only=True)
class CrlDraft(SignedDraft):
    version: bytes = integer(1)
    this_update: bytes = utc("260101000000Z")
    next_update: bytes = utc("260301000000Z")
    revoked: bytes = b""

    def content(self) -> bytes:
        return seq(
            self.version,
            self.inner_algorithm,
            self.issuer,
            self.this_update,
            self.next_update,
            self.revoked,
            tagged(0xA0, self.encoded_extensions()),
        )


def usage_period(start: str = "20260101000000Z", end: str = "20260331000000Z") -> bytes:
    return seq(tagged(0x80, start.encode()), tagged(0x81, end.encode()))


def key_usage(*numbers: int) -> bytes:
    octet = sum(0x80 >> number for number in numbers)
    return bits(bytes((octet,)), 7 - max(numbers))


def distribution_points(uri: bytes = b"http://pki.example/csca.crl", *more: bytes) -> bytes:
    return seq(seq(tagged(0xA0, tagged(0xA0, tagged(0x86, uri))), *more))


def authority_key_identifier(identifier: bytes = KEY_IDENTIFIER) -> bytes:
    return seq(tagged(0x80, identifier))


def document_types(*codes: bytes, version: int = 0) -> bytes:
    return seq(integer(version), sets(*codes))


def _shared() -> dict[str, ExtensionDraft]:
    return {
        "authorityKeyIdentifier": ExtensionDraft(oid="2.5.29.35", value=authority_key_identifier()),
        "subjectAltName": ExtensionDraft(oid="2.5.29.17", value=alternative_name()),
        "issuerAltName": ExtensionDraft(oid="2.5.29.18", value=alternative_name()),
        "cRLDistributionPoints": ExtensionDraft(oid="2.5.29.31", value=distribution_points()),
        "certificatePolicies": ExtensionDraft(oid="2.5.29.32", value=seq(seq(oid("1.2.3.4")))),
    }


def csca_root() -> CertificateDraft:
    return CertificateDraft(
        profile="csca-root",
        signing_key="csca",
        public_key=public_key(key("csca")),
        subject=CSCA_NAME,
        not_after=generalized("20500101000000Z"),
        extensions={
            **_shared(),
            "subjectKeyIdentifier": ExtensionDraft(oid="2.5.29.14", value=octets(KEY_IDENTIFIER)),
            "keyUsage": ExtensionDraft(oid="2.5.29.15", critical=TRUE, value=key_usage(5, 6)),
            "basicConstraints": ExtensionDraft(
                oid="2.5.29.19", critical=TRUE, value=seq(TRUE, integer(0))
            ),
            "privateKeyUsagePeriod": ExtensionDraft(
                oid="2.5.29.16", value=usage_period(end="20300101000000Z")
            ),
        },
    )


def csca_link() -> CertificateDraft:
    link = replace(csca_root(), profile="csca-link", signing_key="old csca")
    return link.value("authorityKeyIdentifier", authority_key_identifier(OLD_KEY_IDENTIFIER))


def document_signer() -> CertificateDraft:
    return CertificateDraft(
        profile="document-signer",
        signing_key="csca",
        public_key=public_key(key("signer")),
        extensions={
            **_shared(),
            "keyUsage": ExtensionDraft(oid="2.5.29.15", critical=TRUE, value=key_usage(0)),
            "privateKeyUsagePeriod": ExtensionDraft(oid="2.5.29.16", value=usage_period()),
            "documentTypeList": ExtensionDraft(
                oid="2.23.136.1.1.6.2", value=document_types(tlv.encode(0x13, b"CM"))
            ),
        },
    )


def master_list_signer() -> CertificateDraft:
    return CertificateDraft(
        profile="master-list-signer",
        signing_key="csca",
        serial=integer(2**70 + 2),
        public_key=public_key(key("signer")),
        extensions={
            **_shared(),
            "subjectKeyIdentifier": ExtensionDraft(
                oid="2.5.29.14", value=octets(OLD_KEY_IDENTIFIER)
            ),
            "keyUsage": ExtensionDraft(oid="2.5.29.15", critical=TRUE, value=key_usage(0)),
            "extKeyUsage": ExtensionDraft(
                oid="2.5.29.37", critical=TRUE, value=seq(oid("2.23.136.1.1.3"))
            ),
        },
    )


def other_certificate() -> CertificateDraft:
    return CertificateDraft(
        profile="certificate",
        signing_key="csca",
        public_key=public_key(key("signer"), explicit=False),
        extensions={
            "extKeyUsage": ExtensionDraft(oid="2.5.29.37", value=seq(oid("1.3.6.1.5.5.7.3.2"))),
        },
    )


def revoked_entry(
    serial: int = 77, moment: bytes = utc("260101000000Z"), *extensions: ExtensionDraft
) -> bytes:
    listed = [seq(*(item.to_bytes() for item in extensions))] if extensions else []
    return seq(integer(serial), moment, *listed)


def crl() -> CrlDraft:
    return CrlDraft(
        profile="crl",
        signing_key="csca",
        revoked=seq(revoked_entry()),
        extensions={
            "authorityKeyIdentifier": ExtensionDraft(
                oid="2.5.29.35", value=authority_key_identifier()
            ),
            "cRLNumber": ExtensionDraft(oid="2.5.29.20", value=integer(7)),
        },
    )
