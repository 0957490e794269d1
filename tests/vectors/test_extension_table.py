"""Table 6 of Doc 9303-12 (eighth edition) written down a second time: the rules of presence and criticality say the same.

Marks: m must be there, o may, x must not; C critical, n not. Columns: self-signed CSCA, link, document signer, signer of
master lists.
"""

import re
from collections.abc import Iterator

import pytest

from pki.certificates.lint.findings import LintProfile
from pki.certificates.lint.rules_presence import PRESENCE_RULES

COLUMNS = (
    LintProfile.CSCA_ROOT,
    LintProfile.CSCA_LINK,
    LintProfile.DOCUMENT_SIGNER,
    LintProfile.MASTER_LIST_SIGNER,
)
TABLE = {
    "authorityKeyIdentifier": "on mn mn mn",
    "subjectKeyIdentifier": "mn mn on on",
    "keyUsage": "mC mC mC mC",
    "privateKeyUsagePeriod": "mn mn mn on",
    "certificatePolicies": "on on on on",
    "policyMappings": "x x x x",
    "subjectAltName": "mn mn mn mn",
    "issuerAltName": "mn mn mn mn",
    "subjectDirectoryAttributes": "x x x x",
    "basicConstraints": "mC mC x x",
    "nameConstraints": "x x x x",
    "policyConstraints": "x x x x",
    "extKeyUsage": "x x x mC",
    "cRLDistributionPoints": "mn mn mn mn",
    "inhibitAnyPolicy": "x x x x",
    "freshestCRL": "x x x x",
    "authorityInfoAccess": "on on on on",
    "subjectInfoAccess": "on on on on",
    "nameChange": "on on x x",
    "documentTypeList": "x x mn x",
    "netscapeCertType": "x x x x",
}
PHRASES = (
    (re.compile(r"the extension (\w+) is there"), "m"),
    (re.compile(r"the extension (\w+) is not there"), "x"),
    (re.compile(r"(\w+) is critical"), "C"),
    (re.compile(r"(\w+) is not critical"), "n"),
)


def marks_of_the_rules() -> Iterator[tuple[str, LintProfile, str]]:
    for rule in PRESENCE_RULES:
        for phrase, mark in PHRASES:
            match = phrase.fullmatch(rule.demands)
            if match is not None:
                for profile in COLUMNS:
                    if profile in rule.profiles:
                        yield match[1], profile, mark


MARKS = set(marks_of_the_rules())


def test_the_rules_speak_of_the_extensions_of_the_table_and_of_no_other() -> None:
    assert {name for name, _, _ in MARKS} == set(TABLE)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_mark_of_the_table_is_a_rule_and_every_rule_a_mark(name: str) -> None:
    for profile, cell in zip(COLUMNS, TABLE[name].split(), strict=True):
        found = {mark for who, where, mark in MARKS if (who, where) == (name, profile)}
        # What must not be there can be neither critical nor not; what may be there needs no rule for that.
        criticality = {mark for mark in found & {"C", "n"} if cell != "x"}
        assert (found & {"m", "x"}) | criticality == set(cell) - {"o"}, (profile, cell)
