"""A passport authority that came by a master list never makes a member card accepted, whatever the import said of it.

Everything is genuine: the list, its signer, the authority, its signer of cards, its CRL. The terminal reads the trust directory
into which the import wrote.
"""

import hashlib
import shutil
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.profile import load_profile
from pki.certificates.import_policy import ImportPolicy
from pki.certificates.issue import issue_signer_certificate
from pki.certificates.master_list_signer import ListAuthorities
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import load_certificate_profile
from pki.keys.software import SoftwareSigner
from pki.services.master_list_import import plan_import
from pki.services.master_list_reading import verify_master_list
from pki.signed.master_list_writing import PreparedMasterList
from pki.trust_directory import TrustDirectory
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.issued_image import DEFAULT_PROFILE, issue_image
from simulators.population.member import SyntheticMember
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import TEST_POLICY, add_to_trust_directory, write_trust_directory
from verifier.errors import TrustError
from verifier.inspection.report import Report, Verdict, inspect
from verifier.reading.card_reading import read_card
from verifier.services.card_password import CardPassword
from verifier.trust.directory import load_trust

NOW = TEST_TIME + timedelta(days=1)
ANCHOR = """
[[anchors]]
certificate = "sha256:{0}"
purposes = ["documents"]
states = ["VNM"]
document_codes = ["CM"]
"""
IMPORT = """
format = 1
name = "passports"
country = "VN"
max_age_days = 3650
require_crl = false
[[rules]]
country = "VN"
{rule}
states = ["VNM"]
document_codes = {codes}
"""
TRAVEL = 'purposes = ["travel-documents"]'


def fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


@pytest.fixture(scope="module")
def passports() -> TestAuthority:
    """The authority for the same state's passports; it certifies a signer that calls its documents member cards."""
    return TestAuthority.create(now=TEST_TIME, name="TEST passports")


@pytest.fixture
def import_list(passports: TestAuthority) -> Callable[..., None]:
    """Import the passport authority's own master list into the terminal's trust directory."""

    def run(trust: Path, *, rule: str, codes: str) -> None:
        root = passports.root.certificate
        report = verify_master_list(
            list_of(passports), trusted=ListAuthorities.from_bytes(given=[root]), at=NOW
        )
        policy = ImportPolicy.from_bytes(IMPORT.format(rule=rule, codes=codes).encode())
        directory = TrustDirectory(trust)
        with directory.locked():
            present = directory.contents(policy.name, is_trust=True)
            directory.install(plan_import(report, policy, present=present))

    return run


def list_of(authority: TestAuthority) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = issue_signer_certificate(
        authority_signer=authority.root.signer,
        authority_certificate=authority.root.certificate,
        public_key=key.public_key(),
        profile=load_certificate_profile("master-list-signer"),
        name=DistinguishedName(country="VN", common_name="TEST lists"),
        serial_number=2**120,
        not_before=TEST_TIME,
    )
    prepared = PreparedMasterList.compose(
        signer_certificate=certificate,
        authority_certificate=authority.root.certificate,
        public_key=key.public_key(),
        listed=[authority.root.certificate],
        signing_time=TEST_TIME + timedelta(hours=1),
    )
    return prepared.sign(SoftwareSigner(key))


@pytest.fixture
def trust(tmp_path: Path, test_pki: TestAuthority, passports: TestAuthority) -> Path:
    """A terminal's directory: our authority is bound, and every CRL is at hand."""
    directory = tmp_path / "trust"
    policy = TEST_POLICY + ANCHOR.format(fingerprint(test_pki.root.certificate))
    write_trust_directory(directory, [test_pki], now=NOW, policy=policy)
    only_crls = tmp_path / "others"
    write_trust_directory(only_crls, [test_pki], now=NOW, policy=policy)
    add_to_trust_directory(only_crls, passports, now=NOW)
    for path in (only_crls / "crl").iterdir():
        shutil.copy(path, directory / "crl" / path.name)
    return directory


@pytest.fixture
def present(trust: Path, synthetic_member: SyntheticMember) -> Callable[[TestAuthority], Report]:
    def judge(authority: TestAuthority) -> Report:
        image = issue_image(
            synthetic_member,
            authority=authority,
            profile=load_profile(DEFAULT_PROFILE),
            random=Random(9),
            can=TEST_CAN,
        )
        found = load_trust(trust)
        ticks = count()
        snapshot = read_card(
            SimulatedReader(VirtualCard(image)),
            password=CardPassword.from_can(TEST_CAN),
            profile=load_profile(DEFAULT_PROFILE),
            pace_parameter_ids=found.policy.pace_parameter_ids,
            now=NOW,
            monotonic=lambda: next(ticks) / 1000,
        )
        return inspect(snapshot, trust=found.anchors, policy=found.policy, now=NOW, purpose=None)

    return judge


@pytest.mark.parametrize("codes", ['["P"]', '["CM"]', '["P", "CM"]'])
def test_a_card_below_an_imported_passport_authority_is_refused(
    trust: Path, import_list: Callable[..., None], present: Callable[..., Report],
    passports: TestAuthority, codes: str,
) -> None:  # fmt: skip
    import_list(trust, rule=TRAVEL, codes=codes)
    assert any((trust / "csca").glob("import_passports_VN_*_root.cer"))
    report = present(passports)
    assert (report.verdict, report.codes[0]) == (Verdict.REFUSED, "signer.authority-scope")


def test_our_own_cards_are_accepted_as_before(
    trust: Path,
    import_list: Callable[..., None],
    present: Callable[..., Report],
    test_pki: TestAuthority,
) -> None:
    import_list(trust, rule=TRAVEL, codes='["CM"]')
    assert present(test_pki).verdict is Verdict.ACCEPTED


def test_only_a_rule_that_names_the_certificate_for_member_cards_makes_them_accepted(
    trust: Path,
    import_list: Callable[..., None],
    present: Callable[..., Report],
    passports: TestAuthority,
) -> None:
    """The counterpart, without which the refusals above could have any other cause."""
    name = fingerprint(passports.root.certificate)
    rule = f'purposes = ["documents"]\ncertificates = ["sha256:{name}"]'
    import_list(trust, rule=rule, codes='["CM"]')
    assert present(passports).verdict is Verdict.ACCEPTED


def test_without_the_file_that_binds_it_an_imported_certificate_is_trusted_for_nothing(
    trust: Path,
    import_list: Callable[..., None],
    present: Callable[..., Report],
    passports: TestAuthority,
) -> None:
    name = fingerprint(passports.root.certificate)
    rule = f'purposes = ["documents"]\ncertificates = ["sha256:{name}"]'
    import_list(trust, rule=rule, codes='["CM"]')
    (trust / "anchors" / "passports.toml").unlink()
    report = present(passports)
    assert (report.verdict, report.codes[0]) == (Verdict.REFUSED, "signer.authority-scope")


def test_a_terminal_does_not_start_with_a_binding_that_is_broken_or_contradicts_its_policy(
    trust: Path, import_list: Callable[..., None], test_pki: TestAuthority, passports: TestAuthority
) -> None:
    import_list(trust, rule=TRAVEL, codes='["P"]')
    path = trust / "anchors" / "passports.toml"
    whole = path.read_text()
    ours, theirs = fingerprint(test_pki.root.certificate), fingerprint(passports.root.certificate)
    for text in (whole.replace("format = 1", "format = 2"), whole.replace(theirs, ours, 5)):
        path.write_text(text)
        with pytest.raises(TrustError) as caught:
            load_trust(trust)
        assert caught.value.code == "policy.malformed"
    path.write_text(whole)
    policy = trust / "policy.toml"
    policy.write_text(policy.read_text().partition("[[anchors]]")[0])
    with pytest.raises(TrustError) as caught:
        load_trust(trust)
    assert caught.value.code == "policy.malformed"
