"""The published rules stand between what is prepared and the authority's key."""

from pki.certificates.profile import ProfileVariant
from pki.services.issuance import Draft, DraftKind
from pki.services.rule_linter import RuleLinter
from simulators.authority import TestAuthority


def test_a_root_without_an_address_of_its_crl_has_that_finding_and_no_other(
    test_pki: TestAuthority,
) -> None:
    draft = Draft(
        kind=DraftKind.AUTHORITY,
        der=test_pki.root.certificate,
        variant=ProfileVariant.PRIVATE,
    )
    (finding,) = RuleLinter().findings(draft)
    assert finding.endswith("[lint.certificate.distribution-points-present]")


def test_a_named_curve_is_no_icao_certificate(test_pki: TestAuthority) -> None:
    def found(variant: ProfileVariant) -> set[str]:
        draft = Draft(kind=DraftKind.AUTHORITY, der=test_pki.root.certificate, variant=variant)
        return set(RuleLinter().findings(draft))

    (finding,) = found(ProfileVariant.ICAO) - found(ProfileVariant.PRIVATE)
    assert finding.endswith("[lint.key.parameters-explicit]")


def test_what_breaks_a_shall_is_named_with_its_rule(test_pki: TestAuthority) -> None:
    # A country in lower case: our own readers take it for another country, the rule says what is wrong with it.
    changed = test_pki.root.certificate.replace(b"\x13\x02VN", b"\x13\x02vn")
    findings = RuleLinter().findings(Draft(kind=DraftKind.AUTHORITY, der=changed))
    assert findings
    assert all("[" in finding for finding in findings)


def test_rubbish_is_a_finding_and_no_exception() -> None:
    assert RuleLinter().findings(Draft(kind=DraftKind.CRL, der=b"\x30\x00"))
