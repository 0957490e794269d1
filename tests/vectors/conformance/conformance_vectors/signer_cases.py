"""The document signer's certificate: one vector for every field that is missing or wrong."""

from collections.abc import Callable

from conformance_vectors.bench import CardDraft, Case, refused
from conformance_vectors.security_object_cases import MALFORMED, MD5_WITH_RSA, NOT_ALLOWED
from conformance_vectors.security_objects import SecurityObjectDraft
from lint_vectors import drafts
from lint_vectors.drafts import (
    CSCA_NAME,
    algorithm,
    attribute,
    document_signer,
    integer,
    key_info,
    key_usage,
    name,
    seq,
    tagged,
    utc,
)

from card_layout import tlv

PROFILE = "signer.profile"
ECDSA_SHA_384 = "1.2.840.10045.4.3.3"


def signer(
    change: Callable[[drafts.CertificateDraft], drafts.CertificateDraft],
) -> Callable[[], CardDraft]:
    """A card whose signer's certificate is changed before the authority signs it."""
    return lambda: CardDraft(security_object=SecurityObjectDraft(signer=change(document_signer())))


def having(**fields: object) -> Callable[[], CardDraft]:
    return signer(lambda draft: draft.having(**fields))


def cut(content: bytes) -> bytes:
    """A certificate without its last element, the signature."""
    parts = tlv.parse(content, expected_tag=0x30).children()
    return seq(*(part.to_bytes() for part in parts[:-1]))


SIGNER_CASES: dict[str, Case] = {
    "LDS_H_48": refused(
        having(version=tagged(0xA0, integer(1))),
        MALFORMED,
        reason="the signer's certificate has version 2",
    ),
    "LDS_H_49": refused(
        having(version=b""),
        MALFORMED,
        reason="the signer's certificate has no version, and so counts as one of version 1",
    ),
    "LDS_H_50": refused(
        lambda: CardDraft(
            security_object=SecurityObjectDraft(
                certificate=document_signer().having(serial=b"").to_bytes()
            )
        ),
        MALFORMED,
        reason="the signer's certificate has no serial number",
    ),
    "LDS_H_51": refused(
        having(inner_algorithm=algorithm(ECDSA_SHA_384)),
        MALFORMED,
        reason="the signer's certificate names two signature algorithms that differ",
    ),
    "LDS_H_52": refused(
        having(inner_algorithm=b""),
        MALFORMED,
        reason="the signed part of the signer's certificate names no signature algorithm",
    ),
    "LDS_H_53": refused(
        having(issuer=name(attribute("2.5.4.3", "CSCA", 0x0C))),
        PROFILE,
        reason="the issuer's name in the signer's certificate has no country",
    ),
    "LDS_H_54": refused(
        having(issuer=name(drafts.COUNTRY, attribute("2.5.4.3", "Other CSCA", 0x0C))),
        "signer.authority-unknown",
        reason="the issuer's name in the signer's certificate is not the authority's",
    ),
    "LDS_H_55": refused(
        having(issuer=b""), MALFORMED, reason="the signer's certificate names no issuer"
    ),
    "LDS_H_56": refused(
        having(not_before=utc("360401000000Z"), not_after=utc("260101000000Z")),
        "signer.expired-at-signing",
        reason="the validity of the signer's certificate ends before it begins",
    ),
    "LDS_H_57": refused(
        having(validity=seq()),
        MALFORMED,
        reason="the signer's certificate says nothing of its validity",
    ),
    "LDS_H_58": refused(
        having(
            public_key=key_info("1.2.840.10045.2.1", drafts.oid("1.2.840.10045.3.1.1"), bytes(49))
        ),
        NOT_ALLOWED,
        reason="the signer's key is one on P-192",
    ),
    "LDS_H_59": refused(
        having(public_key=b""), MALFORMED, reason="the signer's certificate holds no key"
    ),
    "LDS_H_60": refused(
        signer(
            lambda draft: draft.value(
                "authorityKeyIdentifier",
                seq(tagged(0xA1, tagged(0xA4, CSCA_NAME)), tagged(0x82, b"\x11")),
            )
        ),
        PROFILE,
        reason="the authority key identifier names issuer and serial number and no key",
    ),
    "LDS_H_61": refused(
        signer(lambda draft: draft.without("authorityKeyIdentifier")),
        PROFILE,
        reason="the signer's certificate has no authority key identifier",
    ),
    "LDS_H_62": refused(
        signer(lambda draft: draft.value("keyUsage", key_usage(0, 5))),
        PROFILE,
        reason="the signer's key may sign certificates, too",
    ),
    "LDS_H_63": refused(
        signer(lambda draft: draft.value("keyUsage", key_usage(1))),
        PROFILE,
        reason="the signer's key usage lacks digitalSignature",
    ),
    "LDS_H_64": refused(
        signer(lambda draft: draft.without("keyUsage")),
        PROFILE,
        reason="the signer's certificate has no key usage",
    ),
    "LDS_H_65": refused(
        signer(lambda draft: draft.algorithms(algorithm(MD5_WITH_RSA, b"\x05\x00"))),
        NOT_ALLOWED,
        reason="the signer's certificate names MD5 with RSA as its signature algorithm",
    ),
    "LDS_H_66": refused(
        having(outer_algorithm=b""),
        MALFORMED,
        reason="the signer's certificate has no signature algorithm beside its signature",
    ),
    "LDS_H_67": refused(
        having(signing_key="another authority"),
        "signer.path-invalid",
        reason="the signature on the signer's certificate is another key's",
    ),
    "LDS_H_68": refused(
        lambda: CardDraft(
            security_object=SecurityObjectDraft(certificate=cut(document_signer().to_bytes()))
        ),
        MALFORMED,
        reason="the signer's certificate has no signature",
    ),
}
