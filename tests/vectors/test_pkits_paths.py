"""NIST PKITS, sections 4.1 to 4.7 (Public Key Interoperability Test Suite, 2011), as packaged in cryptography-vectors.

Every certificate and list of the suite is at hand in every case, not only those that the case names: so building
is tested along with judging. The two settings of cards, one certificate and Doc 9303's profile, are off.
"""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import cryptography_vectors
import pytest

from pki.certificates.certificate import Reading, load_certificate, load_certificate_list
from pki.certificates.path import PathAnchor, PathProfile, PathRules, PathValidator
from pki.errors import PkiError

SUITE = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
NOW = datetime(2020, 1, 1, tzinfo=UTC)
RULES = PathRules(max_path_length=16, profile=PathProfile.PATH_ALONE)

DSA = "certificate.algorithm-not-allowed"
UNREADABLE = "certificate.malformed"

CASES = {
    # 4.1 signature verification. Bad signatures of the suite are no whole number of bytes, so they end at reading.
    "4.1.1": ("ValidCertificatePathTest1EE", None),
    "4.1.2": ("InvalidCASignatureTest2EE", "path.issuer-unknown"),
    "4.1.3": ("InvalidEESignatureTest3EE", "path.signature-invalid"),
    "4.1.4": ("ValidDSASignaturesTest4EE", DSA),
    "4.1.5": ("ValidDSAParameterInheritanceTest5EE", DSA),
    "4.1.6": ("InvalidDSASignatureTest6EE", DSA),
    # 4.2 validity periods
    "4.2.1": ("InvalidCAnotBeforeDateTest1EE", "path.not-yet-valid"),
    "4.2.2": ("InvalidEEnotBeforeDateTest2EE", "path.not-yet-valid"),
    "4.2.3": ("Validpre2000UTCnotBeforeDateTest3EE", None),
    "4.2.4": ("ValidGeneralizedTimenotBeforeDateTest4EE", None),
    "4.2.5": ("InvalidCAnotAfterDateTest5EE", "path.expired"),
    "4.2.6": ("InvalidEEnotAfterDateTest6EE", "path.expired"),
    "4.2.7": ("Invalidpre2000UTCEEnotAfterDateTest7EE", "path.expired"),
    "4.2.8": ("ValidGeneralizedTimenotAfterDateTest8EE", None),
    # 4.3 name chaining
    "4.3.1": ("InvalidNameChainingTest1EE", "path.issuer-unknown"),
    "4.3.2": ("InvalidNameChainingOrderTest2EE", "path.issuer-unknown"),
    "4.3.3": ("ValidNameChainingWhitespaceTest3EE", None),
    "4.3.4": ("ValidNameChainingWhitespaceTest4EE", None),
    "4.3.5": ("ValidNameChainingCapitalizationTest5EE", None),
    "4.3.6": ("ValidNameUIDsTest6EE", None),
    "4.3.7": ("ValidRFC3280MandatoryAttributeTypesTest7EE", None),
    "4.3.8": ("ValidRFC3280OptionalAttributeTypesTest8EE", None),
    "4.3.9": ("ValidUTF8StringEncodedNamesTest9EE", None),
    "4.3.10": ("ValidRolloverfromPrintableStringtoUTF8StringTest10EE", None),
    "4.3.11": ("ValidUTF8StringCaseInsensitiveMatchTest11EE", None),
    # 4.4 basic certificate revocation
    "4.4.1": ("InvalidMissingCRLTest1EE", "path.revocation-unknown"),
    "4.4.2": ("InvalidRevokedCATest2EE", "path.revoked"),
    "4.4.3": ("InvalidRevokedEETest3EE", "path.revoked"),
    "4.4.4": ("InvalidBadCRLSignatureTest4EE", "path.revocation-unknown"),
    "4.4.5": ("InvalidBadCRLIssuerNameTest5EE", "path.revocation-unknown"),
    "4.4.6": ("InvalidWrongCRLTest6EE", "path.revocation-unknown"),
    "4.4.7": ("ValidTwoCRLsTest7EE", None),
    "4.4.8": ("InvalidUnknownCRLEntryExtensionTest8EE", "path.revoked"),
    "4.4.9": ("InvalidUnknownCRLExtensionTest9EE", "path.revoked"),
    "4.4.10": ("InvalidUnknownCRLExtensionTest10EE", "path.revocation-unknown"),
    "4.4.11": ("InvalidOldCRLnextUpdateTest11EE", "path.revocation-unknown"),
    "4.4.12": ("Invalidpre2000CRLnextUpdateTest12EE", "path.revocation-unknown"),
    "4.4.13": ("ValidGeneralizedTimeCRLnextUpdateTest13EE", None),
    "4.4.14": ("ValidNegativeSerialNumberTest14EE", None),
    "4.4.15": ("InvalidNegativeSerialNumberTest15EE", "path.revoked"),
    "4.4.16": ("ValidLongSerialNumberTest16EE", None),
    "4.4.17": ("ValidLongSerialNumberTest17EE", None),
    "4.4.18": ("InvalidLongSerialNumberTest18EE", "path.revoked"),
    "4.4.19": ("ValidSeparateCertificateandCRLKeysTest19EE", None),
    "4.4.20": ("InvalidSeparateCertificateandCRLKeysTest20EE", "path.revoked"),
    "4.4.21": ("InvalidSeparateCertificateandCRLKeysTest21EE", "path.revocation-unknown"),
    # 4.5 self-issued certificates
    "4.5.1": ("ValidBasicSelfIssuedOldWithNewTest1EE", None),
    "4.5.2": ("InvalidBasicSelfIssuedOldWithNewTest2EE", "path.revoked"),
    "4.5.3": ("ValidBasicSelfIssuedNewWithOldTest3EE", None),
    "4.5.4": ("ValidBasicSelfIssuedNewWithOldTest4EE", None),
    "4.5.5": ("InvalidBasicSelfIssuedNewWithOldTest5EE", "path.revoked"),
    "4.5.6": ("ValidBasicSelfIssuedCRLSigningKeyTest6EE", None),
    "4.5.7": ("InvalidBasicSelfIssuedCRLSigningKeyTest7EE", "path.revoked"),
    "4.5.8": ("InvalidBasicSelfIssuedCRLSigningKeyTest8EE", "path.not-an-authority"),
    # 4.6 verifying basic constraints
    "4.6.1": ("InvalidMissingbasicConstraintsTest1EE", "path.not-an-authority"),
    "4.6.2": ("InvalidcAFalseTest2EE", "path.not-an-authority"),
    "4.6.3": ("InvalidcAFalseTest3EE", "path.not-an-authority"),
    "4.6.4": ("ValidbasicConstraintsNotCriticalTest4EE", None),
    "4.6.5": ("InvalidpathLenConstraintTest5EE", "path.length-exceeded"),
    "4.6.6": ("InvalidpathLenConstraintTest6EE", "path.length-exceeded"),
    "4.6.7": ("ValidpathLenConstraintTest7EE", None),
    "4.6.8": ("ValidpathLenConstraintTest8EE", None),
    "4.6.9": ("InvalidpathLenConstraintTest9EE", "path.length-exceeded"),
    "4.6.10": ("InvalidpathLenConstraintTest10EE", "path.length-exceeded"),
    "4.6.11": ("InvalidpathLenConstraintTest11EE", "path.length-exceeded"),
    "4.6.12": ("InvalidpathLenConstraintTest12EE", "path.length-exceeded"),
    "4.6.13": ("ValidpathLenConstraintTest13EE", None),
    "4.6.14": ("ValidpathLenConstraintTest14EE", None),
    "4.6.15": ("ValidSelfIssuedpathLenConstraintTest15EE", None),
    "4.6.16": ("InvalidSelfIssuedpathLenConstraintTest16EE", "path.length-exceeded"),
    "4.6.17": ("ValidSelfIssuedpathLenConstraintTest17EE", None),
    # 4.7 key usage
    "4.7.1": ("InvalidkeyUsageCriticalkeyCertSignFalseTest1EE", "path.key-usage"),
    "4.7.2": ("InvalidkeyUsageNotCriticalkeyCertSignFalseTest2EE", "path.key-usage"),
    "4.7.3": ("ValidkeyUsageNotCriticalTest3EE", None),
    "4.7.4": ("InvalidkeyUsageCriticalcRLSignFalseTest4EE", "path.revocation-unknown"),
    "4.7.5": ("InvalidkeyUsageNotCriticalcRLSignFalseTest5EE", "path.revocation-unknown"),
}

LEFT_OUT = {
    "BadSignedCACert.crt": UNREADABLE,
    "DSACACert.crt": DSA,
    "DSAParametersInheritedCACert.crt": DSA,
    "BadCRLSignatureCACRL.crl": UNREADABLE,
}
"""What cannot be read at all, and why; everything else of the suite can."""

BEYOND = ("policy", "Polic", "Mapping", "nameConstraints", "NameConstraints")
"""Names of the sections on policies and name constraints, of which every case named Valid or Invalid is run, too."""


def read(name: str) -> bytes:
    return (SUITE / name).read_bytes()


@cache
def validator() -> PathValidator:
    anchor = load_certificate(read("certs/TrustAnchorRootCertificate.crt"), Reading.TOLERANT)
    left_out: dict[str, str] = {}
    certificates, lists = [], []
    for path in sorted((SUITE / "certs").glob("*.crt")):
        if "Test" in path.name or path.name.startswith("TrustAnchor"):
            continue
        try:
            certificates.append(load_certificate(path.read_bytes(), Reading.TOLERANT))
        except PkiError as error:
            left_out[path.name] = error.code
    for path in sorted((SUITE / "crls").glob("*.crl")):
        try:
            lists.append(load_certificate_list(path.read_bytes(), Reading.TOLERANT))
        except PkiError as error:
            left_out[path.name] = error.code
    assert left_out == LEFT_OUT
    return PathValidator(
        anchors=[PathAnchor(certificate=anchor)],
        rules=RULES,
        intermediates=certificates,
        lists=lists,
    )


def judged(name: str) -> str | None:
    try:
        valid = validator().validate(read(f"certs/{name}.crt"), at=NOW)
    except PkiError as error:
        return error.code
    assert valid.signature_checks <= 40
    return None


def test_all_seventy_six_cases_of_the_seven_sections_are_here() -> None:
    assert len(CASES) == 76


@pytest.mark.parametrize("number", CASES)
def test_the_case_ends_as_the_suite_says(number: str) -> None:
    name, code = CASES[number]
    assert judged(name) == code
    # DSA is not allowed here, so its valid cases are refused; all others end as their names say.
    assert name.startswith("Valid") == (code is None) or code == DSA


def further_cases() -> list[str]:
    names = [path.stem for path in sorted((SUITE / "certs").glob("*alid*Test*.crt"))]
    return [name for name in names if any(word in name for word in BEYOND)]


def test_the_sections_on_policies_and_name_constraints_are_here_too() -> None:
    assert len(further_cases()) == 80


@pytest.mark.parametrize("name", further_cases())
def test_a_case_of_policies_or_name_constraints_ends_as_its_name_says(name: str) -> None:
    code = judged(name)
    assert (code is None) == name.startswith("Valid"), code
