"""Rules about CSCA master lists (ICAO 9303-12, 5.3 and 9, table 18; RFC 5652, 5 and 11)."""

from collections.abc import Iterator
from typing import Final

from cryptography.hazmat.primitives import hashes

from pki.certificates.lint.element import (
    GENERALIZED_TIME,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    UTC_TIME,
    Element,
    MalformedError,
)
from pki.certificates.lint.extension_values import MASTER_LIST_SIGNING
from pki.certificates.lint.findings import LintProfile, RuleTable, Severity, Violation
from pki.certificates.lint.master_list import (
    CONTENT_TYPE,
    CSCA_MASTER_LIST,
    MESSAGE_DIGEST,
    SIGNING_TIME,
    AttributeView,
    MasterListView,
    SignerView,
)
from pki.certificates.lint.objects import CertificateView
from pki.certificates.lint.public_keys import RSA_ENCRYPTION
from pki.certificates.lint.signature_algorithms import DIGESTS, SignatureKind

__all__ = ["MASTER_LIST_RULES"]

_table: RuleTable[MasterListView] = RuleTable(frozenset({LintProfile.MASTER_LIST}))

_TABLE_18: Final = "ICAO 9303-12, table 18"


def _signers(view: MasterListView) -> Iterator[tuple[str, SignerView]]:
    for index, signer in enumerate(view.signers):
        yield f"signerInfos[{index}]", signer


@_table.rule(
    "lint.master-list.version-3", clause=_TABLE_18, demands="the signed data is of version 3"
)
def _version(view: MasterListView) -> Iterator[Violation]:
    if view.version != 3:
        yield Violation("version", "is not 3")


@_table.rule(
    "lint.master-list.digest-allowed",
    clause="ICAO 9303-12, 4.1.6.4",
    demands="digests are SHA-224, SHA-256, SHA-384 or SHA-512",
)
def _digest_allowed(view: MasterListView) -> Iterator[Violation]:
    for algorithm in view.digest_algorithms:
        if algorithm.oid not in DIGESTS:
            yield Violation("digestAlgorithms", f"{algorithm.oid} is not permitted")
    for path, signer in _signers(view):
        if signer.digest_algorithm.oid not in DIGESTS:
            yield Violation(
                path, f"digest algorithm {signer.digest_algorithm.oid} is not permitted"
            )


@_table.rule(
    "lint.master-list.digest-parameters-absent",
    clause="ICAO 9303-12, 9.1, note",
    demands="digest algorithms have no parameters, not even NULL",
)
def _digest_parameters(view: MasterListView) -> Iterator[Violation]:
    if any(algorithm.has_parameters for algorithm in view.digest_algorithms):
        yield Violation("digestAlgorithms", "an algorithm has parameters, expected none")
    for path, signer in _signers(view):
        if signer.digest_algorithm.has_parameters:
            yield Violation(path, "digest algorithm has parameters, expected none")


@_table.rule(
    "lint.master-list.signature-parameters-null",
    clause="ICAO 9303-12, 9.1, note; RFC 4055, 5",
    demands="the RSASSA-PKCS1-v1_5 algorithm of a signer has the parameters NULL",
)
def _signature_parameters(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        algorithm = signer.signature_algorithm
        is_rsa = algorithm.kind is SignatureKind.RSA_PKCS1 or algorithm.oid == RSA_ENCRYPTION
        if is_rsa and not algorithm.has_null:
            yield Violation(path, "signature algorithm has other parameters, expected NULL")


@_table.rule(
    "lint.master-list.signature-algorithm-allowed",
    clause="ICAO 9303-12, 4.1.6",
    demands="signatures are of RSASSA-PSS, RSASSA-PKCS1-v1_5, DSA or ECDSA, with a permitted hash",
)
def _signature_algorithm(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        algorithm = signer.signature_algorithm
        if algorithm.oid == RSA_ENCRYPTION:
            continue
        if algorithm.kind is None or algorithm.hash_oid not in DIGESTS:
            yield Violation(path, f"signature algorithm {algorithm.oid} is not permitted")


@_table.rule(
    "lint.master-list.content-type",
    clause=_TABLE_18,
    demands="the content is of the type 2.23.136.1.1.2",
)
def _content_type(view: MasterListView) -> Iterator[Violation]:
    if view.content_type != CSCA_MASTER_LIST:
        yield Violation("encapContentInfo", f"is {view.content_type}, expected {CSCA_MASTER_LIST}")


@_table.rule(
    "lint.master-list.content-present", clause=_TABLE_18, demands="the list is inside the object"
)
def _content_present(view: MasterListView) -> Iterator[Violation]:
    if view.content is None:
        yield Violation("encapContentInfo", "there is no eContent")


@_table.rule(
    "lint.master-list.content-malformed",
    clause="ICAO 9303-12, 9.2",
    demands="the content is a version and a set of certificates",
)
def _content_malformed(view: MasterListView) -> Iterator[Violation]:
    if view.content_problem is not None:
        yield Violation("encapContentInfo.eContent", view.content_problem)


@_table.rule(
    "lint.master-list.list-version", clause="ICAO 9303-12, 9.2", demands="the list is of version 0"
)
def _list_version(view: MasterListView) -> Iterator[Violation]:
    if view.list_version not in {None, 0}:
        yield Violation("encapContentInfo.eContent.version", "is not 0")


@_table.rule(
    "lint.master-list.only-authorities",
    clause="ICAO 9303-12, 5.3 and 9.2",
    demands="the list holds nothing but CSCA certificates",
)
def _only_authorities(view: MasterListView) -> Iterator[Violation]:
    for index, item in enumerate(view.listed):
        try:
            constraints = CertificateView.from_element(item).extensions.basic_constraints
        except MalformedError:
            # A malformed certificate is a finding of its own.
            continue
        if constraints is None or not constraints.is_authority:
            yield Violation(f"certList[{index}]", "is no certificate of an authority")


@_table.rule(
    "lint.master-list.listed-once",
    clause="ICAO 9303-12, 9.2 (SET OF)",
    demands="a certificate is listed once",
    severity=Severity.WARNING,
)
def _listed_once(view: MasterListView) -> Iterator[Violation]:
    seen: set[bytes] = set()
    for index, item in enumerate(view.listed):
        if item.encoded in seen:
            yield Violation(f"certList[{index}]", "was listed before")
        seen.add(item.encoded)


@_table.rule(
    "lint.master-list.signer-certificate-present",
    clause="ICAO 9303-12, 5.3 and table 18",
    demands="the certificates include every signer's",
)
def _signer_certificate(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        if view.certificate_of(signer) is None:
            yield Violation(path, "none of the certificates is the signer's")


@_table.rule(
    "lint.master-list.signer-not-authority",
    clause="ICAO 9303-12, 5.3 and 7.1.1.3",
    demands="a signer is one of master lists: a CSCA certifies who signs them, and signs none itself",
)
def _signer_not_authority(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        certificate = view.certificate_of(signer)
        if certificate is None:
            continue
        if MASTER_LIST_SIGNING not in (certificate.extensions.extended_key_usage or ()):
            yield Violation(path, "its certificate is not for signing master lists")


@_table.rule(
    "lint.master-list.authority-certificate-present",
    clause="ICAO 9303-12, 5.3",
    demands="the certificates include that of the CSCA that issued the signer's",
)
def _authority_certificate(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        certificate = view.certificate_of(signer)
        if certificate is None:
            continue
        if not any(
            other.subject.is_same_as(certificate.issuer) for other in view.readable_certificates
        ):
            yield Violation(path, "none of the certificates is that of the signer's issuer")


@_table.rule("lint.master-list.crls-absent", clause=_TABLE_18, demands="there are no CRLs")
def _crls(view: MasterListView) -> Iterator[Violation]:
    if view.has_crls:
        yield Violation("crls", "are there, expected none")


@_table.rule("lint.master-list.signer-present", clause=_TABLE_18, demands="there is a signer")
def _signer_present(view: MasterListView) -> Iterator[Violation]:
    if not view.signers:
        yield Violation("signerInfos", "there is none")


@_table.rule(
    "lint.master-list.one-signer",
    clause=_TABLE_18,
    demands="there is only one signer",
    severity=Severity.WARNING,
)
def _one_signer(view: MasterListView) -> Iterator[Violation]:
    if len(view.signers) > 1:
        yield Violation("signerInfos", f"there are {len(view.signers)}, expected one")


@_table.rule(
    "lint.master-list.signer-version",
    clause="ICAO 9303-12, table 18; RFC 5652, 5.3",
    demands="a signer is of version 3 where a key identifier names it, of version 1 otherwise",
)
def _signer_version(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        expected = 1 if signer.key_identifier is None else 3
        if signer.version != expected:
            yield Violation(f"{path}.version", f"is not {expected}")


@_table.rule(
    "lint.master-list.signer-by-key-identifier",
    clause=_TABLE_18,
    demands="a signer is named by its key identifier",
    severity=Severity.WARNING,
)
def _by_key_identifier(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        if signer.key_identifier is None:
            yield Violation(f"{path}.sid", "is issuer and serial number")


@_table.rule(
    "lint.master-list.digest-announced",
    clause="RFC 5652, 5.3",
    demands="a signer's digest algorithm is among those announced",
    severity=Severity.WARNING,
)
def _digest_announced(view: MasterListView) -> Iterator[Violation]:
    announced = {algorithm.oid for algorithm in view.digest_algorithms}
    for path, signer in _signers(view):
        if signer.digest_algorithm.oid not in announced:
            yield Violation(f"{path}.digestAlgorithm", "is not among digestAlgorithms")


@_table.rule(
    "lint.master-list.signed-attributes-present",
    clause=_TABLE_18,
    demands="a signer has signed attributes",
)
def _attributes_present(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        if not signer.attributes:
            yield Violation(f"{path}.signedAttrs", "are missing")


@_table.rule(
    "lint.master-list.signed-attributes-order",
    clause="RFC 5652, 5.3; X.690, 11.6",
    demands="signed attributes are a DER set: in the order of their encodings",
)
def _attributes_order(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        if list(signer.encoded_attributes) != sorted(signer.encoded_attributes):
            yield Violation(f"{path}.signedAttrs", "are not in order")


@_table.rule(
    "lint.master-list.signed-attributes-unique",
    clause="RFC 5652, 5.3 and 11",
    demands="a signed attribute stands once, the standard ones with one value",
)
def _attributes_unique(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        oids = [attribute.oid for attribute in signer.attributes or ()]
        if len(set(oids)) != len(oids):
            yield Violation(f"{path}.signedAttrs", "an attribute stands twice")
        for attribute in signer.attributes or ():
            is_standard = attribute.oid in {CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME}
            if is_standard and len(attribute.values) != 1:
                yield Violation(f"{path}.signedAttrs", f"{attribute.oid} has not one value")


def _missing(view: MasterListView, oid: str, name: str) -> Iterator[Violation]:
    for path, signer in _signers(view):
        if signer.attributes and signer.attribute(oid) is None:
            yield Violation(f"{path}.signedAttrs", f"there is no {name}")


def _only_value(attribute: AttributeView | None) -> Element | None:
    if attribute is None or len(attribute.values) != 1:
        return None
    return attribute.values[0]


@_table.rule(
    "lint.master-list.signing-time-present",
    clause=_TABLE_18,
    demands="the signed attributes include the signing time",
)
def _signing_time(view: MasterListView) -> Iterator[Violation]:
    return _missing(view, SIGNING_TIME, "signingTime")


@_table.rule(
    "lint.master-list.signing-time-form",
    clause="RFC 5652, 11.3",
    demands="the signing time is a UTCTime through 2049, a GeneralizedTime after",
)
def _signing_time_form(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        value = _only_value(signer.attribute(SIGNING_TIME))
        if value is None:
            continue
        is_late = value.tag == GENERALIZED_TIME and value.content[:4] >= b"2050"
        if value.tag != UTC_TIME and not is_late:
            yield Violation(f"{path}.signedAttrs.signingTime", "is no UTCTime before 2050")


@_table.rule(
    "lint.master-list.content-type-attribute-present",
    clause="RFC 5652, 11.1",
    demands="the signed attributes include the content type",
)
def _content_type_present(view: MasterListView) -> Iterator[Violation]:
    return _missing(view, CONTENT_TYPE, "contentType")


@_table.rule(
    "lint.master-list.content-type-attribute-equal",
    clause="RFC 5652, 11.1",
    demands="the content type in the signed attributes is that of the content",
)
def _content_type_equal(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        value = _only_value(signer.attribute(CONTENT_TYPE))
        if value is None:
            continue
        try:
            is_equal = value.tag == OBJECT_IDENTIFIER and (
                value.object_identifier() == view.content_type
            )
        except MalformedError:
            is_equal = False
        if not is_equal:
            yield Violation(f"{path}.signedAttrs.contentType", "is not that of the content")


@_table.rule(
    "lint.master-list.message-digest-present",
    clause="RFC 5652, 11.2",
    demands="the signed attributes include the message digest",
)
def _message_digest_present(view: MasterListView) -> Iterator[Violation]:
    return _missing(view, MESSAGE_DIGEST, "messageDigest")


@_table.rule(
    "lint.master-list.message-digest-equal",
    clause="RFC 5652, 5.4 and 11.2",
    demands="the message digest is that of the content",
)
def _message_digest_equal(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        value = _only_value(signer.attribute(MESSAGE_DIGEST))
        algorithm = DIGESTS.get(signer.digest_algorithm.oid)
        if value is None or algorithm is None or view.content is None:
            continue
        context = hashes.Hash(algorithm)
        context.update(view.content)
        if value.tag != OCTET_STRING or value.content != context.finalize():
            yield Violation(f"{path}.signedAttrs.messageDigest", "is not that of the content")


@_table.rule(
    "lint.master-list.signature",
    clause="RFC 5652, 5.6",
    demands="a signature verifies with its signer's certificate",
)
def _signature(view: MasterListView) -> Iterator[Violation]:
    for path, signer in _signers(view):
        certificate = view.certificate_of(signer)
        if certificate is None:
            continue
        if signer.verify(certificate, view.content or b"") is False:
            yield Violation(f"{path}.signature", "does not verify with the signer's certificate")


MASTER_LIST_RULES = _table.rules
