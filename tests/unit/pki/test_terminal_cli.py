"""The commands for terminals' certificates: what they print, what they leave, how they end."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.request import AuthenticatedRequest
from pki.cli import main
from pki.keys.token_library import find_softhsm

KEYSTORES = ["file", pytest.param("pkcs11", marks=pytest.mark.hsm)]


class Outcome:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> Outcome:
        capfd.readouterr()
        status = main(list(words))
        captured = capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call


@pytest.fixture(scope="module")
def made_office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a CVCA and a document verifier, made once because each command pays for a passphrase."""
    folder = tmp_path_factory.mktemp("made")
    home, pin_file = str(folder / "office"), str(folder / "office.pin")
    for words in (
        ("cvca", "create", "--holder", "VNMEMBER", "--keystore", "file", "--pin-file", pin_file),
        ("dv", "create", "--mnemonic", "OFFICES"),
    ):
        assert main(["--home", home, "terminal", *words]) == 0
    return folder


@pytest.fixture
def office(run: Run, made_office: Path, tmp_path: Path) -> Run:
    """The home `office` in the working directory."""
    shutil.copytree(made_office / "office", tmp_path / "office")
    shutil.copy(made_office / "office.pin", tmp_path)
    return run


def test_a_new_home_for_the_cvca_warns_of_keys_in_files(run: Run) -> None:
    made = run(
        "--home", "office", "terminal", "cvca", "create", "--holder", "VNMEMBER",
        "--keystore", "file", "--pin-file", "office.pin", "--format", "json",
    )  # fmt: skip
    assert (made.json["holder"], made.json["files"]) == ("VNMEMBER00001", "DG13")
    assert "warning: the keys are in encrypted files" in made.err


def request(run: Run, *words: str, keystore: str = "file") -> Outcome:
    return run(
        "--home", "gate", "terminal", "request", "create", *words, "--out", "gate.cvreq",
        "--keystore", keystore, "--pin-file", "gate.pin", "--format", "json",
    )  # fmt: skip


@pytest.mark.parametrize("keystore", KEYSTORES)
def test_a_terminal_gets_its_certificate_and_renews_it(
    office: Run, tmp_path: Path, keystore: str
) -> None:
    if keystore == "pkcs11" and find_softhsm() is None:
        pytest.skip("SoftHSM2 and python-pkcs11 are not both installed")
    asked = request(
        office, "--holder", "VNGATE1", "--authority", "VNOFFICES00001", keystore=keystore
    )
    assert asked.json["inner_signature"] == "valid"
    assert asked.json["vouched_for_by"] is None
    issued = office(
        "--home", "office", "terminal", "issue", "gate.cvreq", "--grant", "DG13",
        "--out", "gate.cvcert", "--format", "json",
    ).json  # fmt: skip
    assert (issued["holder"], issued["role"], issued["files"]) == (
        "VNGATE100001",
        "terminal",
        "DG13",
    )
    assert (tmp_path / "gate.cvcert").read_bytes() == (
        tmp_path / "office/card-verifiable/VNGATE100001.cvcert"
    ).read_bytes()
    again = request(office, "--earlier", "gate.cvcert")
    assert again.json["vouched_for_by"] == "VNGATE100001"
    AuthenticatedRequest.from_bytes((tmp_path / "gate.cvreq").read_bytes())
    renewed = office(
        "--home", "office", "terminal", "renew", "gate.cvreq", "--out", "gate-2.cvcert",
        "--format", "json",
    ).json  # fmt: skip
    assert renewed["holder"] == "VNGATE100002"
    found = office(
        "terminal", "verify", "office/card-verifiable/VNOFFICES00001.cvcert", "gate-2.cvcert",
        "--anchor", "office/card-verifiable/VNMEMBER00001.cvcert", "--format", "json",
    ).json  # fmt: skip
    assert (found["verdict"], found["files"], found["access"]) == ("accepted", "DG13", "none")
    listed = office("--home", "office", "terminal", "list", "--format", "json").json
    assert [(item["holder"], item["role"], item["state"]) for item in listed] == [
        ("VNMEMBER00001", "cvca", "issued"),
        ("VNOFFICES00001", "document-verifier", "issued"),
        ("VNGATE100001", "terminal", "issued"),
        ("VNGATE100002", "terminal", "issued"),
    ]
    assert "VNGATE100002" in office("--home", "office", "terminal", "list").out
    assert office("--home", "office", "journal", "verify").status == 0


def test_a_link_is_shown_with_its_root_and_leads_further(office: Run, tmp_path: Path) -> None:
    link, root = office("--home", "office", "terminal", "cvca", "link", "--format", "json").json
    assert (link["authority"], link["holder"]) == ("VNMEMBER00001", "VNMEMBER00002")
    assert (root["authority"], root["holder"]) == ("VNMEMBER00002", "VNMEMBER00002")
    office("--home", "office", "terminal", "dv", "create", "--mnemonic", "OFFICES")
    request(office, "--holder", "VNGATE1")
    office(
        "--home", "office", "terminal", "issue", "gate.cvreq", "--grant", "none", "--out", "gate.cvcert"
    )  # fmt: skip
    folder = "office/card-verifiable"
    chain = (
        f"{folder}/VNMEMBER00001-VNMEMBER00002.cvcert",
        f"{folder}/VNOFFICES00002.cvcert",
        "gate.cvcert",
    )
    anchor = f"{folder}/VNMEMBER00001.cvcert"
    found = office("terminal", "verify", *chain, "--anchor", anchor, "--format", "json").json
    assert found["files"] == "none"
    late = office("terminal", "verify", *chain, "--anchor", anchor, "--on", "2099-01-01")
    assert (late.status, "[cv-certificate.expired]" in late.err) == (1, True)
    text = office("--home", "office", "terminal", "cvca", "link")
    assert text.out.count("VNMEMBER00003") == 3
    assert CvCertificate.from_bytes((tmp_path / chain[0]).read_bytes()).body.file_rights.names == [
        "DG13"
    ]


def test_a_blocked_terminal_is_listed_with_the_reason(office: Run) -> None:
    request(office, "--holder", "VNGATE1")
    office("--home", "office", "terminal", "issue", "gate.cvreq", "--grant", "DG13")
    assert office(
        "--home", "office", "terminal", "block", "VNGATE1", "--reason", "stolen"
    ).out == "blocked VNGATE1\n"  # fmt: skip
    listed = office("--home", "office", "terminal", "list", "--format", "json").json
    assert (listed[-1]["state"], listed[-1]["reason"]) == ("blocked", "stolen")
    refused = office("--home", "office", "terminal", "issue", "gate.cvreq", "--grant", "DG13")
    assert refused.status == 1
    assert refused.err.startswith("error: ")


def test_show_reads_certificates_and_requests_and_nothing_else(office: Run, tmp_path: Path) -> None:
    request(office, "--holder", "VNGATE1")
    shown = office("terminal", "show", "gate.cvreq", "--format", "json").json
    assert (shown["kind"], shown["holder"]) == ("request", "VNGATE100001")
    verifier = "office/card-verifiable/VNOFFICES00001.cvcert"
    assert "document-verifier" in office("terminal", "show", verifier).out
    tampered = bytearray((tmp_path / "gate.cvreq").read_bytes())
    tampered[-1] ^= 1
    (tmp_path / "tampered.cvreq").write_bytes(tampered)
    shown = office("terminal", "show", "tampered.cvreq", "--format", "json").json
    assert shown["inner_signature"] == "invalid"
    for content in (b"", b"text", bytes(5000)):
        (tmp_path / "other").write_bytes(content)
        outcome = office("terminal", "show", "other")
        assert (outcome.status, "[cv-certificate.malformed]" in outcome.err) == (2, True)
    missing = office("terminal", "show", "missing")
    assert (missing.status, "[file.unreadable]" in missing.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("cvca", "create", "--holder", "VNMEMBER"), 1, "cvca.exists"),
        (("cvca", "create", "--holder", "VNMEMBER", "--grant", "DG17"), 64, "usage"),
        (("cvca", "create", "--holder", "VNMEMBER", "--curve", "secp256k1"), 64, "usage"),
        (("dv", "create", "--mnemonic", "lower"), 1, "terminal-request.holder-invalid"),
        (("issue", "missing", "--grant", "DG13"), 2, "file.unreadable"),
        (("issue", "missing"), 64, "usage"),
        (("renew", "office.pin"), 2, "cv-certificate.malformed"),
        (("renew", "office.pin", "--dv", "short"), 2, "cv-certificate.malformed"),
        (("block", "VNGATE1", "--reason", "x"), 1, "terminal.unknown"),
        (("request", "create", "--out", "x"), 64, "usage"),
        (
            ("request", "create", "--out", "no/where", "--holder", "VNGATE1"),
            2,
            "file.unwritable",
        ),
        (
            ("request", "create", "--out", "x", "--holder", "vnGATE1"),
            2,
            "cv-certificate.malformed",
        ),
    ],
)
def test_what_cannot_be_done_ends_with_its_code(
    office: Run, words: tuple[str, ...], status: int, code: str
) -> None:
    outcome = office("--home", "office", "terminal", *words)
    assert (outcome.status, f"[{code}]" in outcome.err) == (status, True), outcome.err
    assert "Traceback" not in outcome.err


def test_without_a_home_there_must_be_a_pin_file(run: Run) -> None:
    outcome = run(
        "--home", "none", "terminal", "request", "create", "--holder", "VNA", "--out", "x"
    )
    assert (outcome.status, "[home.missing]" in outcome.err) == (2, True)
    outcome = run("terminal", "list")
    assert (outcome.status, "--home" in outcome.err) == (64, True)
