"""A terminal with a key signs what it keeps of refused cards, and the inspection office can prove which terminal it was."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from pki.card_verifiable.certificate import CvCertificate
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.issued_image import issue_image
from simulators.population.member import draw_member
from simulators.trust_directory import write_trust_directory
from tests.integration.test_terminal_directory import make_terminal
from tests.unit.verifier.terminal_hierarchy import Hierarchy
from verifier.bootstrap_terminal import open_terminal
from verifier.cli import main
from verifier.inspection.snapshot import CardSnapshot
from verifier.services.card_password import CardPassword
from verifier.trust.credentials import CredentialsSource, CurrentCredentials
from verifier.trust.refused_cards import (
    InspectionOffice,
    RefusedCard,
    RefusedCardError,
    create_office,
)
from verifier.trust.signed_evidence import signed_by_terminal, terminal_that_signed
from verifier.trust.terminal_home import TerminalHome

CAN = "271828"
PIN = "24681012"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A terminal's directory ``terminal`` with its ``gate.pin``, and the CVCA above it."""
    folder = tmp_path_factory.mktemp("gate")
    make_terminal(folder, "file", "terminal")
    return folder


@pytest.fixture
def credentials(gate: Path) -> Iterator[CurrentCredentials]:
    source = CredentialsSource(directory=gate / "terminal", pin_file=gate / "gate.pin")
    with closing(CurrentCredentials(source)) as opened:
        yield opened


@pytest.fixture
def roots(gate: Path) -> list[CvCertificate]:
    path = gate / "office" / "card-verifiable" / "VNMEMBER00001.cvcert"
    return [CvCertificate.from_bytes(path.read_bytes())]


@pytest.fixture
def card() -> RefusedCard:
    now = datetime.now(UTC)
    snapshot = CardSnapshot(profile="membercard-1", read_at=now, atr=None, files={})
    report = {"verdict": "refused", "codes": ["card.expired"]}
    return RefusedCard(judged_at=now, purpose=None, bundle=None, report=report, snapshot=snapshot)


def test_a_signature_holds_for_this_card_alone(
    card: RefusedCard, credentials: CurrentCredentials, roots: list[CvCertificate]
) -> None:
    assert terminal_that_signed(card, roots) is None
    signed = signed_by_terminal(card, credentials)
    # As it comes out of the seal years later.
    stored = RefusedCard.from_bytes(signed.to_bytes())
    assert stored == signed
    assert terminal_that_signed(stored, roots) == credentials.holder_reference.text
    others = Hierarchy(mnemonic="OTHERS").root()
    for changed, trusted in (
        (replace(stored, report={"verdict": "refused", "codes": ["status.lost"]}), roots),
        (replace(stored, purpose="meeting"), roots),
        (replace(stored, judged_at=stored.judged_at + timedelta(hours=1)), roots),
        (replace(stored, signature={}), roots),
        (replace(stored, signature={**(stored.signature or {}), "signature": "terminal=:AAAA:"}), roots),
        (stored, [others]),
        (stored, []),
    ):  # fmt: skip
        with pytest.raises(RefusedCardError) as caught:
            terminal_that_signed(changed, trusted)
        assert caught.value.code == "refused-card.signature"


def test_a_terminal_whose_certificates_have_ended_signs_nothing_and_the_card_is_kept(
    card: RefusedCard, credentials: CurrentCredentials
) -> None:
    later = replace(card, judged_at=card.judged_at + timedelta(days=3650))
    assert signed_by_terminal(later, credentials) == later


@pytest.mark.parametrize("signature", ["text", 1, ["a"], {"signature": 1}, {str(n): "" for n in range(9)}])  # fmt: skip
def test_what_is_no_signature_makes_the_file_malformed(
    card: RefusedCard, signature: object
) -> None:
    document = {**json.loads(card.to_bytes()), "signature": signature}
    with pytest.raises(RefusedCardError) as caught:
        RefusedCard.from_bytes(json.dumps(document).encode())
    assert caught.value.code == "refused-card.malformed"


def test_the_office_is_told_which_terminal_kept_a_card(
    tmp_path: Path, gate: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    ours, stranger = (
        TestAuthority.create(now=now - timedelta(days=1), name=f"TEST CSCA {name}")
        for name in ("of ours", "of nobody")
    )
    trust, home = tmp_path / "trust", TerminalHome(tmp_path / "home")
    write_trust_directory(trust, [ours], now=now)
    key, certificate = create_office("Inspection office", pin=PIN, now=now)
    for name, content in (("office.key", key), ("office.cer", certificate)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "office.pin").touch(mode=0o600)
    (tmp_path / "office.pin").write_text(PIN)
    image = issue_image(
        draw_member(Random(3), serial_number=3), authority=stranger, random=Random(3), can=CAN
    )
    with open_terminal(
        reader_name="any",
        trust_directory=trust,
        home=home,
        credentials=CredentialsSource(directory=gate / "terminal", pin_file=gate / "gate.pin"),
        keep_refused=tmp_path / "office.cer",
        find_reader=lambda _name: SimulatedReader(VirtualCard(image)),
    ) as opened:
        opened.terminal.look()
        opened.terminal.give_password(CardPassword.from_can(CAN))
        opened.terminal.look()
    (path,) = home.refused.iterdir()
    office = InspectionOffice.read(tmp_path / "office.key", tmp_path / "office.cer", pin=PIN)
    assert office.open(path.read_bytes()).signature is not None
    words = [
        "replay", path, "--trust", trust, "--office-key", tmp_path / "office.key",
        "--office-certificate", tmp_path / "office.cer", "--office-pin-file", tmp_path / "office.pin",
    ]  # fmt: skip

    def replayed(*more: str) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main([*map(str, words), *more])
        output = capfd.readouterr()
        return status, output.out, output.err

    # This trust directory knows no CVCA: nobody says that the signature is a terminal's.
    status, _, err = replayed()
    assert (status, "[refused-card.signature]" in err) == (2, True)
    (trust / "cvca").mkdir()
    shutil.copy(gate / "office" / "card-verifiable" / "VNMEMBER00001.cvcert", trust / "cvca")
    status, out, err = replayed("--format", "json")
    assert status == 1
    assert json.loads(out)["signed_by"] == "VNGATE100001"
    assert "signed by terminal VNGATE100001" in err
    assert "the same report as then" in err
