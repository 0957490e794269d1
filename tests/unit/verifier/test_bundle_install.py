"""A trust bundle is installed whole or not at all, only forwards, and new anchors only by two people."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pki.certificates.authority_path import fingerprint
from pki.signed.trust_bundle import TrustBundle
from pki.signed.trust_bundle_delta import TrustBundleDelta
from simulators.authority import TestAuthority
from simulators.trust_directory import write_trust_directory
from tests.unit.verifier.bundle_office import BundleOffice, layout_files
from tests.unit.verifier.centre_stage import trust_from
from verifier.errors import TrustError
from verifier.trust.approvals import Approval, create_approver_key, statement
from verifier.trust.bundle_assembly import assemble_bundle
from verifier.trust.bundle_install import install_bundle, new_anchors_of, read_bundle, verify_bundle
from verifier.trust.directory import load_trust
from verifier.trust.installed import current_layout, installed

HOUR = timedelta(hours=1)
PIN = "24681012"

Bundle = Callable[..., TrustBundle]


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(TrustError) as caught:
        action()
    return caught.value.code


@pytest.fixture(scope="module")
def office(test_pki: TestAuthority) -> BundleOffice:
    return BundleOffice(test_pki)


@pytest.fixture(scope="module")
def other() -> TestAuthority:
    return TestAuthority.create(
        now=datetime.fromisoformat("2026-01-10T00:00:00Z"), name="TEST CSCA that is new"
    )


@pytest.fixture
def make(office: BundleOffice, test_pki: TestAuthority, now: datetime) -> Bundle:
    def make(number: int, **more: bytes) -> TrustBundle:
        files = layout_files(test_pki, now=now)
        files |= {path.replace("__", "/").replace("_", "."): item for path, item in more.items()}
        return TrustBundle.from_bytes(
            office.bundle(files, at=now + timedelta(seconds=number), number=number)
        )

    return make


@pytest.fixture
def trust(tmp_path: Path, test_pki: TestAuthority, now: datetime) -> Path:
    """A terminal that was set up from an export."""
    write_trust_directory(tmp_path / "trust", [test_pki], now=now)
    return tmp_path / "trust"


def approvers(trust: Path, *names: str) -> dict[str, bytes]:
    keys, lines = {}, ["format = 1"]
    for name in names:
        keys[name], public_key = create_approver_key(PIN)
        lines += ["[[approvers]]", f'name = "{name}"', f'key = "{public_key}"']
    (trust / "approvers.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return keys


def test_a_bundle_takes_the_place_of_the_files_and_the_next_one_its_place(
    trust: Path, make: Bundle
) -> None:
    assert "status.card" not in load_trust(trust).policy.required_checks()
    report = install_bundle(make(4), trust)
    assert (report.before, report.new_anchors, report.bundle.number) == (None, (), 4)
    assert "status.card" in load_trust(trust).policy.required_checks()
    install_bundle(make(5), trust)
    last = make(9)
    install_bundle(last, trust)
    found = installed(trust)
    assert found is not None
    assert (found.number, found.sha256) == (9, last.fingerprint)
    # The bundle before stays for terminals that are just reading it; what is older goes.
    names = sorted(path.name.partition("-")[0] for path in (trust / "bundles").iterdir())
    assert names == ["5", "9"]
    layout = current_layout(trust)
    assert (layout / "trust.bundle").read_bytes() == last.der
    assert (layout / "csca" / "csca-1.cer").exists()


def test_a_terminal_never_goes_back(trust: Path, make: Bundle) -> None:
    install_bundle(make(4), trust)
    for number in (4, 3):
        assert code_of(lambda number=number: install_bundle(make(number), trust)) == (  # type: ignore[misc]
            "bundle.not-newer"
        )
    found = installed(trust)
    assert found is not None
    assert found.number == 4


def test_a_delta_leads_from_the_installed_bundle_to_the_next(trust: Path, make: Bundle) -> None:
    first, second, third = make(1), make(2), make(3)
    install_bundle(first, trust)
    delta = TrustBundleDelta.between(first, second).to_bytes()
    assert len(delta) < len(second.der) / 3
    install_bundle(read_bundle(delta, trust), trust)
    assert (current_layout(trust) / "trust.bundle").read_bytes() == second.der
    later = TrustBundleDelta.between(first, third).to_bytes()
    assert code_of(lambda: read_bundle(later, trust)) == "trust-delta.other-base"
    assert code_of(lambda: read_bundle(b"neither", trust)) == "trust-bundle.malformed"


def test_a_bundle_that_no_terminal_could_load_is_not_installed(trust: Path, make: Bundle) -> None:
    install_bundle(make(1), trust)
    broken = make(2, crl__other_crl=b"no CRL")
    assert code_of(lambda: install_bundle(broken, trust)) == "trust.malformed"
    without_policy = make(2, policy_toml=b"unknown = 1\n")
    assert code_of(lambda: install_bundle(without_policy, trust)) == "policy.malformed"
    found = installed(trust)
    assert found is not None
    assert found.number == 1
    assert sorted(path.name[:2] for path in (trust / "bundles").iterdir()) == ["1-"]


def test_only_who_is_trusted_now_may_bring_a_bundle(
    trust: Path, other: TestAuthority, make: Bundle, test_pki: TestAuthority, now: datetime
) -> None:
    install_bundle(make(1), trust)
    files = layout_files(test_pki, now=now)
    foreign = TrustBundle.from_bytes(BundleOffice(other).bundle(files, at=now, number=7))
    assert code_of(lambda: install_bundle(foreign, trust)) == "trust-bundle.untrusted"
    assert code_of(lambda: verify_bundle(foreign, trust)) == "trust-bundle.untrusted"


def test_a_signer_of_status_lists_signs_no_bundle(
    trust: Path, office: BundleOffice, test_pki: TestAuthority, now: datetime
) -> None:
    policy = layout_files(test_pki, now=now)["policy.toml"].decode()
    digest = fingerprint(test_pki.root.certificate)
    bound = policy + (
        f'[[anchors]]\ncertificate = "sha256:{digest}"\n'
        'purposes = ["documents", "status-lists"]\nstates = ["VNM"]\ndocument_codes = ["CM"]\n'
    )
    (trust / "policy.toml").write_text(bound, encoding="utf-8")
    files = layout_files(test_pki, now=now, policy=bound)
    bundle = TrustBundle.from_bytes(office.bundle(files, at=now))
    assert code_of(lambda: install_bundle(bundle, trust)) == "trust-bundle.untrusted"


def test_a_new_anchor_takes_two_different_people(
    trust: Path, make: Bundle, other: TestAuthority
) -> None:
    install_bundle(make(1), trust)
    bundle = make(2, csca__other_cer=other.root.certificate)
    keys = approvers(trust, "Lan", "Bình", "Hoa")
    new = new_anchors_of(bundle, trust)
    assert len(new) == 1
    stated = statement(bundle.fingerprint, new)

    def approval(name: str, stated: bytes = stated) -> Approval:
        made = Approval.make(name=name, key_file=keys[name], pin=PIN, stated=stated)
        assert Approval.from_bytes(made.to_bytes()) == made
        return made

    lan, hoa = approval("Lan"), approval("Hoa")
    for approvals in ([], [lan], [lan, lan]):
        assert (
            code_of(lambda approvals=approvals: install_bundle(bundle, trust, approvals))  # type: ignore[misc]
            == "bundle.approval-missing"
        )
    forged = Approval(name="Bình", signature=lan.signature)
    stranger = Approval(name="Mai", signature=lan.signature)
    # An approval is of one bundle with these anchors, and of no other.
    elsewhere = approval("Bình", statement(make(3).fingerprint, new))
    for wrong in (forged, stranger, elsewhere, approval("Bình", statement(bundle.fingerprint, ()))):
        assert (
            code_of(lambda wrong=wrong: install_bundle(bundle, trust, [lan, wrong]))  # type: ignore[misc]
            == "bundle.approval-invalid"
        )
    report = install_bundle(bundle, trust, [lan, hoa])
    assert report.approved_by == ("Hoa", "Lan")
    assert len(load_trust(trust).anchors.authorities) == 2
    # What is approved once is an anchor; to take it away takes nobody.
    assert install_bundle(make(3, csca__other_cer=other.root.certificate), trust).new_anchors == ()
    assert install_bundle(make(4), trust).new_anchors == ()


def test_a_wider_use_of_an_anchor_and_another_log_are_new_too(
    trust: Path, make: Bundle, test_pki: TestAuthority, now: datetime
) -> None:
    install_bundle(make(1), trust)
    digest = fingerprint(test_pki.root.certificate)
    wider = (
        layout_files(test_pki, now=now)["policy.toml"]
        + (
            f'[[anchors]]\ncertificate = "sha256:{digest}"\n'
            'purposes = ["documents", "stop-lists", "status-lists", "trust-bundles", "master-lists"]\n'
            'states = ["VNM"]\ndocument_codes = ["CM"]\n'
        ).encode()
    )
    assert code_of(lambda: install_bundle(make(2, policy_toml=wider), trust)) == (
        "bundle.approval-missing"
    )


def test_a_first_bundle_into_an_empty_directory_takes_two_people(
    tmp_path: Path, make: Bundle
) -> None:
    trust = tmp_path / "empty"
    trust.mkdir()
    bundle = make(1)
    assert code_of(lambda: install_bundle(bundle, trust)) == "bundle.approval-missing"
    keys = approvers(trust, "Lan", "Hoa")
    stated = statement(bundle.fingerprint, new_anchors_of(bundle, trust))
    approvals = [
        Approval.make(name=name, key_file=key, pin=PIN, stated=stated) for name, key in keys.items()
    ]
    assert install_bundle(bundle, trust, approvals).approved_by == ("Hoa", "Lan")
    assert load_trust(trust).anchors.authorities


def test_an_approvers_key_opens_by_its_pin_alone() -> None:
    key, _ = create_approver_key(PIN)
    for wrong in ("24681013", ""):
        assert (
            code_of(
                lambda wrong=wrong: Approval.make(  # type: ignore[misc]
                    name="Lan", key_file=key, pin=wrong, stated=b""
                )
            )
            == "bundle.approval-invalid"
        )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "format = 2\napprovers = []\n",
        'format = 1\n[[approvers]]\nname = "Lan"\nkey = "00"\n',
        'format = 1\n[[approvers]]\nname = ""\nkey = "' + "0" * 64 + '"\n',
        "format = 1\n" + ('[[approvers]]\nname = "Lan"\nkey = "' + "0" * 64 + '"\n') * 2,
        'format = 1\n[[approvers]]\nname = "Lan"\nkey = "' + "0" * 64 + '"\n'
        '[[approvers]]\nname = "Lan again"\nkey = "' + "0" * 64 + '"\n',
    ],
)
def test_two_people_are_two_names_and_two_keys(
    trust: Path, make: Bundle, other: TestAuthority, text: str
) -> None:
    (trust / "approvers.toml").write_text(text, encoding="utf-8")
    bundle = make(2, csca__other_cer=other.root.certificate)
    assert code_of(lambda: install_bundle(bundle, trust)) == "bundle.approvers-malformed"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"format": 1, "number": 1}', b"\xff"])
def test_a_broken_pointer_stops_the_terminal(trust: Path, make: Bundle, content: bytes) -> None:
    install_bundle(make(1), trust)
    (trust / "bundle.json").write_bytes(content)
    assert code_of(lambda: load_trust(trust)) == "trust.malformed"


def test_a_pointer_leads_nowhere_else(trust: Path, make: Bundle) -> None:
    install_bundle(make(1), trust)
    path = trust / "bundle.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"bundles/', '"../bundles/'), encoding="utf-8")
    assert code_of(lambda: load_trust(trust)) == "trust.malformed"


def test_what_an_export_holds_is_what_a_bundle_brings(
    tmp_path: Path, test_pki: TestAuthority, now: datetime, office: BundleOffice
) -> None:
    export = tmp_path / "export"
    write_trust_directory(export, [test_pki], now=now)
    (export / "csca" / "notes.txt").write_text("somebody's", encoding="utf-8")
    files = assemble_bundle(export)
    assert {path.partition("/")[0] for path in files} == {"csca", "crl", "policy.toml"}
    install_bundle(
        TrustBundle.from_bytes(office.bundle(files, at=now)), _set_up(tmp_path, test_pki, now)
    )
    (export / "policy.toml").write_text("", encoding="utf-8")
    assert code_of(lambda: assemble_bundle(export)) == "policy.empty"
    assert code_of(lambda: assemble_bundle(tmp_path / "nowhere")) == "trust.missing"


def _set_up(tmp_path: Path, authority: TestAuthority, now: datetime) -> Path:
    write_trust_directory(tmp_path / "terminal", [authority], now=now)
    return tmp_path / "terminal"


_STEPS = frozenset(
    {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "shutil.rmtree"}
)


def _die_at(step: int, action: Callable[[], object]) -> bool:
    """Run an action in a child that is killed at its n-th step on disk; whether it came to its end."""
    child = os.fork()
    if child == 0:
        count = 0

        def kill(event: str, _arguments: object) -> None:
            nonlocal count
            if event in _STEPS:
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(kill)
        try:
            action()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status)


@pytest.mark.skipif(sys.platform == "win32", reason="it forks")
def test_a_kill_at_every_step_leaves_the_old_bundle_or_the_new_one(
    tmp_path: Path, make: Bundle, test_pki: TestAuthority, now: datetime
) -> None:
    first, second = make(1), make(2)
    write_trust_directory(tmp_path / "0", [test_pki], now=now)
    install_bundle(first, tmp_path / "0")
    step, seen = 0, set()
    while True:
        step += 1
        trust = tmp_path / str(step)
        shutil.copytree(tmp_path / "0", trust)
        is_done = _die_at(step, lambda trust=trust: install_bundle(second, trust))  # type: ignore[misc]
        found = installed(trust)
        assert found is not None
        seen.add(found.number)
        assert (current_layout(trust) / "trust.bundle").read_bytes() == {1: first, 2: second}[
            found.number
        ].der
        assert load_trust(trust).anchors.authorities
        # The same command ends what was begun, and clears away what was left.
        if found.number == 1:
            install_bundle(second, trust)
        install_bundle(make(3), trust)
        names = sorted(path.name.partition("-")[0] for path in (trust / "bundles").iterdir())
        assert names == ["2", "3"]
        if is_done:
            break
    assert seen == {1, 2}
    assert step > 40


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("policy.toml", lambda path: path.write_text(path.read_text() + "\n# more rights\n")),
        ("policy.toml", lambda path: path.unlink()),
        ("crl/csca-1.crl", lambda path: path.unlink()),
        ("trust.bundle", lambda path: path.write_bytes(b"another")),
        ("csca/mine.cer", lambda path: path.write_bytes(b"a root of my own")),
        ("proofs/x.tlog-proof", lambda path: path.write_bytes(b"brought along")),
    ],
)
def test_what_was_installed_cannot_be_edited_at_the_terminal(
    tmp_path: Path, make: Bundle, name: str, change: Callable[[Path], object]
) -> None:
    """Neither purposes nor trust are widened with an editor: no card is judged any more."""
    trust = tmp_path / "trust"
    trust_from(make(1), trust)
    load_trust(trust)
    path = current_layout(trust) / name
    path.parent.mkdir(exist_ok=True)
    change(path)
    assert code_of(lambda: load_trust(trust)) == "trust.malformed"
