"""Master keys in the signer's token, sealed to a station: chips are made with keys from the sealed file alone."""

import csv
import json
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode
from cryptography.hazmat.primitives.serialization import Encoding

from issuer.cli import main as issuer_main
from issuer.errors import IssuerError
from issuer.personalisation.chip_keys import KeystoreThread
from issuer.personalisation.sealed_keys import SealedChipKeysOfStation
from pki.errors import PkiError
from pki.keys.open import open_keystore
from pki.record.journal import read_journal
from pki.signed.chip_keys import SealedChipKeys
from tests.integration.everybody import log_in_everybody

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
        log_in_everybody(self.office)
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
    station.issuer("stock", "site", "add", "local", "--kind", "station", "--name", "1")
    station.issuer("stock", "receive", str(delivery), "--site", "local")
    # A rotation before: chips get keys of the second version, and say so.
    assert home.pki("master-key", "rotate") == 0
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
    # The end of the day ends the keys that the station was given.
    assert out.exists()
    station.issuer("station", "close-day")
    assert not out.exists()
    for image in (tmp_path / "cards").glob("*.json"):
        keys = json.loads(image.read_text())["keys"]["personalisation"]
        assert keys["key_version"] in {0x31, "31"}
    (entry,) = entries(home, "chip-keys.wrapped")
    assert entry.fields["count"] == 2
    assert entry.fields["chips"] == "".join(sorted(each.lower() for each in serials))
    assert entry.fields["station"] == hashes_of(station.certificate.read_bytes())


def hashes_of(content: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(content)
    return digest.finalize().hex()


@pytest.mark.parametrize(
    "fixture", ["signer_home", pytest.param("token_home", marks=pytest.mark.hsm)]
)
def test_the_station_gets_the_keys_that_chip_makers_and_chips_derive(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    home = request.getfixturevalue(fixture)
    station = prepare(home)
    assert home.pki("master-key", "rotate") == 0
    batch = authorise(home, 3)
    home.start()
    keys = station.open(wrap(home, station, batch))
    assert keys.personalisation_version == 0x31
    masters: dict[int, Any] = {0xFF: TRANSPORT_KEY}
    for serial in SERIALS:
        for version, master in masters.items():
            found = keys.key_set(serial, version)
            expected = [derive(master, "transport", name, serial) for name in ("enc", "mac", "dek")]
            assert [found.enc, found.mac, found.dek] == expected
        # Chips that carry keys of the version before can still be opened.
        old, new = (keys.key_set(serial, version) for version in (0x30, 0x31))
        assert len({old.enc, old.mac, old.dek, new.enc, new.mac, new.dek}) == 6
    assert home.stop() == (0, "")
    pin = (home.directory / "pki.pin").read_text().strip()
    keystore = open_keystore(home.home / "keystore", pin=pin)
    for number, version in ((1, 0x30), (2, 0x31)):
        label = b"membercard personalisation mac"
        expected = keystore.derive(
            f"personalisation-{number}", label=label, context=SERIALS[0], length=16
        )
        assert keys.key_set(SERIALS[0], version).mac == expected
    keystore.close()


def new_request(path: Path) -> str:
    """The request of somebody with a key of their own; where it stands."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    path.write_bytes(signed.public_bytes(Encoding.PEM))
    return str(path)


def test_what_the_signer_refuses_has_its_code_and_is_not_counted(
    signer_home: Home, station: Station
) -> None:
    home = signer_home
    other = home.directory / "other.cer"
    service = ("--host", "pki.example", "--id", "api", "--name", "API", "--out", str(other))
    csr = new_request(home.directory / "api.csr")
    assert home.pki("service", "issue", *service, "--request", csr) == 0
    revoked = home.directory / "revoked.cer"
    csr = new_request(home.directory / "station-2.csr")
    issue = ("--station", "--id", "station-2", "--name", "Station 2", "--request", csr)
    assert home.pki("service", "issue", *issue, "--out", str(revoked)) == 0
    assert home.pki("service", "revoke", "--id", "station-2", "--reason", "stolen") == 0
    batch, none = authorise(home, 3), home.authorise(1)
    home.start()
    certificate = station.certificate.read_bytes()
    with home.client(none) as signer:
        refused = code_of(lambda: signer.wrap(SERIALS[:1], station=certificate))
        assert refused == "authorisation.overdrawn"
    with home.client(batch.read_bytes()) as signer:

        def code(serials: list[bytes], station: bytes = certificate, **options: Any) -> str:
            return code_of(lambda: signer.wrap(serials, station=station, **options))

        assert code(SERIALS, other.read_bytes()) == "station.certificate-invalid"
        assert code(SERIALS, revoked.read_bytes()) == "station.revoked"
        assert code(SERIALS, certificate[:-1]) == "station.unknown"
        assert code(SERIALS, b"") == "station.unknown"
        assert code([SERIALS[0], SERIALS[0]]) == "chip-keys.chip-repeated"
        assert code([]) == "chip-keys.request-invalid"
        assert code([bytes(10)] * 501) == "chip-keys.request-invalid"
        assert code(SERIALS, transport=2) == "master-key.unknown"
        assert code([*SERIALS, bytes(10)]) == "authorisation.overdrawn"
        signer.wrap(SERIALS[:2], station=certificate, transport=1)
        # The same again is a replay, whoever asks.
        assert code(SERIALS[:1]) == "chip-keys.chip-repeated"
        assert code([SERIALS[2], bytes(10)]) == "authorisation.overdrawn"
        signer.wrap(SERIALS[2:], station=certificate)
    assert [entry.fields["count"] for entry in entries(home, "chip-keys.wrapped")] == [2, 1]
    home.kill()
    home.start()
    # The count is the journal's: neither a kill nor a restart forgets it.
    assert code_of(lambda: wrap(home, station, batch)) == "chip-keys.chip-repeated"


def test_a_home_without_master_keys_wraps_nothing(signer_home: Home) -> None:
    station = Station(signer_home)
    batch = authorise(signer_home, 3)
    signer_home.start()
    assert code_of(lambda: wrap(signer_home, station, batch)) == "master-key.missing"
    assert entries(signer_home, "chip-keys.wrapped") == []


def test_what_a_station_refuses_has_its_code(signer_home: Home, station: Station) -> None:
    other = Station(signer_home, "station-2")
    batch, later = authorise(signer_home, 3), authorise(signer_home, 1)
    signer_home.start()
    sealed = wrap(signer_home, station, batch)
    more = wrap(signer_home, station, later, [bytes(10)])
    end = SealedChipKeys.from_bytes(sealed).terms.not_after
    expired: Any = {"now": lambda: end + timedelta(seconds=1)}
    assert code_of(lambda: other.open(sealed)) == "personalisation.other-station"
    assert code_of(lambda: station.open(sealed, **expired)) == "personalisation.keys-expired"
    assert code_of(lambda: station.open(sealed, batch=bytes(16))) == "personalisation.other-batch"
    edited = sealed.replace(SERIALS[0], bytes(10), 1)[:-1] + bytes((sealed[-1] ^ 1,))
    assert code_of(lambda: station.open(edited)) == "chip-keys.seal-broken"
    assert code_of(lambda: station.open(sealed[:-1])) == "chip-keys.malformed"
    moments = [end]
    keys = station.open(sealed, more, now=lambda: moments[0])
    assert keys.key_set(bytes(10), 0x30).key_version == 0x30
    assert code_of(lambda: keys.key_set(b"\xff" * 10, 0x30)) == "personalisation.keys-not-given"
    assert code_of(lambda: keys.key_set(SERIALS[0], 0x31)) == "personalisation.keys-not-given"
    assert code_of(lambda: keys.key_set(SERIALS[0], 0x01)) == "personalisation.key-version"
    # A station that runs over the end stops with it.
    moments[0] = end + timedelta(seconds=1)
    assert code_of(lambda: keys.key_set(SERIALS[0], 0x30)) == "personalisation.keys-expired"


def test_files_of_before_and_after_a_rotation_are_not_mixed(
    signer_home: Home, station: Station
) -> None:
    batch = authorise(signer_home, 3)
    signer_home.start()
    before = wrap(signer_home, station, batch, SERIALS[:1])
    signer_home.stop()
    assert signer_home.pki("master-key", "rotate") == 0
    signer_home.start()
    after = wrap(signer_home, station, batch, SERIALS[1:])
    assert code_of(lambda: station.open(before, after)) == "personalisation.keys-differ"
    assert station.open(after).personalisation_version == 0x31


def test_the_commands_say_what_they_did(
    signer_home: Home, station: Station, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = authorise(signer_home, 3)
    chips = signer_home.directory / "chips.csv"
    chips.write_text("serial\n" + "".join(f"{each.hex()}\n" for each in SERIALS))
    out = signer_home.directory / "out.keys"
    words = (
        "master-key", "wrap", "--socket", str(signer_home.socket), "--batch", str(batch),
        "--chips", str(chips), "--station", str(station.certificate), "--out", str(out),
    )  # fmt: skip
    assert signer_home.pki(*words) == 2
    signer_home.start()
    assert signer_home.pki(*words) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    # A file is never written over, and nothing is asked for in vain.
    assert signer_home.pki(*words) == 2
    capsys.readouterr()
    assert (
        signer_home.pki("master-key", "wrapped", "--station", station.name, "--format", "json") == 0
    )
    (given,) = json.loads(capsys.readouterr().out)
    assert given["chips"].split() == [each.hex().upper() for each in SERIALS]
    assert signer_home.pki("master-key", "list", "--format", "json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in listed] == ["personalisation-1", "transport-1"]
    assert listed[1]["check_value"] == check_value(TRANSPORT_KEY).upper()
    for content in (
        "",
        "serial\n",
        "serial\nxyz\n",
        "number\n1\n",
        "serial\n" + "00" * 10 + "\n" * 2 + '"',
    ):
        chips.write_text(content)
        again = [str(out) + "2" if word == str(out) else word for word in words]
        assert signer_home.pki(*again) == 2
        assert "[chip-keys.list-malformed]" in capsys.readouterr().err


@pytest.mark.hsm
def test_a_master_key_whose_making_was_killed_is_made_again(token_home: Home) -> None:
    home = token_home
    moments = random.Random(6)
    acknowledged = False
    for _ in range(5):
        with subprocess.Popen(
            [str(PROGRAM), "--home", str(home.home), "master-key", "create"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                # Starting Python takes most of it: the last part is where the key is made.
                process.wait(timeout=moments.uniform(0.4, 1.4))
            except subprocess.TimeoutExpired:
                process.kill()
        acknowledged = acknowledged or process.returncode == 0
    status = home.pki("master-key", "create")
    # Killed between its last write and its answer, it is there although nobody was told.
    assert status == 1 if acknowledged else status in {0, 1}
    station = Station(home)
    batch = authorise(home, 3)
    assert home.start() < 10.0
    keys = station.open(wrap(home, station, batch))
    assert keys.key_set(SERIALS[0], 0x30).key_version == 0x30
    assert home.stop() == (0, "")
