"""Every rule of the lint against one good and one bad object, which a generator makes anew each time."""

import importlib
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.certificates.lint.documentation import to_markdown
from pki.certificates.lint.findings import Dialect, LintProfile
from pki.certificates.lint.linter import lint, lint_file
from pki.certificates.lint.registry import ALL_RULES, MALFORMED


def _generator(name: str) -> ModuleType:
    """A module of the generator, which lies beside this file."""
    folder = str(Path(__file__).parent / "lint")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(f"lint_vectors.{name}")


drafts = _generator("drafts")
certificate_cases = _generator("certificate_cases")
master_list_cases = _generator("master_list_cases")
card_verifiable_cases = _generator("card_verifiable_cases")

CASES: dict[str, Any] = {
    **certificate_cases.CERTIFICATE_CASES,
    **certificate_cases.CRL_CASES,
    **master_list_cases.MASTER_LIST_CASES,
    **card_verifiable_cases.CARD_VERIFIABLE_CASES,
}
GOOD: dict[str, Any] = {
    "csca-root": drafts.csca_root,
    "csca-link": drafts.csca_link,
    "document-signer": drafts.document_signer,
    "master-list-signer": drafts.master_list_signer,
    "certificate": drafts.other_certificate,
    "crl": drafts.crl,
    "master-list": master_list_cases.master_list,
    "cvca": card_verifiable_cases.cvca,
    "document-verifier": card_verifiable_cases.document_verifier,
    "terminal": card_verifiable_cases.terminal,
}
RULES = {rule.code: rule for rule in ALL_RULES}
PRIVATE_ONLY = {rule.code for rule in ALL_RULES if Dialect.ICAO not in rule.dialects}


def dialect_of(code: str) -> Dialect:
    return Dialect.PRIVATE if code in PRIVATE_ONLY else Dialect.ICAO


def named_curves(profile: str) -> bytes:
    """The good object of the private dialect: its curve is named."""
    draft = GOOD[profile]()
    key = "csca" if profile in {"csca-root", "csca-link"} else "signer"
    return draft.having(public_key=drafts.public_key(drafts.key(key), explicit=False)).to_bytes()


def test_there_is_a_bad_object_for_every_rule_and_no_other() -> None:
    assert set(CASES) == set(RULES) - {MALFORMED.code}
    assert len(CASES) >= 80


def test_there_is_a_good_object_for_every_profile() -> None:
    assert set(GOOD) == {profile.value for profile in LintProfile}


@pytest.mark.parametrize("profile", sorted(GOOD))
def test_a_good_object_is_recognised_and_has_no_findings(profile: str) -> None:
    report = lint(GOOD[profile]().to_bytes())
    assert report.profile is LintProfile(profile)
    assert report.findings == ()


@pytest.mark.parametrize(
    "profile", ["csca-root", "csca-link", "document-signer", "master-list-signer"]
)
def test_a_good_certificate_of_the_private_dialect_has_no_findings(profile: str) -> None:
    report = lint(named_curves(profile), dialect=Dialect.PRIVATE)
    assert report.findings == ()


@pytest.mark.parametrize("code", sorted(CASES))
def test_exactly_one_rule_fires_on_its_bad_object(code: str) -> None:
    draft = CASES[code]()
    profile = LintProfile(draft.profile)
    report = lint(draft.to_bytes(), profile=profile, dialect=dialect_of(code))
    assert RULES[code].applies_to(profile, dialect_of(code))
    assert {item.rule for item in report.findings} == {code}, report.findings
    assert {item.severity for item in report.findings} == {RULES[code].severity}


@pytest.mark.parametrize("code", sorted(CASES))
def test_a_rule_does_not_fire_on_the_good_object_of_its_profile(code: str) -> None:
    profile = CASES[code]().profile
    good = named_curves(profile) if code in PRIVATE_ONLY else GOOD[profile]().to_bytes()
    report = lint(good, profile=LintProfile(profile), dialect=dialect_of(code))
    assert code not in {item.rule for item in report.findings}


@pytest.mark.parametrize("profile", sorted(GOOD))
def test_an_object_that_is_cut_short_is_one_finding(profile: str) -> None:
    whole = GOOD[profile]().to_bytes()
    for length in (0, 1, 5, len(whole) // 2, len(whole) - 1):
        report = lint(whole[:length])
        assert [item.rule for item in report.findings] == [MALFORMED.code]
        assert not report.is_readable


def test_an_object_of_another_profile_than_the_given_one_is_unreadable() -> None:
    report = lint(GOOD["crl"]().to_bytes(), profile=LintProfile.CSCA_ROOT)
    assert [item.rule for item in report.findings] == [MALFORMED.code]


WHOLE = {profile: make().to_bytes() for profile, make in GOOD.items()}


@given(
    profile=st.sampled_from(sorted(WHOLE)),
    edits=st.lists(
        st.tuples(
            st.floats(0, 1, exclude_max=True),
            st.integers(0, 255),
            st.sampled_from(["set", "insert", "delete"]),
        ),
        min_size=1,
        max_size=4,
    ),
)
@settings(max_examples=600, deadline=None)
def test_no_changed_object_makes_the_lint_raise(
    profile: str, edits: list[tuple[float, int, str]]
) -> None:
    changed = bytearray(WHOLE[profile])
    for place, byte, kind in edits:
        index = int(place * len(changed))
        if kind == "set":
            changed[index] = byte
        elif kind == "insert":
            changed.insert(index, byte)
        else:
            del changed[index]
    for wanted in (None, LintProfile(profile)):
        report = lint(bytes(changed), profile=wanted)
        assert report.is_readable or len(report.findings) == 1


@given(content=st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_no_bytes_make_the_lint_raise(content: bytes) -> None:
    for prefix in (b"", b"\x30\x82", b"\x7f\x21\x81", b"-----BEGIN CERTIFICATE-----\n"):
        for report in lint_file(prefix + content):
            assert report.is_readable or len(report.findings) == 1


def test_indefinite_lengths_that_are_nested_without_end_are_one_finding() -> None:
    report = lint(b"\x30\x80" * 100_000)
    assert [item.rule for item in report.findings] == [MALFORMED.code]


def test_an_object_of_countless_small_elements_is_given_up_soon() -> None:
    inside = b"\x05\x00" * 300_000
    report = lint(drafts.seq(drafts.seq(inside), drafts.algorithm(), drafts.bits(b"")))
    assert [item.rule for item in report.findings] == [MALFORMED.code]


def test_the_real_master_list_is_linted_whole(shared_vectors: Path) -> None:
    content = (shared_vectors / "master-lists" / "DE_ML_2024-08-07-07-38-24.ml").read_bytes()
    (report,) = lint_file(content)
    assert report.profile is LintProfile.MASTER_LIST
    found = Counter(item.rule for item in report.findings)
    # The list itself is as Doc 9303 says; all of its 541 certificates can be taken apart, and every curve is standard.
    assert {code for code in found if code.startswith("lint.master-list.")} == {
        "lint.master-list.only-authorities"
    }
    assert MALFORMED.code not in found
    assert "lint.key.curve-known" not in found
    assert found["lint.signature.hash-allowed"] == 48


def test_the_page_of_rules_is_the_table_of_rules() -> None:
    page = Path(__file__).parents[2] / "docs" / "lint.md"
    assert page.read_text("utf-8") == to_markdown(), (
        "write it anew: membercard-pki lint --rules --format markdown > docs/lint.md"
    )


def test_codes_clauses_and_demands_are_there_for_every_rule() -> None:
    for rule in ALL_RULES:
        assert re.fullmatch(r"lint(\.[a-z][a-z0-9-]*){2}", rule.code)
        assert rule.clause
        assert rule.demands
        assert rule.profiles


def test_real_root_certificates_are_recognised(shared_vectors: Path) -> None:
    expected = {
        "2010-12_CSCA.cer": LintProfile.CSCA_ROOT,
        "2016-01_CSCA.cer": LintProfile.CSCA_ROOT,
        "2016-01_CSCA_LINK.cer": LintProfile.CSCA_LINK,
        "2020-10_CSCA.cer": LintProfile.CSCA_ROOT,
        "2020-10_CSCA_LINK.cer": LintProfile.CSCA_LINK,
        "DE_ROOT_CA_CSCA07.cer": LintProfile.CSCA_ROOT,
    }
    folder = shared_vectors / "master-lists"
    found = {path.name: lint_file(path.read_bytes())[0].profile for path in folder.glob("*.cer")}
    assert found == expected
