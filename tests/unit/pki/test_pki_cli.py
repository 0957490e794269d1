"""The command line of the authority: what it prints, what it leaves, how it ends."""

import json
import stat
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificates.trust import TrustAnchors, check_revocation, find_authority
from pki.cli import main
from pki.errors import PkiError
from pki.keys.token_library import find_softhsm
from pki.services.document_signer import SigningRequest
from pki.services.open_signer import open_document_signer
from pki.signed.security_object import SecurityObject, StatusReference

Run = Callable[..., Any]


class Outcome:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "pki"


@pytest.fixture
def run(home: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> Outcome:
        capfd.readouterr()
        status = main(["--home", str(home), *words])
        captured = capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call


@pytest.fixture
def made(run: Run, tmp_path: Path) -> Run:
    """A home with an authority, a signer and a CRL."""
    create(run, tmp_path, "file")
    assert run("signer", "create", "--id", "ds-1").status == 0
    assert run("crl", "issue").status == 0
    return run


def create(run: Run, tmp_path: Path, keystore: str) -> Outcome:
    outcome: Outcome = run(
        "authority", "create", "--test", "--name", "Membercard demonstration",
        "--keystore", keystore, "--pin-file", str(tmp_path / "secrets" / "pki.pin"),
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    return outcome


@pytest.mark.parametrize("keystore", ["file", pytest.param("pkcs11", marks=pytest.mark.hsm)])
def test_from_nothing_to_a_signed_card_that_a_verifier_trusts(
    run: Run, home: Path, tmp_path: Path, keystore: str
) -> None:
    if keystore == "pkcs11" and find_softhsm() is None:
        pytest.skip("SoftHSM2 and python-pkcs11 are not both installed")
    warning = create(run, tmp_path, keystore).err
    assert ("warning: the keys are in encrypted files" in warning) == (keystore == "file")
    assert run("signer", "create", "--id", "ds-1", "--format", "json").json["state"] == "usable"
    assert run("crl", "issue", "--format", "json").json["number"] == 1
    assert run("trust", "export", str(tmp_path / "trust")).status == 0
    now = datetime.now(UTC)
    with open_document_signer(home) as signer:
        signed = signer.sign(
            SigningRequest(
                reference=bytes(16),
                file_hashes={1: bytes(32), 2: bytes(32)},
                status_reference=StatusReference(list_id=bytes(8), index=1),
                signing_time=now,
            )
        )
    security_object = SecurityObject.from_bytes(signed)
    security_object.verify_signature()
    anchors = TrustAnchors.from_bytes(
        certificates=[(tmp_path / "trust/csca/csca-1.cer").read_bytes()],
        crls=[(tmp_path / "trust/crl/csca-1.crl").read_bytes()],
    )
    authority = find_authority(security_object.signer_certificate, anchors)
    check_revocation(security_object.signer_certificate, authority, anchors, now=now)
    assert authority.is_test
    listed = run("signer", "list", "--format", "json").json
    assert [(item["id"], item["objects_signed"]) for item in listed] == [("ds-1", 1)]
    assert run("journal", "verify", "--format", "json").json["entries"] == 14


def test_a_revoked_signer_is_in_the_next_export_and_signs_no_more(
    made: Run, home: Path, tmp_path: Path
) -> None:
    outcome = made("signer", "revoke", "--id", "ds-1", "--reason", "token lost", "--format", "json")
    assert outcome.json["state"] == "revoked"
    assert made("authority", "show", "--format", "json").json["crl_number"] == 2
    assert made("trust", "export", str(tmp_path / "trust")).status == 0
    anchors = TrustAnchors.from_bytes(
        certificates=[(tmp_path / "trust/csca/csca-1.cer").read_bytes()],
        crls=[(tmp_path / "trust/crl/csca-1.crl").read_bytes()],
    )
    certificate = (home / "certificates/ds-1.cer").read_bytes()
    with pytest.raises(PkiError, match="was revoked") as caught:
        check_revocation(
            certificate, find_authority(certificate, anchors), anchors, now=datetime.now(UTC)
        )
    assert caught.value.code == "signer.revoked"
    with pytest.raises(PkiError) as caught:
        open_document_signer(home)
    assert caught.value.code == "signer.unknown"
    assert made("signer", "revoke", "--id", "ds-1", "--reason", "again").status == 1


def test_the_policy_of_the_export_demands_everything_and_an_edited_one_is_kept(
    made: Run, tmp_path: Path
) -> None:
    trust = tmp_path / "trust"
    made("trust", "export", str(trust))
    policy = tomllib.loads((trust / "policy.toml").read_text())
    assert policy["allow_test_authorities"] is True
    assert policy["document_codes"] == ["CM"]
    assert policy["states"] == {"VNM": "VN"}
    assert len(policy["purposes"]["inspection"]["required_checks"]) == 18
    (trust / "policy.toml").write_text("# edited\n")
    written = made("trust", "export", str(trust), "--format", "json").json
    assert [item["written"] for item in written] == [True, True, False]
    assert (trust / "policy.toml").read_text() == "# edited\n"


def test_the_secrets_are_only_in_their_files(made: Run, home: Path, tmp_path: Path) -> None:
    pin_file = tmp_path / "secrets" / "pki.pin"
    pin = pin_file.read_text().strip()
    assert stat.S_IMODE(pin_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in home.rglob("*"):
        if path.is_file():
            assert pin not in path.read_text("latin-1")
    outcome = made("authority", "show")
    assert pin not in outcome.out + outcome.err


def test_text_and_json_tell_the_same(made: Run) -> None:
    document = made("authority", "show", "--format", "json").json
    text = made("authority", "show").out
    for name, value in document.items():
        assert any(
            line.startswith(name.replace("_", " "))
            and line.endswith("-" if value is None else str(value))
            for line in text.splitlines()
        )
    assert "ds-1  usable" in made("signer", "list").out


def test_what_was_done_once_is_refused_with_status_1(made: Run, tmp_path: Path) -> None:
    again = made(
        "authority", "create", "--name", "x", "--pin-file", str(tmp_path / "secrets/pki.pin")
    )
    assert (again.status, "[authority.exists]" in again.err) == (1, True)
    again = made("signer", "create", "--id", "ds-1")
    assert (again.status, "[signer.exists]" in again.err) == (1, True)
    assert "hint: " in again.err


def test_an_edited_journal_stops_everything_with_status_2(made: Run, home: Path) -> None:
    journal = home / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"Membercard demo", b"Membercard Demo", 1))
    for words in (
        ("journal", "verify"),
        ("authority", "show"),
        ("signer", "create", "--id", "ds-2"),
        ("crl", "issue"),
    ):
        outcome = made(*words)
        assert (outcome.status, "[record.damaged]" in outcome.err) == (2, True)


def test_a_cut_journal_is_found_with_its_head(made: Run, home: Path) -> None:
    head = made("journal", "verify", "--format", "json").json["head"]
    journal = home / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert made("journal", "verify", "--head", head).status == 0
    journal.write_bytes(b"".join(lines[:-1]))
    assert made("journal", "verify").status == 0
    outcome = made("journal", "verify", "--head", head)
    assert (outcome.status, "[record.cut]" in outcome.err) == (2, True)


def test_a_torn_line_is_told_and_the_next_command_goes_on(made: Run, home: Path) -> None:
    with (home / "journal.jsonl").open("ab") as file:
        file.write(b'{"fields":')
    outcome = made("journal", "verify")
    assert outcome.status == 0
    assert "warning: the last 10 bytes" in outcome.err
    assert made("crl", "issue", "--format", "json").json["number"] == 2
    assert made("journal", "verify").err == ""


def test_what_a_crash_left_unpublished_is_published_next_time(made: Run, home: Path) -> None:
    for path in (home / "certificates/ds-1.cer", home / "crl/csca-1.crl"):
        before = path.read_bytes()
        path.unlink()
        assert made("signer", "create", "--id", f"x-{path.suffix[1:]}").status == 0
        assert path.read_bytes() == before


def test_a_lost_pin_or_a_wrong_one_is_status_2(made: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.pin"
    other.write_text("not the right PIN")
    other.chmod(0o600)
    outcome = made("crl", "issue", "--pin-file", str(other))
    assert (outcome.status, "[keystore.passphrase-wrong]" in outcome.err) == (2, True)
    (tmp_path / "secrets/pki.pin").unlink()
    outcome = made("crl", "issue")
    assert (outcome.status, "[keystore.pin-file]" in outcome.err) == (2, True)


def test_a_pin_file_is_made_only_at_creation(run: Run, tmp_path: Path) -> None:
    outcome = run("crl", "issue", "--pin-file", str(tmp_path / "new.pin"))
    assert (outcome.status, "[home.missing]" in outcome.err) == (2, True)
    assert not (tmp_path / "new.pin").exists()


def test_only_one_process_works_at_a_time(made: Run, home: Path) -> None:
    with open_document_signer(home):
        outcome = made("crl", "issue")
        assert (outcome.status, "[record.locked]" in outcome.err) == (2, True)
        assert made("signer", "list").status == 0
        assert made("journal", "verify").status == 0


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("authority",),
        ("nothing",),
        ("signer", "create"),
        ("crl", "issue", "--days", "91"),
        ("crl", "issue", "--days", "x"),
        ("authority", "create", "--name", "x", "--pin-file", "p", "--keystore", "paper"),
        ("authority", "show", "--format", "xml"),
        ("authority", "create", "--name", "x", "--pin-file", "p", "--profile", "paper"),
        ("signer", "compromise", "--reason", "x"),
        ("stop-list", "issue", "--days", "91"),
    ],
)
def test_wrong_usage_is_status_64(run: Run, words: tuple[str, ...]) -> None:
    outcome = run(*words)
    assert outcome.status == 64
    assert outcome.err.startswith("error: ")


def test_without_a_home_the_command_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["signer", "list"]) == 64
    assert "MEMBERCARD_PKI_HOME" in capfd.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("--name", "x" * 60),
        ("--name", "new\nline"),
        ("--name", "Trial", "--country", "vn"),
        ("--name", "Trial", "--crl-uri", "é"),
        ("--name", "Trial", "--certificate-profile", "nobody"),
        ("--name", "Trial", "--certificate-profile", "document-signer"),
        ("--name", "Trial", "--key", "rsa2048"),
    ],
)
def test_an_authority_that_cannot_be_leaves_nothing_behind(
    run: Run, home: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    outcome = run(
        "authority", "create", "--test", "--keystore", "file", "--pin-file",
        str(tmp_path / "pin"), *words,
    )  # fmt: skip
    assert outcome.status in {1, 2}
    assert not home.exists()
    assert not (tmp_path / "pin").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("authority", "create"),
        ("authority", "show"),
        ("signer", "create"),
        ("signer", "list"),
        ("signer", "revoke"),
        ("crl", "issue"),
        ("trust", "export"),
        ("journal", "verify"),
        ("authority", "rollover"),
        ("signer", "compromise"),
        ("signer", "destroy"),
        ("stop-list", "issue"),
        ("service", "create-root"),
        ("service", "issue"),
        ("service", "list"),
        ("service", "revoke"),
        ("service", "crl"),
    ],
)
def test_every_help_has_examples(run: Run, words: tuple[str, ...]) -> None:
    outcome = run(*words, "--help")
    assert outcome.status == 0
    assert "Examples:" in outcome.out
    assert f"membercard-pki --home pki {' '.join(words)}" in outcome.out


def test_the_newest_usable_signer_is_taken(made: Run, home: Path) -> None:
    assert made("signer", "create", "--id", "ds-2").status == 0
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with open_document_signer(home, now=lambda: tomorrow) as signer:
        assert signer.signer_id in {"ds-1", "ds-2"}
    with open_document_signer(home, None, "ds-1") as signer:
        assert signer.signer_id == "ds-1"
    for signer_id, moment in (("ds-9", tomorrow), (None, tomorrow + timedelta(days=100))):
        with pytest.raises(PkiError) as caught:
            open_document_signer(home, None, signer_id, now=lambda moment=moment: moment)
        assert caught.value.code == "signer.unknown"


def test_an_authority_of_the_icao_profile_has_a_life_on_the_command_line(
    run: Run, home: Path, tmp_path: Path
) -> None:
    outcome = run(
        "authority", "create", "--test", "--name", "Trial", "--keystore", "file", "--profile",
        "icao", "--key", "brainpoolP384r1", "--pin-file", str(tmp_path / "pin"), "--format", "json",
    )  # fmt: skip
    assert outcome.json["profile"] == "icao"
    for signer_id, profile in (
        ("ds-1", "document-signer"),
        ("stop-1", "stop-list-signer"),
        ("ml-1", "master-list-signer"),
    ):
        made = run("signer", "create", "--id", signer_id, "--profile", profile, "--format", "json")
        assert (made.json["kind"], made.json["state"]) == (profile, "usable")
    assert run("crl", "issue").status == 0
    assert run("authority", "rollover", "--format", "json").json["id"] == "csca-2"
    assert run("signer", "create", "--id", "ds-2", "--key", "rsa3072").status == 0
    with open_document_signer(home, None, "ds-1") as signer:
        signer.sign(
            SigningRequest(
                reference=bytes(15) + b"\x07",
                file_hashes={1: bytes(32), 2: bytes(32)},
                status_reference=StatusReference(list_id=bytes(8), index=1),
                signing_time=datetime.now(UTC),
            )
        )
    references = tmp_path / "out" / "cards.csv"
    outcome = run(
        "signer", "compromise", "ds-1", "--reason", "token stolen",
        "--references", str(references), "--format", "json",
    )  # fmt: skip
    assert (outcome.json["state"], outcome.json["references_written"]) == ("compromised", 1)
    assert "the CRL that lists it is due until" in outcome.err
    lines = references.read_text().splitlines()
    assert lines[0] == "reference,signing_time,digest"
    assert [line.partition(",")[0] for line in lines[1:]] == ["00" * 15 + "07"]
    assert stat.S_IMODE(references.stat().st_mode) == 0o600
    assert run("authority", "show", "--format", "json").json["crl_due"] is not None

    trust = tmp_path / "trust"
    assert run("trust", "export", str(trust)).status == 0
    anchors = load_trust_files(trust)
    assert len(anchors.authorities) == 3
    now = datetime.now(UTC)
    for signer_id, code in (("ds-1", "signer.revoked"), ("ds-2", None)):
        certificate = (home / f"certificates/{signer_id}.cer").read_bytes()
        authority = find_authority(certificate, anchors)
        if code is None:
            check_revocation(certificate, authority, anchors, now=now)
        else:
            with pytest.raises(PkiError, match="stop list 1") as caught:
                check_revocation(certificate, authority, anchors, now=now)
            assert caught.value.code == code

    assert run("signer", "destroy", "ds-2").status == 1
    assert run("signer", "destroy", "ds-2", "--early").status == 0
    assert run("signer", "destroy", "csca-1").status == 0
    with pytest.raises(PkiError) as caught:
        open_document_signer(home, None, "ds-2")
    assert caught.value.code == "signer.destroyed"
    with pytest.raises(PkiError) as caught:
        open_document_signer(home, None, "stop-1")
    assert caught.value.code == "signer.unknown"
    assert run("crl", "issue").status == 0
    shown = run("authority", "show", "--format", "json").json
    assert (shown["id"], shown["crl_due"]) == ("csca-2", None)
    assert run("stop-list", "issue", "--days", "7", "--format", "json").json["number"] == 2
    states = {item["id"]: item["state"] for item in run("signer", "list", "--format", "json").json}
    assert states == {
        "ds-1": "compromised", "ds-2": "destroyed", "stop-1": "usable", "ml-1": "usable",
    }  # fmt: skip
    assert "stop-1  usable" in run("signer", "list").out
    # What a crash left unpublished is published next time, links and stop lists, too.
    for name in ("certificates/csca-2-link.cer", "stop/csca-1.stop"):
        before = (home / name).read_bytes()
        (home / name).unlink()
        assert run("crl", "issue").status == 0
        assert (home / name).read_bytes() == before


def load_trust_files(trust: Path) -> TrustAnchors:
    return TrustAnchors.from_bytes(
        certificates=[path.read_bytes() for path in sorted((trust / "csca").iterdir())],
        crls=[path.read_bytes() for path in (trust / "crl").iterdir()],
        stop_lists=[path.read_bytes() for path in (trust / "stop").iterdir()],
    )


def test_services_and_operators_get_certificates_for_their_own_keys(
    made: Run, home: Path, tmp_path: Path
) -> None:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    path = tmp_path / "request.csr"

    def bring_a_key() -> ec.EllipticCurvePrivateKey:
        key = ec.generate_private_key(ec.SECP256R1())
        path.write_bytes(request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return key

    key = bring_a_key()
    issue = ("service", "issue", "--request", str(path), "--name", "Somebody")
    outcome = made(*issue, "--id", "api", "--host", "pki.example", "--out", str(tmp_path / "x.cer"))
    assert (outcome.status, "[service.authority-missing]" in outcome.err) == (1, True)
    assert made("service", "create-root", "--format", "json").json["kind"] == "service-authority"
    out = tmp_path / "api.cer"
    document = made(
        *issue, "--id", "api", "--host", "pki.example", "--out", str(out), "--format", "json"
    ).json
    assert (document["kind"], document["name"]) == ("service", "C=VN, CN=TEST Somebody")
    assert x509.load_der_x509_certificate(out.read_bytes()).public_key() == key.public_key()
    lan = (*issue, "--id", "lan", "--operator", "--out", str(tmp_path / "lan.cer"))
    same = made(*lan)
    assert (same.status, "[key.duplicate]" in same.err) == (1, True)
    bring_a_key()
    assert made(*lan).status == 0
    assert made("service", "revoke", "--id", "lan", "--reason", "left").status == 0
    assert made("service", "crl", "--format", "json").json["revoked"] == 1
    listed = made("service", "list", "--format", "json").json
    assert [(item["id"], item["state"]) for item in listed] == [
        ("api", "usable"),
        ("lan", "revoked"),
    ]
    assert "api  service   usable" in made("service", "list").out
    # Nothing of it is what verifiers of cards trust.
    assert made("trust", "export", str(tmp_path / "trust")).status == 0
    assert [path.name for path in (tmp_path / "trust/csca").iterdir()] == ["csca-1.cer"]
    bring_a_key()
    lost = made(*issue, "--id", "z", "--operator", "--out", str(tmp_path / "no" / "z.cer"))
    assert (lost.status, "service-z.cer in the home" in lost.err) == (2, True)
    assert (home / "certificates" / "service-z.cer").exists()
    gone = made("service", "issue", "--request", "no", "--name", "n", "--id", "q", "--out", "q")
    assert (gone.status, "[service.request-malformed]" in gone.err) == (2, True)
