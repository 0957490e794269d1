"""Rules about algorithms and signatures (ICAO 9303-12, 4.1.6, tables 5 and 9; RFC 4055; RFC 5758)."""

from collections.abc import Iterator
from typing import Final

from pki.certificates.lint.element import MalformedError, read_element
from pki.certificates.lint.findings import CERTIFICATES, LintProfile, RuleTable, Severity, Violation
from pki.certificates.lint.objects import CertificateView, SignedView
from pki.certificates.lint.signature_algorithms import DIGESTS, SignatureKind

__all__ = ["CERTIFICATE_SIGNATURE_RULES", "SIGNATURE_RULES"]

_signed: RuleTable[SignedView] = RuleTable(CERTIFICATES | {LintProfile.CRL})
_certificate: RuleTable[CertificateView] = RuleTable(CERTIFICATES)

_PATH: Final = "signatureAlgorithm"


@_signed.rule(
    "lint.signature.algorithms-equal",
    clause="ICAO 9303-12, tables 5 and 9; RFC 5280, 4.1.1.2",
    demands="the algorithm inside what is signed is the one outside",
)
def _algorithms_equal(view: SignedView) -> Iterator[Violation]:
    if view.inner_algorithm.encoded != view.outer_algorithm.encoded:
        yield Violation(
            "signature",
            f"names {view.inner_algorithm.oid}, expected the same encoding as outside, "
            f"where {view.outer_algorithm.oid} stands",
        )


@_signed.rule(
    "lint.signature.algorithm-allowed",
    clause="ICAO 9303-12, 4.1.6",
    demands="the signature is of RSASSA-PSS, RSASSA-PKCS1-v1_5, DSA or ECDSA",
)
def _algorithm_allowed(view: SignedView) -> Iterator[Violation]:
    if view.outer_algorithm.kind is None:
        yield Violation(_PATH, f"{view.outer_algorithm.oid} is unknown, or lacks its parameters")


@_signed.rule(
    "lint.signature.hash-allowed",
    clause="ICAO 9303-12, 4.1.6.4",
    demands="the hash is SHA-224, SHA-256, SHA-384 or SHA-512",
)
def _hash_allowed(view: SignedView) -> Iterator[Violation]:
    oid = view.outer_algorithm.hash_oid
    if oid is not None and oid not in DIGESTS:
        yield Violation(_PATH, f"hash is {oid}, expected SHA-224, SHA-256, SHA-384 or SHA-512")


@_signed.rule(
    "lint.signature.ecdsa-parameters-absent",
    clause="RFC 5758, 3.2",
    demands="the ECDSA algorithm has no parameters",
)
def _ecdsa_parameters(view: SignedView) -> Iterator[Violation]:
    algorithm = view.outer_algorithm
    if algorithm.kind is SignatureKind.ECDSA and algorithm.has_parameters:
        yield Violation(_PATH, "has parameters, expected none")


@_signed.rule(
    "lint.signature.rsa-parameters-null",
    clause="RFC 4055, 5",
    demands="the RSASSA-PKCS1-v1_5 algorithm has the parameters NULL",
)
def _rsa_parameters(view: SignedView) -> Iterator[Violation]:
    algorithm = view.outer_algorithm
    if algorithm.kind is SignatureKind.RSA_PKCS1 and not algorithm.has_null:
        yield Violation(_PATH, "has other parameters, expected NULL")


@_signed.rule(
    "lint.signature.pss-hashes-equal",
    clause="RFC 4055, 3.1",
    demands="the mask of RSASSA-PSS is MGF1 with the hash of the signature",
    severity=Severity.WARNING,
)
def _pss_hashes_equal(view: SignedView) -> Iterator[Violation]:
    pss = view.outer_algorithm.pss
    if pss is not None and pss.mask_hash != pss.hash_oid:
        yield Violation(_PATH, f"mask has hash {pss.mask_hash}, expected {pss.hash_oid}")


@_signed.rule(
    "lint.signature.pss-salt-length",
    clause="RFC 4055, 3.1",
    demands="the salt of RSASSA-PSS is as long as the hash",
    severity=Severity.WARNING,
)
def _pss_salt_length(view: SignedView) -> Iterator[Violation]:
    pss = view.outer_algorithm.pss
    digest = None if pss is None else DIGESTS.get(pss.hash_oid)
    if pss is not None and digest is not None and pss.salt_bytes != digest.digest_size:
        yield Violation(_PATH, f"salt has {pss.salt_bytes} bytes, expected {digest.digest_size}")


@_signed.rule(
    "lint.signature.pss-trailer",
    clause="RFC 4055, 3.1",
    demands="the trailer field of RSASSA-PSS is 1",
)
def _pss_trailer(view: SignedView) -> Iterator[Violation]:
    pss = view.outer_algorithm.pss
    if pss is not None and pss.trailer != 1:
        yield Violation(_PATH, f"trailer field is {pss.trailer}, expected 1")


@_signed.rule(
    "lint.signature.whole-octets",
    clause="RFC 5280, 4.1.1.3",
    demands="the signature is a whole number of bytes",
)
def _whole_octets(view: SignedView) -> Iterator[Violation]:
    if view.signature_unused_bits:
        yield Violation(
            "signatureValue", f"has {view.signature_unused_bits} unused bits, expected none"
        )


@_signed.rule(
    "lint.signature.ecdsa-value",
    clause="RFC 3279, 2.2.3",
    demands="an ECDSA signature is a SEQUENCE of two positive integers",
)
def _ecdsa_value(view: SignedView) -> Iterator[Violation]:
    if view.outer_algorithm.kind is not SignatureKind.ECDSA or view.signature_unused_bits:
        return
    try:
        numbers = [part.integer() for part in read_element(view.signature).children()]
    except MalformedError as error:
        yield Violation("signatureValue", str(error))
        return
    if len(numbers) != 2 or min(numbers) <= 0:
        yield Violation(
            "signatureValue", f"holds {len(numbers)} numbers, or one that is not positive"
        )


@_certificate.rule(
    "lint.csca-root.self-signature",
    clause="RFC 5280, 6.1.3 (a)(1)",
    demands="the signature of a root verifies with its own key",
    profiles=frozenset({LintProfile.CSCA_ROOT}),
)
def _self_signature(view: CertificateView) -> Iterator[Violation]:
    if view.is_self_signed is False and not view.signature_unused_bits:
        yield Violation("signatureValue", "does not verify with the certificate's own key")


SIGNATURE_RULES = _signed.rules
CERTIFICATE_SIGNATURE_RULES = _certificate.rules
