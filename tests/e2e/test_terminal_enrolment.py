"""A terminal's life: enrolled by people, renewed by itself over the network, heard of at the centre, stolen and let go."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pki.api.app import bounded, create_app
from pki.api.ports import CertificateHeader
from pki.bootstrap_api import api_services
from pki.bootstrap_service import open_service_database, upgrade_database
from pki.bootstrap_terminal import open_terminal_services
from pki.cli import main as pki_main
from pki.errors import KeystoreError
from pki.home import Home
from pki.keys.token_library import find_softhsm
from pki.signed.trust_bundle import TrustBundle
from simulators.authority import TestAuthority
from tests.e2e.served_app import served
from tests.unit.verifier.bundle_office import BundleOffice, layout_files
from tests.unit.verifier.centre_stage import trust_from
from verifier.bootstrap_centre import CentrePlaces, centre_app, open_centre, upgrade_centre
from verifier.bootstrap_terminal import open_journal
from verifier.cli import main as verifier_main
from verifier.inspection.report import Assurance, Verdict
from verifier.services.terminal_ports import InspectionRecord
from verifier.trust.credentials import CredentialsSource, CurrentCredentials
from verifier.trust.publishing import publish_bundle
from verifier.trust.terminal_home import TerminalHome

Run = Callable[..., str]


def pki(*words: object) -> None:
    assert pki_main([str(word) for word in words]) == 0


@dataclass
class Office:
    """An authority with its API, and a terminal's own home ``gate``."""

    folder: Path
    address: str = ""
    loses_answer: bool = False

    def authority(self, *words: object) -> None:
        pki("--home", self.folder / "pki", "terminal", *words)

    @property
    def key(self) -> list[object]:
        return ["--terminal", self.folder / "gate", "--terminal-pin-file", self.folder / "gate.pin"]

    @property
    def held(self) -> list[str]:
        return sorted(path.stem for path in (self.folder / "gate" / "certificates").iterdir())

    def renew(self, request: bytes) -> bytes:
        """What the signer process does with a request; its answer may be lost."""
        with open_terminal_services(Home(self.folder / "pki")) as services:
            certificate = services.terminals.renew_again(request).to_bytes()
        if self.loses_answer:
            self.loses_answer = False
            raise KeystoreError("the signer went away", code="signer.unreachable")
        return certificate


def enrol(office: Office, keystore: str) -> None:
    """What people do, once: request, word, certificate, directory."""
    folder = office.folder
    gate = ("--home", folder / "gate", "terminal")
    pki(*gate, "request", "create", "--holder", "VNGATE1", "--out", folder / "gate.cvreq",
        "--keystore", keystore, "--pin-file", folder / "gate.pin")  # fmt: skip
    office.authority("issue", folder / "gate.cvreq", "--grant", "DG13", "--out", folder / "gate.cvcert")  # fmt: skip
    pki(*gate, "export", folder / "gate.cvcert", "--chain", folder / "pki" / "card-verifiable",
        "--out", folder / "gate")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("office")
    office = Office(folder)
    office.authority("cvca", "create", "--holder", "VNMEMBER", "--keystore", "file",
                     "--pin-file", folder / "pki.pin")  # fmt: skip
    office.authority("dv", "create", "--mnemonic", "OFFICES")
    with open_service_database(Home(folder / "pki")) as service:
        upgrade_database(service)
    return folder


@pytest.fixture
def office(made: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Office]:
    keystore = getattr(request, "param", "file")
    if keystore == "pkcs11" and find_softhsm() is None:
        pytest.skip("no SoftHSM2 here")
    shutil.copytree(made, tmp_path / "office")
    found = Office(tmp_path / "office")
    with open_service_database(Home(found.folder / "pki")) as service:
        services = api_services(service, signer_socket=None, header=CertificateHeader.CLIENT_CERT)
        app = bounded(create_app(replace(services, renew_terminal=found.renew)))
        with served(app) as found.address:
            enrol(found, keystore)
            yield found


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object, status: int = 0) -> str:
        capfd.readouterr()
        found = verifier_main([str(word) for word in words])
        captured = capfd.readouterr()
        assert found == status, captured.out + captured.err
        return captured.out + captured.err

    return call


@pytest.mark.parametrize(
    "office", ["file", pytest.param("pkcs11", marks=pytest.mark.hsm)], indirect=True
)
def test_a_terminal_renews_itself_while_it_is_in_good_standing(office: Office, run: Run) -> None:
    renew = ("terminal", "renew", "--pki", office.address, *office.key)
    assert "not due: VNGATE100001, by VNOFFICES00001" in run(*renew)
    source = CredentialsSource(
        directory=office.folder / "gate", pin_file=office.folder / "gate.pin"
    )
    with closing(CurrentCredentials(source)) as running:
        # The office's next key comes to the terminal with its next certificate, and not by hand.
        office.authority("dv", "create", "--mnemonic", "OFFICES")
        renewed = json.loads(run(*renew, "--days", 31, "--format", "json"))
        assert renewed["renewed"] is True
        assert (renewed["reference"], renewed["authority"]) == ("VNGATE100002", "VNOFFICES00002")
        assert office.held == ["VNGATE100002", "VNMEMBER00001", "VNOFFICES00002"]
        # A terminal that runs shows the new ones to the next card.
        day = datetime.now(UTC).date()
        chain = running.chain_from([b"VNMEMBER00001"], on=day)
        shown = [item.body.holder_reference.text for item in chain.certificates]
        assert shown == ["VNOFFICES00002", "VNGATE100002"]
        assert running.holder_reference.text == "VNGATE100002"
        assert chain.data_groups == frozenset({13})
        assert len(running.sign(b"message")) == 64
    # Stolen: nothing more is issued, and what it has is what it had.
    office.authority("block", "VNGATE1", "--reason", "stolen")
    said = run(*renew, "--days", 31, status=2)
    assert "[terminal.renewal-refused]" in said
    assert "[terminal.blocked]" in said
    assert office.held == ["VNGATE100002", "VNMEMBER00001", "VNOFFICES00002"]


def test_an_answer_that_was_lost_gives_the_same_certificate_later(office: Office, run: Run) -> None:
    renew = ("terminal", "renew", "--pki", office.address, *office.key, "--days", "31")
    office.loses_answer = True
    assert "[network.answer]" in run(*renew, status=2)
    request = (office.folder / "gate" / "renewal.cvreq").read_bytes()
    assert office.held[0] == "VNGATE100001"
    assert "renewed: VNGATE100002" in run(*renew[:-1], "0")
    assert office.held[0] == "VNGATE100002"
    assert not (office.folder / "gate" / "renewal.cvreq").exists()
    assert b"VNGATE100002" in request


def test_what_cannot_be_renewed_is_said(office: Office, run: Run) -> None:
    renew = ("terminal", "renew", "--pki")
    copy = office.folder / "copy"
    shutil.copytree(office.folder / "gate" / "certificates", copy / "certificates")
    words = ("--terminal", copy, "--terminal-pin-file", office.folder / "gate.pin")
    assert "[terminal.missing]" in run(*renew, office.address, *words, status=2)
    assert "[network.failed]" in run(*renew, "http://127.0.0.1:1", *office.key, status=2)
    assert "[network.address]" in run(*renew, "http://pki.example", *office.key, status=64)
    (office.folder / "gate.pin").write_text("another pin\n")
    words = ("--days", "31")
    assert "[terminal.key-unavailable]" in run(*renew, office.address, *office.key, *words, status=2)  # fmt: skip


def test_a_terminal_does_with_one_command_all_that_a_network_is_for(
    office: Office, run: Run, tmp_path: Path
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    authority = TestAuthority.create(now=now - timedelta(days=1))
    files = layout_files(authority, now=now) | {
        f"cvca/{path.name}": path.read_bytes()
        for path in (office.folder / "pki" / "card-verifiable").iterdir()
        if "OFFICES" in path.name or path.name == "VNMEMBER00001.cvcert"
    }
    bundles = [
        TrustBundle.from_bytes(
            BundleOffice(authority).bundle(files, at=now + timedelta(seconds=number), number=number)
        )
        for number in (1, 2)
    ]
    trust_from(bundles[0], tmp_path / "trust")
    trust_from(bundles[1], tmp_path / "at-centre")
    (tmp_path / "signed.bundle").write_bytes(bundles[1].der)
    publish_bundle(tmp_path / "signed.bundle", tmp_path / "public")
    url = f"sqlite:///{tmp_path / 'centre.sqlite'}"
    upgrade_centre(url)
    home = TerminalHome(tmp_path / "home")
    with open_journal(home) as journal:
        for number in range(3):
            journal.record(
                InspectionRecord(
                    at=now, purpose="identity", verdict=Verdict.ACCEPTED,
                    assurance=Assurance.DATA_AND_CHIP, codes=(), notes=(), card=bytes([number]),
                )
            )  # fmt: skip
    with open_centre(url) as centre:
        places = CentrePlaces(
            database_url=url, trust=tmp_path / "at-centre", files=tmp_path / "public",
            keys=tmp_path / "keys", address="http://127.0.0.1:1",
        )  # fmt: skip
        # The service is called by an address that it has only once it listens.
        with served(centre_app(centre, places)) as address:
            port = int(address.rpartition(":")[2])
        places = replace(places, address=address)
        with served(centre_app(centre, places), port=port):
            words = [
                "terminal", "sync", "--centre", address, "--pki", office.address,
                "--trust", tmp_path / "trust", "--home", home.directory, *office.key,
            ]  # fmt: skip
            said = run(*words, status=2)
            # Nobody has enrolled it yet: what needs no enrolment was done all the same.
            assert (
                "error: journal: terminal VNGATE1 is not enrolled here [centre.terminal-unknown]"
                in said
            )
            assert "not due: VNGATE100001" in said
            centre.register.enrol("VNGATE1", organisation="01.02", now=now)
            said = run(*words)
            assert "3 new records; the centre has all up to 3" in said
            assert "the centre's newest bundle is 2" in said
            found = centre.register.find("VNGATE1")
            assert found is not None
            assert found.health is not None
            assert (found.health.bundle_number, found.health.journal_sequence) == (2, 3)
            centre.register.block("VNGATE1", reason="stolen", now=now)
            assert "[centre.terminal-blocked]" in run(*words, status=2)
