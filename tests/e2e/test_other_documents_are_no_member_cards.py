"""Genuine documents of others, read from a chip and judged with a trust directory on disk, are refused as member cards.

Every chain here holds: the authority stands in ``csca/``, its list is current, every hash and signature is right. What
refuses the document is what the authority is bound to.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from asn1crypto import x509
from asn1crypto.core import OctetBitString
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384

from card_layout.profile import load_profile
from pki.certificates.issue import issue_authority_certificate, issue_signer_certificate
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import CertificateProfile, load_certificate_profile
from pki.keys.software import SoftwareSigner
from simulators.authority import CertifiedKey, SignerKind, TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.issued_image import DEFAULT_PROFILE, issue_image
from simulators.population.member import SyntheticMember
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import TEST_POLICY, add_to_trust_directory, write_trust_directory
from verifier.inspection.report import Report, Verdict, inspect
from verifier.reading.card_reading import read_card
from verifier.services.card_password import CardPassword
from verifier.trust.directory import load_trust

NOW = TEST_TIME + timedelta(days=1)
TWO_STATES = TEST_POLICY.replace('VNM = "VN"', 'VNM = "VN"\nD = "DE"')
BOUND = """
[[anchors]]
certificate = "sha256:{fingerprint}"
purposes = {purposes}
"""
TO_DOCUMENTS = 'states = ["{state}"]\ndocument_codes = ["{code}"]\n'


def authority_of(country: str, *, document_code: str) -> TestAuthority:
    """An authority as every state has one, with signers of documents with this code."""
    root_key = ec.generate_private_key(ec.SECP384R1())
    certificate = issue_authority_certificate(
        signer=SoftwareSigner(root_key),
        profile=load_certificate_profile("csca"),
        name=DistinguishedName(country="VN", common_name="TEST identity cards"),
        serial_number=secrets.randbits(126) | 1 << 126,
        not_before=TEST_TIME - timedelta(days=365),
        is_test=True,
    )
    root = CertifiedKey(private_key=root_key, certificate=certificate)
    profile = replace(
        load_certificate_profile("document-signer"), document_codes=frozenset({document_code})
    )
    signers = {kind: signer_of(root, profile, country) for kind in SignerKind}
    abroad = in_country(certificate, country, signed_by=root_key)
    return TestAuthority(
        created_at=TEST_TIME, root=replace(root, certificate=abroad), signers=signers
    )


def signer_of(root: CertifiedKey, profile: CertificateProfile, country: str) -> CertifiedKey:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = issue_signer_certificate(
        authority_signer=root.signer,
        authority_certificate=root.certificate,
        public_key=key.public_key(),
        profile=profile,
        name=DistinguishedName(country="VN", common_name="TEST signer"),
        serial_number=secrets.randbits(126) | 1 << 126,
        not_before=TEST_TIME - timedelta(days=20),
    )
    certificate = in_country(certificate, country, signed_by=root.private_key)
    return CertifiedKey(private_key=key, certificate=certificate)


def in_country(der: bytes, country: str, *, signed_by: Any) -> bytes:
    """The certificate with another country in its names, signed again: ours are only ever made for our own."""
    parsed = x509.Certificate.load(der.replace(b"\x13\x02VN", b"\x13\x02" + country.encode()))
    content = parsed["tbs_certificate"].dump()
    algorithm = ec.ECDSA(SHA384())
    parsed["signature_value"] = OctetBitString(signed_by.sign(content, algorithm))
    encoded: bytes = parsed.dump(force=True)
    return encoded


def binding(authority: TestAuthority, *purposes: str, state: str = "VNM", code: str = "CM") -> str:
    fingerprint = hashlib.sha256(authority.root.certificate).hexdigest()
    text = BOUND.format(fingerprint=fingerprint, purposes=list(purposes))
    return text + (TO_DOCUMENTS.format(state=state, code=code) if "documents" in purposes else "")


Present = Callable[..., Report]


@pytest.fixture
def present(tmp_path: Path, test_pki: TestAuthority, synthetic_member: SyntheticMember) -> Present:
    """Put a document on the reader of a terminal whose ``csca/`` holds the member cards' authority and the other one."""

    def judge(authority: TestAuthority, *, policy: str, state: str, code: str) -> Report:
        profile = replace(load_profile(DEFAULT_PROFILE), issuing_state=state, document_code=code)
        image = issue_image(
            synthetic_member, authority=authority, profile=profile, random=Random(9), can=TEST_CAN
        )
        write_trust_directory(tmp_path, [test_pki], now=NOW, policy=policy)
        if authority is not test_pki:
            add_to_trust_directory(tmp_path, authority, now=NOW)
        trust = load_trust(tmp_path)
        ticks = count()
        snapshot = read_card(
            SimulatedReader(VirtualCard(image)),
            password=CardPassword.from_can(TEST_CAN),
            profile=load_profile(DEFAULT_PROFILE),
            pace_parameter_ids=trust.policy.pace_parameter_ids,
            now=NOW,
            monotonic=lambda: next(ticks) / 1000,
        )
        return inspect(snapshot, trust=trust.anchors, policy=trust.policy, now=NOW, purpose=None)

    return judge


def test_a_member_card_of_the_bound_authority_is_accepted(
    present: Present, test_pki: TestAuthority
) -> None:
    policy = TEST_POLICY + binding(test_pki, "documents", "stop-lists")
    report = present(test_pki, policy=policy, state="VNM", code="CM")
    assert (report.verdict, report.codes) == (Verdict.ACCEPTED, ())


@pytest.mark.parametrize(("country", "state"), [("VN", "VNM"), ("DE", "D")])
def test_an_identity_card_with_a_valid_chain_is_refused_for_its_document_code(
    present: Present, test_pki: TestAuthority, country: str, state: str
) -> None:
    other = authority_of(country, document_code="I")
    policy = TWO_STATES + binding(test_pki, "documents")
    report = present(other, policy=policy, state=state, code="I")
    assert report.verdict is Verdict.REFUSED
    assert {"signer.document-type", "signer.authority-scope"} <= set(report.codes)


@pytest.mark.parametrize(("country", "state"), [("VN", "VNM"), ("DE", "D")])
def test_a_card_that_calls_itself_a_member_card_is_refused_because_its_authority_is_not_bound_to_them(
    present: Present, test_pki: TestAuthority, country: str, state: str
) -> None:
    other = authority_of(country, document_code="CM")
    policy = TWO_STATES + binding(test_pki, "documents")
    report = present(other, policy=policy, state=state, code="CM")
    assert report.verdict is Verdict.REFUSED
    assert report.codes[0] == "signer.authority-scope"


def test_an_authority_of_the_other_state_does_not_sign_for_ours(
    present: Present, test_pki: TestAuthority
) -> None:
    other = authority_of("VN", document_code="CM")
    policy = TWO_STATES + binding(test_pki, "documents") + binding(other, "documents", state="D")
    report = present(other, policy=policy, state="VNM", code="CM")
    assert (report.verdict, report.codes[0]) == (Verdict.REFUSED, "signer.authority-scope")


def test_an_authority_that_is_trusted_for_master_lists_alone_signs_no_card(
    present: Present, test_pki: TestAuthority
) -> None:
    other = authority_of("VN", document_code="CM")
    policy = TEST_POLICY + binding(test_pki, "documents") + binding(other, "master-lists")
    report = present(other, policy=policy, state="VNM", code="CM")
    assert (report.verdict, report.codes[0]) == (Verdict.REFUSED, "signer.authority-scope")


def test_the_same_card_is_accepted_where_its_authority_is_bound_to_it(
    present: Present, test_pki: TestAuthority
) -> None:
    other = authority_of("VN", document_code="CM")
    policy = TEST_POLICY + binding(test_pki, "documents") + binding(other, "documents")
    report = present(other, policy=policy, state="VNM", code="CM")
    assert (report.verdict, report.codes) == (Verdict.ACCEPTED, ())
