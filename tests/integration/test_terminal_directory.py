"""From the PKI's commands to the verifier's: a terminal's directory, made and used as people do it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pki.card_verifiable.certificate import CvCertificate
from pki.cli import main as pki_main
from pki.keys.token_library import find_softhsm
from simulators.authority import TestAuthority
from simulators.issued_image import issue_image
from simulators.population.member import draw_member
from simulators.testing import TEST_CAN
from simulators.trust_directory import write_trust_directory
from tests.unit.verifier.terminal_hierarchy import DEFAULT, protected_card
from verifier.cli import main as verifier_main


def pki(*words: object) -> None:
    assert pki_main([str(word) for word in words]) == 0


@dataclass(frozen=True)
class Site:
    """A folder with a card, a trust directory and a terminal's directory ``terminal``; the PIN is in ``gate.pin``."""

    folder: Path

    def words(self, *more: object, terminal: str | None = "terminal") -> list[str]:
        shown = (
            ()
            if terminal is None
            else (
                "--terminal",
                self.folder / terminal,
                "--terminal-pin-file",
                self.folder / "gate.pin",
            )
        )
        return [
            str(word)
            for word in (
                "inspect", "--reader", f"sim:{self.folder}/card.json", "--can", TEST_CAN,
                "--trust", self.folder / "trust", "--format", "json", *shown, *more,
            )
        ]  # fmt: skip


def make_terminal(folder: Path, keystore: str, out: str) -> None:
    office = folder / "office"
    pki(
        "--home", office, "terminal", "cvca", "create", "--holder", "VNMEMBER",
        "--keystore", "file", "--pin-file", folder / "office.pin",
    )  # fmt: skip
    pki("--home", office, "terminal", "dv", "create", "--mnemonic", "OFFICES")
    gate = ("--home", folder / "gate", "terminal")
    pki(
        *gate, "request", "create", "--holder", "VNGATE1", "--out", folder / "gate.cvreq",
        "--keystore", keystore, "--pin-file", folder / "gate.pin",
    )  # fmt: skip
    pki(
        "--home", office, "terminal", "issue", folder / "gate.cvreq", "--grant", "DG13",
        "--out", folder / "gate.cvcert",
    )  # fmt: skip
    pki(
        *gate, "export", folder / "gate.cvcert", "--chain", office / "card-verifiable",
        "--out", folder / out,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    make_terminal(folder, "file", "terminal")
    now = datetime.now(UTC)
    authority = TestAuthority.create(now=now - timedelta(days=1))
    member = draw_member(Random(2), serial_number=2)
    issued = issue_image(
        member, authority=authority, random=Random(2), can=TEST_CAN, profile=DEFAULT
    )
    root = CvCertificate.from_bytes(
        (folder / "office" / "card-verifiable" / "VNMEMBER00001.cvcert").read_bytes()
    )
    protected_card(
        issued,
        root,
        authority=authority,
        current_date=now.date(),
        signing_time=now - timedelta(days=1),
    ).save(folder / "card.json")
    write_trust_directory(folder / "trust", [authority], now=now)
    return folder


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Site:
    shutil.copytree(made, tmp_path / "site")
    return Site(tmp_path / "site")


Inspect = Callable[..., tuple[int, str, str]]


@pytest.fixture
def inspect(capsys: pytest.CaptureFixture[str]) -> Inspect:
    def call(words: list[str]) -> tuple[int, str, str]:
        capsys.readouterr()
        status = verifier_main(words)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_with_and_without_a_terminals_directory(site: Site, inspect: Inspect) -> None:
    status, out, _ = inspect(site.words())
    report: dict[str, Any] = json.loads(out)
    assert (status, report["notes"]) == (0, [])
    assert report["terminal_authentication"] == {
        "outcome": "succeeded",
        "code": None,
        "trust_point": "VNMEMBER00001",
        "chain": ["VNOFFICES00001", "VNGATE100001"],
        "granted": [13],
    }
    assert report["holder"]["citizen_number"]
    status, out, _ = inspect(site.words(terminal=None))
    report = json.loads(out)
    assert (status, report["notes"]) == (0, ["data-group.no-right"])
    assert report["terminal_authentication"]["code"] == "terminal-authentication.no-credentials"
    assert report["holder"]["full_name"]
    assert "citizen_number" not in report["holder"]


def test_a_purpose_asks_only_for_what_it_needs(site: Site, inspect: Inspect) -> None:
    policy = site.folder / "trust" / "policy.toml"
    text = policy.read_text("utf-8")
    checks = text[text.index("required_checks") :]
    policy.write_text(f"{text}\n[purposes.entrance]\nprotected_files = []\n{checks}", "utf-8")
    status, out, _ = inspect(site.words("--purpose", "entrance"))
    assert (status, json.loads(out)["notes"]) == (0, ["data-group.not-needed"])
    policy.write_text(f"{text}\n[purposes.desk]\nprotected_files = ['DG13']\n{checks}", "utf-8")
    status, out, _ = inspect(site.words("--purpose", "desk"))
    assert (status, json.loads(out)["notes"]) == (0, [])


@pytest.mark.parametrize("value", ["'DG13'", "['DG17']", "[13]", "['DG13', 'DG13']", "[['DG13']]"])
def test_malformed_protected_files_stop_the_verifier(
    site: Site, inspect: Inspect, value: str
) -> None:
    policy = site.folder / "trust" / "policy.toml"
    policy.write_text(f"{policy.read_text('utf-8')}\nprotected_files = {value}\n", "utf-8")
    status, _, err = inspect(site.words())
    assert status == 2
    assert "[policy.malformed]" in err


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda folder: shutil.rmtree(folder / "terminal"), "terminal.missing"),
        (
            lambda folder: shutil.rmtree(folder / "terminal" / "keystore"),
            "terminal.key-unavailable",
        ),
        (
            lambda folder: (folder / "gate.pin").write_text("another pin\n"),
            "terminal.key-unavailable",
        ),
        (lambda folder: (folder / "gate.pin").chmod(0o644), "terminal.key-unavailable"),
        (
            lambda folder: spoil(folder / "terminal" / "certificates" / "VNGATE100001.cvcert"),
            "terminal.malformed",
        ),
        (
            lambda folder: (
                folder / "terminal" / "certificates" / "VNOFFICES00001.cvcert"
            ).unlink(),
            "terminal.malformed",
        ),
        (
            lambda folder: (folder / "terminal" / "certificates" / "x.cvcert").write_bytes(b"x"),
            "terminal.malformed",
        ),
        (
            lambda folder: (folder / "terminal" / "certificates" / "d.cvcert").mkdir(),
            "terminal.malformed",
        ),
        (
            lambda folder: spoil(folder / "terminal" / "keystore" / "cv-vngate100001.key"),
            "terminal.key-unavailable",
        ),
    ],
)
def test_a_broken_directory_stops_the_verifier_before_any_card(
    site: Site, inspect: Inspect, change: Callable[[Path], object], code: str
) -> None:
    change(site.folder)
    status, out, err = inspect(site.words())
    assert (status, out) == (2, "")
    assert f"[{code}]" in err


def test_the_pin_file_is_asked_for(site: Site, inspect: Inspect) -> None:
    status, _, err = inspect(site.words("--terminal", site.folder / "terminal", terminal=None))
    assert status == 64
    assert "--terminal-pin-file" in err


def test_only_the_terminals_own_key_is_copied(made: Path) -> None:
    names = sorted(path.name for path in (made / "terminal" / "keystore").iterdir())
    assert names == ["cv-vngate100001.key", "keystore.json"]
    assert all(
        path.stat().st_mode & 0o077 == 0 for path in (made / "terminal" / "keystore").iterdir()
    )
    held = sorted(path.name for path in (made / "terminal" / "certificates").iterdir())
    assert held == ["VNGATE100001.cvcert", "VNMEMBER00001.cvcert", "VNOFFICES00001.cvcert"]


@pytest.mark.hsm
def test_a_key_in_a_token_stays_there_and_its_home_is_the_terminals_directory(
    site: Site, inspect: Inspect, tmp_path: Path
) -> None:
    if find_softhsm() is None:
        pytest.skip("no SoftHSM2 here")
    folder = tmp_path / "with-token"
    folder.mkdir()
    make_terminal(folder, "pkcs11", "gate")
    assert (
        pki_main([
            "--home", str(folder / "gate"), "terminal", "export", str(folder / "gate.cvcert"),
            "--chain", str(folder / "office" / "card-verifiable"), "--out", str(folder / "copy"),
        ])
        == 1
    )  # fmt: skip
    words = site.words(
        "--terminal", folder / "gate", "--terminal-pin-file", folder / "gate.pin", terminal=None
    )
    status, out, _ = inspect(words)
    # Another CVCA that calls itself like the card's: the chip finds out, and the card is read without the right.
    assert status == 0
    report = json.loads(out)
    assert report["terminal_authentication"]["code"] == "terminal-authentication.chain-refused"
    assert report["notes"] == ["terminal-authentication.chain-refused", "data-group.no-right"]
