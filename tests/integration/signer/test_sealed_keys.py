"""Master keys in the signer's token, sealed to a station: chips are made with keys from the sealed file alone."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

from issuer.cli import main as issuer_main
from issuer.errors import IssuerError
from issuer.personalisation.chip_keys import KeystoreThread
from issuer.personalisation.sealed_keys import SealedChipKeysOfStation
from pki.errors import PkiError
from pki.keys.open import open_keystore
from pki.record.journal import read_journal

Home = Any

COMPONENTS = (bytes(range(64, 96)), bytes(range(150, 182)))
TRANSPORT_KEY = bytes(a ^ b for a, b in zip(*COMPONENTS, strict=True))
SERIALS = [number.to_bytes(10, "big") for number in range(1, 4)]
PROGRAM = Path(sys.executable).with_name("membercard-pki")


def check_value(key: bytes) -> str:
    mac = CMAC(AES(key))
    mac.update(bytes(16))
    return mac.finalize()[:5].hex()


def import_words(directory: Path, components: tuple[bytes, ...] = COMPONENTS) -> list[str]:
    """The words of ``master-key import``; the components' files are written."""
    words = ["master-key", "import", "--check-value", check_value(TRANSPORT_KEY)]
    for name, component in zip(("an", "binh", "cuc"), components, strict=False):
        path = directory / f"{name}.component"
        path.touch(mode=0o600)
        path.write_text(component.hex() + "\n")
        words += ["--custodian", name, "--component", str(path)]
        words += ["--component-check-value", check_value(component)]
    return words


def derive(master: bytes, kind: str, name: str, serial: bytes) -> bytes:
    """SPEC.md, 8.2, by the library's own SP 800-108."""
    return KBKDFCMAC(
        algorithm=AES, mode=Mode.CounterMode, length=16, rlen=4, llen=4,
        location=CounterLocation.BeforeFixed, label=f"membercard {kind} {name}".encode(),
        context=serial, fixed=None,
    ).derive(master)  # fmt: skip


class Station:
    """An issuer's office without master keys of chips, and its certificate."""

    def __init__(self, home: Home, name: str = "station-1") -> None:
        self.home = home
        self.name = name
        self.office = home.directory / name
        self.certificate = home.directory / f"{name}.cer"
        request = home.directory / f"{name}.csr"
        self.issuer("database", "upgrade")
        self.issuer(
            "keys", "create", "--sealed", "--keystore", "file",
            "--pin-file", str(home.directory / f"{name}.pin"),
        )  # fmt: skip
        self.issuer("keys", "request-station", "--name", name, "--out", str(request))
        issue = ("--station", "--id", name, "--name", name, "--request", str(request))
        assert home.pki("service", "issue", *issue, "--out", str(self.certificate)) == 0

    def issuer(self, *words: str, expected: int = 0) -> None:
        assert issuer_main(["--home", str(self.office), *words]) == expected

    def open(self, *files: bytes, **options: Any) -> SealedChipKeysOfStation:
        pin = (self.home.directory / f"{self.name}.pin").read_text().strip()
        thread = KeystoreThread(lambda: open_keystore(self.office / "keystore", pin=pin))
        try:
            values = {"now": lambda: datetime.now(UTC)} | options
            return SealedChipKeysOfStation.open(files, thread, **values)
        finally:
            thread.close()


def prepare(home: Home) -> Station:
    assert home.pki("service", "create-root") == 0
    assert home.pki("master-key", "create") == 0
    assert home.pki(*import_words(home.directory)) == 0
    return Station(home)


@pytest.fixture
def station(signer_home: Home) -> Station:
    return prepare(signer_home)


def authorise(home: Home, chips: int) -> Path:
    path = home.directory / f"chips-{chips}-{len(list(home.directory.glob('chips-*')))}.json"
    create = ("--signer", "ds-1", "--cards", "1", "--chips", str(chips), "--until", "8h")
    assert home.pki("authorisation", "create", *create, "--out", str(path)) == 0
    for name in ("an", "binh"):
        pin = ("--operator", name, "--operator-pin-file", str(home.directory / f"{name}.pin"))
        assert home.pki("authorisation", "sign", str(path), *pin) == 0
    return path


def wrap(home: Home, station: Station, batch: Path, serials: list[bytes] = SERIALS) -> bytes:
    with home.client(batch.read_bytes()) as signer:
        return bytes(signer.wrap(serials, station=station.certificate.read_bytes()))


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises((PkiError, IssuerError)) as caught:
        action()
    return caught.value.code


def entries(home: Home, kind: str) -> list[Any]:
    return [each for each in read_journal(home.home / "journal.jsonl") if each.kind == kind]


@pytest.mark.parametrize(
    "fixture", ["signer_home", pytest.param("token_home", marks=pytest.mark.hsm)]
)
def test_chips_are_made_with_keys_from_a_sealed_file_alone(
    fixture: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    home = request.getfixturevalue(fixture)
    station = prepare(home)
    (tmp_path / "transport.key").write_text(TRANSPORT_KEY.hex())
    subprocess.run(
        [
            str(PROGRAM.with_name("membercard-simulator")), "blank", "create", "--count", "2",
            "--out", str(tmp_path / "cards"), "--transport-key", str(tmp_path / "transport.key"),
        ],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    delivery = tmp_path / "cards" / "delivery.csv"
    station.issuer("stock", "receive", str(delivery))
    batch = authorise(home, 2)
    home.start()
    words = ("--socket", str(home.socket), "--batch", str(batch), "--chips", str(delivery))
    out = tmp_path / "station-1.keys"
    where = ("--station", str(station.certificate), "--out", str(out))
    assert home.pki("master-key", "wrap", *words, *where) == 0
    assert home.stop() == (0, "")
    with delivery.open(encoding="utf-8", newline="") as file:
        serials = [row["serial"] for row in csv.DictReader(file)]
    hopper = f"sim:{tmp_path / 'cards'}/*.json"
    # Without the file there is no key here.
    station.issuer("station", "initialise", "--reader", hopper, "--timeout", "0", expected=2)
    station.issuer("station", "initialise", "--reader", hopper, "--count", "2", "--keys", str(out))
    for image in (tmp_path / "cards").glob("*.json"):
        keys = json.loads(image.read_text())["keys"]["personalisation"]
        assert keys["key_version"] in {0x30, "30"}
    (entry,) = entries(home, "chip-keys.wrapped")
    assert entry.fields["count"] == 2
    assert entry.fields["chips"] == "".join(sorted(each.lower() for each in serials))
    assert entry.fields["station"] == hashes_of(station.certificate.read_bytes())


def hashes_of(content: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(content)
    return digest.finalize().hex()
